/* A queue's life, and what the end of a session does to it. */
#include "queue_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LENGTH = 1000,
    ITEM_BYTES = 65536
};

const char *weir__zk_queue_path(const weir_zk_queue *q, weir__zk_path out, const char *part,
                                const char *name)
{
    snprintf(out, sizeof(weir__zk_path), "%s/%s%s%s", q->folder, part, name ? "/" : "",
             name ? name : "");
    return out;
}

void weir__zk_queue_leave(weir_zk_queue *q)
{
    if (--q->busy == 0 && q->freed)
        free(q);
}

static weir_zk_item *next_to_lose(const weir_zk_queue *q)
{
    weir_list_each (node, following, &q->items) {
        weir_zk_item *item = WEIR_CONTAINER_OF(node, weir_zk_item, node);
        if (!item->lost)
            return item;
    }
    return NULL;
}

/** Whose claims are gone. Callbacks may end items, or free the queue. */
static void lose_items(weir_zk_queue *q, const char *why)
{
    weir_zk_item *item;
    q->busy++;
    while (!q->freed && (item = next_to_lose(q))) {
        item->lost = true;
        if (item->ending)
            weir__zk_item_end(item, WEIR_ECLOSED, why);
        else if (q->opts.lost)
            q->opts.lost(q, item, q->opts.user);
    }
    weir__zk_queue_leave(q);
}

static void on_state(weir_zk *zk WEIR_UNUSED, weir_zk_state state, void *user)
{
    weir_zk_queue *q = user;
    if (state == WEIR_ZK_LOST)
        weir__zk_queue_take_lost(q);
    if (state == WEIR_ZK_LOST || state == WEIR_ZK_CLOSED)
        lose_items(q, "the session has ended: another one may get the item again");
}

static weir_err check(const char *path, const weir_zk_queue_opts *opts)
{
    char folder[WEIR_ZK_PATH_MAX + 1]; /* "claims" is the longest of a queue's parts */
    if ((size_t)snprintf(folder, sizeof folder, "%s/claims", path) >= sizeof folder ||
        !weir__zk_place_path_fits(path) || !weir__zk_place_path_fits(folder))
        return WEIR_EINVAL;
    if (opts->length > WEIR_ZK_QUEUE_LENGTH || opts->item_bytes > WEIR_ZK_DATA_MAX)
        return WEIR_EINVAL;
    return WEIR_OK;
}

weir_err weir_zk_queue_new(weir_zk_queue **out, weir_zk *zk, const char *path,
                           const weir_zk_queue_opts *opts)
{
    static const weir_zk_queue_opts defaults;
    size_t room = strlen(path) + 1;
    if (!opts)
        opts = &defaults;
    weir_err err = check(path, opts);
    if (err)
        return err;
    weir_zk_queue *q = calloc(1, sizeof *q + room);
    if (!q)
        return WEIR_ENOMEM;
    q->zk = zk;
    q->loop = weir_zk_loop(zk);
    q->opts = *opts;
    if (q->opts.length == 0)
        q->opts.length = LENGTH;
    if (q->opts.item_bytes == 0)
        q->opts.item_bytes = ITEM_BYTES;
    memcpy(q->folder, path, room);
    weir_list_init(&q->puts);
    weir_list_init(&q->takes);
    weir_list_init(&q->items);
    weir__zk_queue_take_init(q);
    weir_zk_listen(zk, &q->listener, on_state, q);
    *out = q;
    return WEIR_OK;
}

void weir_zk_queue_free(weir_zk_queue *q)
{
    if (!q || q->freed)
        return;
    q->freed = true;
    q->busy++;
    weir__zk_queue_take_stop(q);
    weir__zk_queue_end_puts(q);
    while (!weir_list_empty(&q->items))
        weir__zk_item_end(WEIR_CONTAINER_OF(q->items.next, weir_zk_item, node), WEIR_ECANCELED,
                          "the queue was freed: another one may get the item again");
    weir_zk_unlisten(&q->listener);
    weir__zk_queue_leave(q);
}
