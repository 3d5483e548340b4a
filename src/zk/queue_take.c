/* Taking: whoever is the first of the line claims the first item that nobody has. Claims are read
 * before items: an item that is finished in between is in neither list, and one that is given back
 * makes the watch on the claims fire. */
#include "blocking.h"
#include "queue_impl.h"
#include "wait.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct take {
    weir_list node;
    weir_zk_queue *queue;
    weir_timer limit;
    weir_zk_take_fn fn;
    void *user;
} take;

static weir_err list_claims(weir__zk_steps *s);
static weir_err list_items(weir__zk_steps *s);
static weir_err claim(weir__zk_steps *s);
static weir_err check_claim(weir__zk_steps *s);
static weir_err read_item(weir__zk_steps *s);

static weir_zk_queue *of(weir__zk_steps *s)
{
    return WEIR_CONTAINER_OF(s, weir_zk_queue, steps);
}

/* The line. */

static void stand_still(weir_zk_queue *q)
{
    weir__zk_halt(&q->steps);
    weir_zk_unwatch(&q->items_watch);
    weir_zk_unwatch(&q->claims_watch);
    free(q->claimed);
    q->claimed = NULL;
    q->claimed_count = 0;
    q->again = q->first = false;
}

static void leave_line(weir_zk_queue *q)
{
    stand_still(q);
    weir__zk_place_leave(q->place);
    q->place = NULL;
}

/** @param item  NULL after an error. The queue may be gone afterwards. */
static void end(take *t, weir_err err, weir_zk_item *item, const char *why)
{
    weir_loop_cancel(t->queue->loop, &t->limit);
    weir_list_remove(&t->node);
    t->queue->take_count--;
    t->fn(err, item, err ? why : "", t->user);
    free(t);
}

/** What the first take was doing is not wanted any more. */
static void give_up(weir_zk_queue *q)
{
    leave_line(q);
    if (q->claim.id[0] && weir_list_linked(&q->listener.node))
        weir__zk_claim_release(q, &q->claim, true);
    q->claim.id[0] = '\0';
}

static take *first_take(const weir_zk_queue *q)
{
    return WEIR_CONTAINER_OF(q->takes.next, take, node);
}

/** Those that are there now; their callbacks may begin others, or free the queue. */
static void end_all(weir_zk_queue *q, weir_err err, const char *why)
{
    q->busy++;
    for (size_t left = q->take_count; left > 0 && q->take_count > 0; left--)
        end(first_take(q), err, NULL, why);
    weir__zk_queue_leave(q);
}

static void fail(weir_zk_queue *q, weir_err err, const char *why)
{
    char copy[sizeof((weir_why *)0)->text];
    snprintf(copy, sizeof copy, "%s", why);
    give_up(q);
    end_all(q, err, copy);
}

static void on_failed(weir__zk_steps *s, weir_err err, const char *why)
{
    if (err != WEIR_ECLOSED || weir_zk_get_state(s->zk) == WEIR_ZK_CLOSED)
        fail(of(s), err, why);
}

static void on_first(void *user, int64_t fence WEIR_UNUSED)
{
    weir_zk_queue *q = user;
    q->first = true;
    weir__zk_take(&q->steps, list_claims);
}

static void on_gone(void *user)
{
    weir_zk_queue *q = user;
    if (q->claim.id[0])
        weir__zk_claim_release(q, &q->claim, true);
    q->claim.id[0] = '\0';
    stand_still(q);
}

static void on_unsure(void *user WEIR_UNUSED) {}

static void on_place_failed(void *user, weir_err err, const char *why)
{
    weir_zk_queue *q = user;
    q->place = NULL; /* it has left */
    fail(q, err, why);
}

static weir_err line_up(weir__zk_steps *s)
{
    static const weir__zk_place_ops ops = {.first = on_first,
                                           .gone = on_gone,
                                           .unsure = on_unsure,
                                           .sure = on_unsure,
                                           .failed = on_place_failed};
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    if (q->place)
        return WEIR_OK;
    return weir__zk_place_new(&q->place, q->zk, weir__zk_queue_path(q, path, "line", NULL), &ops, q,
                              &(weir__zk_place_opts){.flags = q->opts.flags});
}

void weir__zk_queue_take_lost(weir_zk_queue *q)
{
    stand_still(q); /* the place tells when it is the first again */
    q->claim.id[0] = '\0';
}

/* Looking. */

