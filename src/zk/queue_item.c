/* An item that was taken: it is done, or given back, or its session ends first. */
#include "blocking.h"
#include "queue_impl.h"
#include "wait.h"

#include <stdlib.h>

static weir_err delete (weir__zk_steps *s);

static weir_zk_item *of(weir__zk_steps *s)
{
    return WEIR_CONTAINER_OF(s, weir_zk_item, steps);
}

void weir__zk_item_end(weir_zk_item *item, weir_err err, const char *why)
{
    weir_zk_queue *q = item->queue;
    weir__zk_halt(&item->steps);
    weir_loop_cancel(q->loop, &item->limit);
    weir_list_remove(&item->node);
    if (!item->lost && weir_list_linked(&q->listener.node))
        weir__zk_claim_release(q, &item->claim, false);
    if (item->fn)
        item->fn(err, err ? why : "", item->user);
    free(item);
}

static void on_failed(weir__zk_steps *s, weir_err err, const char *why)
{
    if (err != WEIR_ECLOSED || weir_zk_get_state(s->zk) == WEIR_ZK_CLOSED)
        weir__zk_item_end(of(s), err, why);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_item_end(user, WEIR_ETIMEDOUT,
                      "no answer in the time allowed: another one may get the item again");
}

static void on_deleted(const weir_zk_result *result, void *user)
{
    weir_zk_item *item = user;
    if (!weir__zk_answered(&item->steps, result, delete))
        return;
    bool gone = result->err == WEIR_OK || result->err == WEIR_ENOENT;
    weir__zk_item_end(item, gone ? WEIR_OK : result->err, result->why);
}

/** As long as the session lives the claim stands, and nobody else has the item. */
static weir_err delete (weir__zk_steps *s)
{
    weir__zk_path path;
    weir_zk_queue *q = of(s)->queue;
    return weir_zk_delete(q->zk, &s->op, weir__zk_queue_path(q, path, "items", of(s)->claim.item),
                          WEIR_ZK_ANY_VERSION, on_deleted, of(s));
}

weir_zk_item *weir__zk_item_new(weir_zk_queue *q, const weir__zk_claim *claim, weir_str data)
{
    weir_zk_item *item = calloc(1, sizeof *item + data.len + 1);
    if (!item)
        return NULL;
    item->queue = q;
    item->steps.zk = q->zk;
    item->steps.failed = on_failed;
    item->claim = *claim;
    item->len = data.len;
    if (data.len > 0)
        memcpy(item->data, data.ptr, data.len);
    weir_list_append(&q->items, &item->node);
    return item;
}

weir_str weir_zk_item_data(const weir_zk_item *item)
{
    return weir_str_of(item->data, item->len);
}

uint64_t weir_zk_item_id(const weir_zk_item *item)
{
    return strtoull(item->claim.item, NULL, 16);
}

weir_err weir_zk_item_done(weir_zk_item *item, int64_t wait_us, weir_zk_queue_fn fn, void *user)
{
    weir_err err = item->lost ? WEIR_ECLOSED : weir__zk_begin(&item->steps, delete);
    if (err) {
        weir__zk_item_end(item, err, "");
        return err;
    }
    item->ending = true;
    item->fn = fn;
    item->user = user;
    if (wait_us != WEIR_TIME_NEVER_US)
        weir_loop_after(item->queue->loop, &item->limit, wait_us, on_limit, item);
    return WEIR_OK;
}

/* For another thread. */

typedef struct waiting {
    weir__zk_blocking head;
    weir_zk_item *item;
    weir_time deadline;
} waiting;

static void on_end(weir_err err, const char *why, void *user)
{
    weir__zk_blocking_end(user, err, why);
}

static void begin_done(weir__zk_blocking *b)
{
    waiting *w = WEIR_CONTAINER_OF(b, waiting, head);
    weir_err err = weir_zk_item_done(w->item, weir__zk_left_us(w->deadline), on_end, b);
    if (err)
        weir__zk_blocking_end(b, err, NULL);
}

weir_err weir_zk_item_done_until(weir_zk_item *item, weir_time deadline, weir_why *why)
{
    waiting w = {.item = item, .deadline = deadline};
    return weir__zk_blocking_run(&w.head, item->queue->loop, begin_done, why);
}

static void begin_giving_back(weir__zk_blocking *b)
{
    waiting *w = WEIR_CONTAINER_OF(b, waiting, head);
    weir__zk_item_end(w->item, WEIR_OK, "");
    weir__zk_blocking_end(b, WEIR_OK, NULL);
}

void weir_zk_item_give_back(weir_zk_item *item)
{
    waiting w = {.item = item};
    if (!item)
        return;
    if (weir_loop_in_thread(item->queue->loop))
        weir__zk_item_end(item, WEIR_OK, "");
    else
        (void)!weir__zk_blocking_run(&w.head, item->queue->loop, begin_giving_back, NULL);
}
