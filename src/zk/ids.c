/* Unique ids: numbers out of two blocks, and those who wait for them. */
#include "blocking.h"
#include "ids_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 10000
};

/* The numbers. */

static weir_err take_id(weir_zk_ids *ids, int64_t *id, bool *lease)
{
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&ids->lock);
    if (weir__ids_left(ids->current) == 0) {
        ids->current = ids->spare;
        ids->spare = (weir__ids_block){0, 0};
    }
    if (weir__ids_left(ids->current) > 0)
        *id = ids->current.next++;
    else
        err = ids->failed ? ids->failed : WEIR_EAGAIN;
    *lease = weir__ids_wants_lease(ids);
    ids->posted = ids->posted || *lease;
    pthread_mutex_unlock(&ids->lock);
    return err;
}

static void on_wanted(weir_task *task, weir_err err);

weir_err weir_zk_ids_next(weir_zk_ids *ids, int64_t *id)
{
    bool lease;
    weir_err err = take_id(ids, id, &lease);
    if (lease)
        weir_loop_post(ids->loop, &ids->task, on_wanted);
    return err;
}

/* Who waits. */

static void hold(weir_zk_ids *ids)
{
    ids->holds++;
}

/** The memory of what was freed goes with the last hold, or the posted task. */
static void let_go(weir_zk_ids *ids)
{
    if (--ids->holds > 0 || !ids->freed || ids->posted)
        return;
    pthread_mutex_destroy(&ids->lock);
    free(ids);
}

static void end_waiter(weir_zk_ids_waiter *waiter, weir_err err, int64_t id, const char *why)
{
    weir_list_remove(&waiter->node);
    weir_loop_cancel(waiter->ids->loop, &waiter->limit);
    waiter->fn(waiter, err, id, why, waiter->user);
}

/** Gives them what there is, in their order. */
static void on_serve(weir_deferred *work)
{
    weir_zk_ids *ids = WEIR_CONTAINER_OF(work, weir_zk_ids, serve);
    hold(ids);
    while (!ids->freed && !weir_list_empty(&ids->waiting)) {
        int64_t id = 0;
        weir_err err = weir_zk_ids_next(ids, &id);
        if (err == WEIR_EAGAIN)
            break;
        end_waiter(WEIR_CONTAINER_OF(ids->waiting.next, weir_zk_ids_waiter, node), err, id,
                   err ? ids->why.text : "");
    }
    let_go(ids);
}

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_zk_ids_waiter *waiter = user;
    weir_zk *zk = waiter->ids->zk;
    char why[sizeof((weir_why *)0)->text];
    if (weir_zk_get_state(zk) == WEIR_ZK_CONNECTED)
        snprintf(why, sizeof why, "ZooKeeper has not leased ids in the time allowed");
    else
        snprintf(why, sizeof why, "no ids are left, and not connected in the time allowed: %.120s",
                 weir_zk_why(zk));
    end_waiter(waiter, WEIR_ETIMEDOUT, 0, why);
}

static void wait_until(weir_zk_ids *ids, weir_zk_ids_waiter *waiter, weir_time limit,
                       weir_zk_ids_fn fn, void *user)
{
    weir_loop_assert(ids->loop);
    waiter->ids = ids;
    waiter->fn = fn;
    waiter->user = user;
    weir_list_append(&ids->waiting, &waiter->node);
    weir_loop_at(ids->loop, &waiter->limit, limit, on_limit, waiter);
    weir_loop_defer(ids->loop, &ids->serve);
}

void weir_zk_ids_wait(weir_zk_ids *ids, weir_zk_ids_waiter *waiter, int64_t wait_us,
                      weir_zk_ids_fn fn, void *user)
{
    wait_until(ids, waiter, weir_time_add(weir_loop_now(ids->loop), wait_us), fn, user);
}

void weir_zk_ids_cancel(weir_zk_ids_waiter *waiter)
{
    if (!weir_list_linked(&waiter->node))
        return;
    weir_list_remove(&waiter->node);
    weir_loop_cancel(waiter->ids->loop, &waiter->limit);
}

static void on_wanted(weir_task *task, weir_err err)
{
    weir_zk_ids *ids = WEIR_CONTAINER_OF(task, weir_zk_ids, task);
    hold(ids);
    pthread_mutex_lock(&ids->lock);
    ids->posted = false;
    pthread_mutex_unlock(&ids->lock);
    if (!ids->freed && !err)
        weir__ids_lease(ids);
    let_go(ids);
}

/* For a thread that waits. */

typedef struct next_call {
    weir__zk_blocking blocking;
    weir_zk_ids_waiter waiter;
    weir_zk_ids *ids;
    weir_time deadline;
    int64_t id;
} next_call;

static void on_next(weir_zk_ids_waiter *waiter WEIR_UNUSED, weir_err err, int64_t id,
                    const char *why, void *user)
{
    next_call *call = user;
    call->id = id;
    weir__zk_blocking_end(&call->blocking, err, why);
}

static void begin_next(weir__zk_blocking *b)
{
    next_call *call = WEIR_CONTAINER_OF(b, next_call, blocking);
    wait_until(call->ids, &call->waiter, call->deadline, on_next, call);
}

weir_err weir_zk_ids_next_until(weir_zk_ids *ids, weir_time deadline, int64_t *id, weir_why *why)
{
    if (weir_zk_ids_next(ids, id) == WEIR_OK)
        return WEIR_OK;
    next_call call = {.ids = ids, .deadline = deadline};
    weir_err err = weir__zk_blocking_run(&call.blocking, ids->loop, begin_next, why);
    if (err == WEIR_OK)
        *id = call.id;
    return err;
}

/* Its life. */

weir_err weir_zk_ids_new(weir_zk_ids **out, weir_zk *zk, const char *path,
                         const weir_zk_ids_opts *opts)
{
    static const weir_zk_ids_opts defaults;
    if (!opts)
        opts = &defaults;
    size_t len = strlen(path);
    if (path[0] != '/' || len < 2 || path[len - 1] == '/' || len > WEIR_ZK_PATH_MAX)
        return WEIR_EINVAL;
    weir_zk_ids *ids = calloc(1, sizeof *ids + len + 1);
    if (!ids)
        return WEIR_ENOMEM;
    memcpy(ids->path, path, len + 1);
    ids->zk = zk;
    ids->loop = weir_zk_loop(zk);
    ids->block = opts->block ? opts->block : BLOCK;
    ids->flags = opts->secured ? WEIR_ZK_READABLE : 0;
    ids->low = 1;
    ids->wanted = true;
    weir_list_init(&ids->waiting);
    ids->serve.fn = on_serve;
    weir_err err = weir__ids_begin(ids);
    if (err) {
        free(ids);
        return err;
    }
    pthread_mutex_init(&ids->lock, NULL);
    *out = ids;
    return WEIR_OK;
}

void weir_zk_ids_free(weir_zk_ids *ids)
{
    if (!ids)
        return;
    weir_loop_assert(ids->loop);
    hold(ids);
    ids->freed = true;
    weir__zk_halt(&ids->steps);
    weir_loop_undefer(ids->loop, &ids->serve);
    while (!weir_list_empty(&ids->waiting))
        end_waiter(WEIR_CONTAINER_OF(ids->waiting.next, weir_zk_ids_waiter, node), WEIR_ECANCELED,
                   0, "the ids were freed");
    let_go(ids);
}
