/* Unique ids: blocks leased from a counter in ZooKeeper. A lease is: read, then replace what was
 * read by what is left for others. What it took is ours only when ZooKeeper has said so; else it is
 * nobody's. */
#include <weir/zk/ids.h>

#include "blocking.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/zk/node.h>

enum {
    BLOCK = 10000,
    LATER_US = 50000, /* after a failure of the session's, and up to as much more */
    RACE_US = 2000    /* after another process was faster, likewise */
};

/** Numbers that are ours: next to end - 1. */
typedef struct block {
    int64_t next, end;
} block;

struct weir_zk_ids {
    pthread_mutex_t lock;
    /* under the lock */
    block current, spare;
    bool wanted; /* a lease is under way, or its task is posted */
    bool posted; /* it is */
    weir_err failed;
    weir_why why;

    weir_task task;
    /* loop */
    weir_zk *zk;
    weir_loop *loop;
    int holds; /* callbacks on the stack, and the end of the task */
    bool freed;
    uint32_t block;
    unsigned flags;
    int64_t low; /* the counter is never below */
    block lease; /* that ZooKeeper is asked for */
    weir_zk_op op;
    weir_timer later;
    weir_list waiting;
    weir_deferred serve;
    uint64_t random;
    char path[];
};

/* The numbers. */

static int64_t left(block b)
{
    return b.end - b.next;
}

/** Whether a lease is to begin now; it is noted as begun then. Under the lock. */
static bool wants_lease(weir_zk_ids *ids)
{
    if (ids->wanted || ids->failed || left(ids->spare) > 0 ||
        left(ids->current) > (int64_t)ids->block / 2)
        return false;
    ids->wanted = true;
    return true;
}

static weir_err take_id(weir_zk_ids *ids, int64_t *id, bool *lease)
{
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&ids->lock);
    if (left(ids->current) == 0) {
        ids->current = ids->spare;
        ids->spare = (block){0, 0};
    }
    if (left(ids->current) > 0)
        *id = ids->current.next++;
    else
        err = ids->failed ? ids->failed : WEIR_EAGAIN;
    *lease = wants_lease(ids);
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

/* The lease. */

static weir_err read_counter(weir_zk_ids *ids);

/** For good. */
static void fail(weir_zk_ids *ids, weir_err err, const char *why)
{
    pthread_mutex_lock(&ids->lock);
    weir_why_set(&ids->why, err, "%s", why);
    ids->failed = err;
    ids->wanted = false;
    pthread_mutex_unlock(&ids->lock);
    weir_loop_defer(ids->loop, &ids->serve);
}

static void on_later(weir_timer *timer, void *user);

static void later(weir_zk_ids *ids, uint32_t us)
{
    weir_loop_after(ids->loop, &ids->later, us + weir_random_below(&ids->random, us), on_later,
                    ids);
}

/** What a step has begun with. */
static void begun(weir_zk_ids *ids, weir_err err)
{
    if (err == WEIR_EFULL || err == WEIR_ENOMEM)
        later(ids, LATER_US);
    else if (err)
        fail(ids, err, weir_err_text(err));
}

static void on_later(weir_timer *timer WEIR_UNUSED, void *user)
{
    begun(user, read_counter(user));
}

static void on_failure(weir_zk_ids *ids, const weir_zk_result *result)
{
    switch (result->err) {
    case WEIR_ESTATE:
    case WEIR_EEXIST:
    case WEIR_ENOENT:
        later(ids, RACE_US);
        break;
    case WEIR_EIO:
    case WEIR_ETIMEDOUT:
    case WEIR_EAGAIN:
    case WEIR_ENOMEM:
    case WEIR_ECLOSED:
        later(ids, LATER_US);
        break;
    default:
        fail(ids, result->err, result->why);
    }
}