static void look(weir_zk_queue *q)
{
    if (!q->first)
        return;
    if (q->steps.op.request || q->claim.id[0])
        q->again = true;
    else
        weir__zk_take(&q->steps, list_claims);
}

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    if (event != WEIR_ZK_GONE)
        look(user);
}

static void on_folder(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, list_claims))
        return;
    if (result->err)
        fail(q, result->err, result->why);
    else
        weir__zk_take(&q->steps, list_claims);
}

static weir_err make_part(weir__zk_steps *s, const char *part)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    return weir_zk_make_path(q->zk, &s->op, weir__zk_queue_path(q, path, part, NULL), q->opts.flags,
                             on_folder, q);
}

static weir_err make_items(weir__zk_steps *s)
{
    return make_part(s, "items");
}

static weir_err make_claims(weir__zk_steps *s)
{
    return make_part(s, "claims");
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/** @return false: out of memory */
static bool keep_claims(weir_zk_queue *q, const weir_zk_result *result)
{
    free(q->claimed);
    q->claimed_count = 0;
    q->claimed = calloc(result->child_count + 1, sizeof *q->claimed);
    for (size_t i = 0; q->claimed && i < result->child_count; i++)
        snprintf(q->claimed[q->claimed_count++], sizeof *q->claimed, "%s", result->children[i]);
    if (q->claimed)
        qsort(q->claimed, q->claimed_count, sizeof *q->claimed, compare);
    return q->claimed != NULL;
}

static void on_claims(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, list_claims))
        return;
    if (result->err == WEIR_ENOENT)
        weir__zk_take(&q->steps, make_claims);
    else if (!keep_claims(q, result))
        weir__zk_take_later(&q->steps, list_claims);
    else
        weir__zk_take(&q->steps, list_items);
}

static weir_err list_claims(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    q->again = false;
    return weir_zk_children(q->zk, &s->op, weir__zk_queue_path(q, path, "claims", NULL),
                            &q->claims_watch, on_claims, q);
}

static bool is_claimed(const weir_zk_queue *q, const char *name)
{
    return bsearch(name, q->claimed, q->claimed_count, sizeof *q->claimed, compare) != NULL;
}

/** The first item that nobody has; NULL: there is none. */
static const char *choose(const weir_zk_queue *q, const weir_zk_result *result)
{
    const char *chosen = NULL;
    int32_t number, first = 0;
    for (size_t i = 0; i < result->child_count; i++) {
        const char *name = result->children[i];
        if (!weir__zk_sequence_of(name, &number) ||
            (chosen && !weir__zk_sequence_before(number, first)) || is_claimed(q, name))
            continue;
        chosen = name;
        first = number;
    }
    return chosen;
}

static void on_items(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, list_claims))
        return;
    const char *name = choose(q, result);
    if (result->err == WEIR_ENOENT) {
        weir__zk_take(&q->steps, make_items);
    } else if (name) {
        snprintf(q->claim.item, sizeof q->claim.item, "%s", name);
        weir__zk_id_make(q->claim.id);
        weir__zk_take(&q->steps, claim);
    } else if (q->again) {
        weir__zk_take(&q->steps, list_claims);
    }
}

static weir_err list_items(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    return weir_zk_children(q->zk, &s->op, weir__zk_queue_path(q, path, "items", NULL),
                            &q->items_watch, on_items, q);
}

/* Claiming. */

static void on_checked(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, check_claim))
        return;
    if (result->err == WEIR_OK && weir_str_eq(result->data, weir_str_from(q->claim.id))) {
        weir__zk_take(&q->steps, read_item);
        return;
    }
    q->claim.id[0] = '\0';
    weir__zk_take(&q->steps, list_claims);
}

/** Create's answer was lost, or somebody has a claim there: is it ours? */
static weir_err check_claim(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    return weir_zk_get(q->zk, &s->op, weir__zk_queue_path(q, path, "claims", q->claim.item), NULL,
                       on_checked, q);
}

static void on_claimed(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, check_claim))
        return;
    if (result->err == WEIR_OK) {
        weir__zk_take(&q->steps, read_item);
    } else if (result->err == WEIR_EEXIST) {
        weir__zk_take(&q->steps, check_claim);
    } else {
        q->claim.id[0] = '\0';
        weir__zk_take(&q->steps, make_claims);
    }
}

