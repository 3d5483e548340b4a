/* Putting: is there room, make the node; when the answer was lost, look for it. Nodes are made in
 * the order of the puts, however many steps each of them has before that: who comes later may find
 * a folder that the one before is still making. */
#include "blocking.h"
#include "queue_impl.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct put {
    weir_list node;
    weir_zk_queue *queue;
    weir__zk_steps steps;
    weir_timer limit;
    bool has_room; /* and waits for those before it */
    bool created;  /* or on its way */
    bool doubtful; /* the node may be there */
    weir_zk_queue_fn fn;
    void *user;
    char id[WEIR__ZK_ID_LEN + 1];
    size_t len;
    char data[];
} put;

static weir_err create(weir__zk_steps *s);
static weir_err search(weir__zk_steps *s);
static weir_err look_for_room(weir__zk_steps *s);

static put *of(weir__zk_steps *s)
{
    return WEIR_CONTAINER_OF(s, put, steps);
}

/** Nobody is told in here: what cannot begin now is taken later. */
static void create_in_order(weir_zk_queue *q)
{
    weir_list_each (node, next, &q->puts) {
        put *p = WEIR_CONTAINER_OF(node, put, node);
        if (p->created)
            continue;
        if (q->freed || !p->has_room || !weir__zk_halted(&p->steps))
            return;
        weir_err err = weir__zk_begin(&p->steps, create);
        if (err)
            weir__zk_take_later(&p->steps, create);
        if (err == WEIR_EFULL || err == WEIR_ENOMEM)
            return;
    }
}

static void end(put *p, weir_err err, const char *why)
{
    weir__zk_halt(&p->steps);
    weir_loop_cancel(p->queue->loop, &p->limit);
    weir_list_remove(&p->node);
    p->queue->put_count--;
    create_in_order(p->queue);
    p->fn(err, err ? why : "", p->user);
    free(p);
}

static void on_failed(weir__zk_steps *s, weir_err err, const char *why)
{
    put *p = of(s);
    if (err == WEIR_ECLOSED && weir_zk_get_state(s->zk) != WEIR_ZK_CLOSED)
        weir__zk_take_later(s, p->doubtful ? search : look_for_room);
    else
        end(p, err, why);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    put *p = user;
    end(p, WEIR_ETIMEDOUT,
        p->doubtful ? "no answer in the time allowed: it may have been put"
                    : "it was not put in the time allowed: ZooKeeper has not answered");
}

static void on_folder(const weir_zk_result *result, void *user)
{
    put *p = user;
    if (!weir__zk_answered(&p->steps, result, look_for_room))
        return;
    if (result->err)
        end(p, result->err, result->why);
    else
        weir__zk_take(&p->steps, look_for_room);
}

static weir_err make_folder(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s)->queue;
    return weir_zk_make_path(q->zk, &s->op, weir__zk_queue_path(q, path, "items", NULL),
                             q->opts.flags, on_folder, of(s));
}

static void on_searched(const weir_zk_result *result, void *user)
{
    put *p = user;
    if (!weir__zk_answered(&p->steps, result, search))
        return;
    if (weir__zk_standing_of(result->children, result->child_count, p->id).mine)
        end(p, WEIR_OK, "");
    else
        weir__zk_take(&p->steps, create);
}

static weir_err search(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s)->queue;
    return weir_zk_children(q->zk, &s->op, weir__zk_queue_path(q, path, "items", NULL), NULL,
                            on_searched, of(s));
}

static void on_created(const weir_zk_result *result, void *user)
{
    put *p = user;
    p->doubtful = result->err != WEIR_OK && result->err != WEIR_ENOENT;
    if (!weir__zk_answered(&p->steps, result, search))
        return;
    if (result->err == WEIR_ENOENT) {
        p->created = p->has_room = false;
        weir__zk_take(&p->steps, make_folder);
    } else {
        end(p, result->err, result->why);
    }
}

static weir_err create(weir__zk_steps *s)
{
    weir__zk_path path;
    char name[WEIR__ZK_NAME_MAX];
    put *p = of(s);
    weir_zk_queue *q = p->queue;
    snprintf(name, sizeof name, "%s-", p->id);
    weir_err err = weir_zk_create(q->zk, &s->op, weir__zk_queue_path(q, path, "items", name),
                                  weir_str_of(p->data, p->len), WEIR_ZK_SEQUENTIAL | q->opts.flags,
                                  on_created, p);
    p->created |= err == WEIR_OK;
    p->doubtful |= err == WEIR_OK;
    return err;
}

static void on_room(const weir_zk_result *result, void *user)
{
    put *p = user;
    if (!weir__zk_answered(&p->steps, result, look_for_room))
        return;
    if (result->err == WEIR_ENOENT) {
        weir__zk_take(&p->steps, make_folder);
    } else if ((size_t)result->stat.child_count >= p->queue->opts.length) {
        end(p, WEIR_EFULL, "the queue is as long as it may be: take something out first");
    } else {
        p->has_room = true;
        create_in_order(p->queue);
    }
}

static weir_err look_for_room(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s)->queue;
    return weir_zk_exists(q->zk, &s->op, weir__zk_queue_path(q, path, "items", NULL), NULL, on_room,
                          of(s));
}

/* The program's side. */

weir_err weir_zk_queue_put(weir_zk_queue *q, weir_str data, int64_t wait_us, weir_zk_queue_fn fn,
                           void *user)
{
    if (data.len > q->opts.item_bytes)
        return WEIR_EMSGSIZE;
    if (q->freed || q->put_count >= WEIR_ZK_QUEUE_WAITING)
        return q->freed ? WEIR_ECLOSED : WEIR_EFULL;
    put *p = calloc(1, sizeof *p + data.len);
    if (!p)
        return WEIR_ENOMEM;
    p->queue = q;
    p->steps.zk = q->zk;
    p->steps.failed = on_failed;
    p->fn = fn;
    p->user = user;
    p->len = data.len;
    if (data.len > 0)
        memcpy(p->data, data.ptr, data.len);
    weir__zk_id_make(p->id);
    weir_err err = weir__zk_begin(&p->steps, look_for_room);
    if (err) {
        free(p);
        return err;
    }
    q->put_count++;
    weir_list_append(&q->puts, &p->node);
    if (wait_us != WEIR_TIME_NEVER_US)
        weir_loop_after(q->loop, &p->limit, wait_us, on_limit, p);
    return WEIR_OK;
}

void weir__zk_queue_end_puts(weir_zk_queue *q)
{
    while (!weir_list_empty(&q->puts))
        end(WEIR_CONTAINER_OF(q->puts.next, put, node), WEIR_ECANCELED,
            "the queue was freed: it may have been put");
}

/* For another thread. */

typedef struct waiting {
    weir__zk_blocking head;
    weir_zk_queue *queue;
    weir_str data;
    weir_time deadline;
} waiting;

static void on_end(weir_err err, const char *why, void *user)
{
    weir__zk_blocking_end(user, err, why);
}

static void begin(weir__zk_blocking *b)
{
    waiting *w = WEIR_CONTAINER_OF(b, waiting, head);
    weir_err err = weir_zk_queue_put(w->queue, w->data, weir__zk_left_us(w->deadline), on_end, b);
    if (err)
        weir__zk_blocking_end(b, err, NULL);
}

weir_err weir_zk_queue_put_until(weir_zk_queue *q, weir_str data, weir_time deadline, weir_why *why)
{
    waiting w = {.queue = q, .data = data, .deadline = deadline};
    return weir__zk_blocking_run(&w.head, q->loop, begin, why);
}