/** In order: numbers only grow, so what is left of one block is used up before the next. */
static void on_leased(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (result->err) {
        on_failure(ids, result);
        return;
    }
    ids->low = ids->lease.end;
    pthread_mutex_lock(&ids->lock);
    if (left(ids->current) == 0)
        ids->current = ids->lease;
    else
        ids->spare = ids->lease;
    ids->wanted = false;
    bool more = wants_lease(ids);
    pthread_mutex_unlock(&ids->lock);
    weir_loop_defer(ids->loop, &ids->serve);
    if (more)
        begun(ids, read_counter(ids));
}

/** Decimal digits from 1 on. @return 0: it is not */
static int64_t number_of(weir_str text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9 || number > (INT64_MAX - digit) / 10)
            return 0;
        number = number * 10 + digit;
    }
    return number;
}

static bool lease_from(weir_zk_ids *ids, int64_t first, char text[24])
{
    if (first > INT64_MAX - (int64_t)ids->block) {
        fail(ids, WEIR_EFULL, "there are no more ids: the counter is at its end");
        return false;
    }
    ids->lease = (block){first, first + (int64_t)ids->block};
    snprintf(text, 24, "%" PRId64, ids->lease.end);
    return true;
}

static void on_folder(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (result->err)
        on_failure(ids, result);
    else
        begun(ids, read_counter(ids));
}

static void on_made(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    if (result->err != WEIR_ENOENT) {
        on_leased(result, user);
        return;
    }
    char folder[WEIR_ZK_PATH_MAX + 1];
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(ids->path, '/') - ids->path), ids->path);
    begun(ids, weir_zk_make_path(ids->zk, &ids->op, folder, ids->flags, on_folder, ids));
}

/** There is no node: who makes it has the first block. */
static void make_counter(weir_zk_ids *ids)
{
    char text[24];
    if (ids->low > 1)
        fail(ids, WEIR_EPROTO, "the counter is gone: put it back with a number above all ids");
    else if (lease_from(ids, 1, text))
        begun(ids, weir_zk_create(ids->zk, &ids->op, ids->path, weir_str_from(text), ids->flags,
                                  on_made, ids));
}

static void on_counter(const weir_zk_result *result, void *user)
{
    weir_zk_ids *ids = user;
    char text[24], why[sizeof ids->why.text];
    if (result->err == WEIR_ENOENT) {
        make_counter(ids);
        return;
    }
    if (result->err) {
        on_failure(ids, result);
        return;
    }
    int64_t first = number_of(result->data);
    if (first >= ids->low) {
        ids->low = first;
    } else {
        snprintf(why, sizeof why,
                 "%.80s holds \"%.24s\", which is not a number from %" PRId64
                 " on: put one there that is above all ids",
                 ids->path, result->data.ptr, ids->low);
        fail(ids, WEIR_EPROTO, why);
        return;
    }
    if (lease_from(ids, first, text))
        begun(ids, weir_zk_set(ids->zk, &ids->op, ids->path, weir_str_from(text),
                               result->stat.version, on_leased, ids));
}

static weir_err read_counter(weir_zk_ids *ids)
{
    return weir_zk_get(ids->zk, &ids->op, ids->path, NULL, on_counter, ids);
}

static void on_wanted(weir_task *task, weir_err err)
{
    weir_zk_ids *ids = WEIR_CONTAINER_OF(task, weir_zk_ids, task);
    hold(ids);
    pthread_mutex_lock(&ids->lock);
    ids->posted = false;
    pthread_mutex_unlock(&ids->lock);
    if (!ids->freed && !err)
        begun(ids, read_counter(ids));
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
    ids->random = (uint64_t)weir_time_now().us ^ (uint64_t)(uintptr_t)ids;
    ids->wanted = true;
    weir_list_init(&ids->waiting);
    ids->serve.fn = on_serve;
    weir_err err = read_counter(ids);
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
    weir_zk_cancel(&ids->op);
    weir_loop_cancel(ids->loop, &ids->later);
    weir_loop_undefer(ids->loop, &ids->serve);
    while (!weir_list_empty(&ids->waiting))
        end_waiter(WEIR_CONTAINER_OF(ids->waiting.next, weir_zk_ids_waiter, node), WEIR_ECANCELED,
                   0, "the ids were freed");
    let_go(ids);
}