static weir_err claim(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    return weir_zk_create(q->zk, &s->op, weir__zk_queue_path(q, path, "claims", q->claim.item),
                          weir_str_from(q->claim.id), WEIR_ZK_EPHEMERAL | q->opts.flags, on_claimed,
                          q);
}

/** The next one in the line gets its turn, and the next take of ours lines up behind. */
static void deliver(weir_zk_queue *q, weir_zk_item *item)
{
    take *t = first_take(q);
    q->claim.id[0] = '\0';
    leave_line(q);
    if (q->take_count > 1 && line_up(&q->steps))
        weir__zk_take_later(&q->steps, line_up);
    end(t, WEIR_OK, item, "");
}

static void on_item(const weir_zk_result *result, void *user)
{
    weir_zk_queue *q = user;
    if (!weir__zk_answered(&q->steps, result, read_item))
        return;
    weir_zk_item *item = NULL;
    if (result->err == WEIR_OK && !(item = weir__zk_item_new(q, &q->claim, result->data))) {
        weir__zk_take_later(&q->steps, read_item);
        return;
    }
    if (item) {
        deliver(q, item);
        return;
    }
    weir__zk_claim_release(q, &q->claim, false); /* it is finished already */
    q->claim.id[0] = '\0';
    weir__zk_take(&q->steps, list_claims);
}

static weir_err read_item(weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s);
    return weir_zk_get(q->zk, &s->op, weir__zk_queue_path(q, path, "items", q->claim.item), NULL,
                       on_item, q);
}

/* The program's side. */

void weir__zk_queue_take_stop(weir_zk_queue *q)
{
    give_up(q);
    while (q->take_count > 0)
        end(first_take(q), WEIR_ECANCELED, NULL, "the queue was freed");
}

void weir__zk_queue_take_init(weir_zk_queue *q)
{
    q->steps.zk = q->zk;
    q->steps.failed = on_failed;
    weir_zk_watch_init(&q->items_watch, on_watch, q);
    weir_zk_watch_init(&q->claims_watch, on_watch, q);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    take *t = user;
    weir_zk_queue *q = t->queue;
    char why[sizeof((weir_why *)0)->text];
    if (weir_zk_get_state(q->zk) == WEIR_ZK_CONNECTED)
        snprintf(why, sizeof why, "no item was free in the time allowed");
    else
        snprintf(why, sizeof why, "not connected in the time allowed: %s", weir_zk_why(q->zk));
    if (q->take_count == 1)
        give_up(q);
    end(t, WEIR_ETIMEDOUT, NULL, why);
}

weir_err weir_zk_queue_take(weir_zk_queue *q, int64_t wait_us, weir_zk_take_fn fn, void *user)
{
    if (q->freed || q->take_count >= WEIR_ZK_QUEUE_WAITING)
        return q->freed ? WEIR_ECLOSED : WEIR_EFULL;
    take *t = calloc(1, sizeof *t);
    if (!t)
        return WEIR_ENOMEM;
    weir_err err = line_up(&q->steps);
    if (err) {
        free(t);
        return err;
    }
    t->queue = q;
    t->fn = fn;
    t->user = user;
    q->take_count++;
    weir_list_append(&q->takes, &t->node);
    if (wait_us != WEIR_TIME_NEVER_US)
        weir_loop_after(q->loop, &t->limit, wait_us, on_limit, t);
    return WEIR_OK;
}

/* For another thread. */

typedef struct waiting {
    weir__zk_blocking head;
    weir_zk_queue *queue;
    weir_zk_item *item;
    weir_time deadline;
} waiting;

static void on_taken(weir_err err, weir_zk_item *item, const char *why, void *user)
{
    waiting *w = user;
    w->item = item;
    weir__zk_blocking_end(&w->head, err, why);
}

static void begin(weir__zk_blocking *b)
{
    waiting *w = WEIR_CONTAINER_OF(b, waiting, head);
    weir_err err = weir_zk_queue_take(w->queue, weir__zk_left_us(w->deadline), on_taken, w);
    if (err)
        weir__zk_blocking_end(b, err, NULL);
}

weir_err weir_zk_queue_take_until(weir_zk_queue *q, weir_time deadline, weir_zk_item **out,
                                  weir_why *why)
{
    waiting w = {.queue = q, .deadline = deadline};
    weir_err err = weir__zk_blocking_run(&w.head, q->loop, begin, why);
    if (!err)
        *out = w.item;
    return err;
}
