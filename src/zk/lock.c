/* Exclusive locks: a place in a line, and who is told that it is the first. */
#include <weir/zk/lock.h>

#include "blocking.h"
#include "place.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct weir_zk_lock {
    weir_zk *zk;
    weir_loop *loop;
    const weir_zk_lock_ops *ops;
    void *user;
    weir__zk_place_opts place_opts;
    weir__zk_place *place; /* NULL: FREE */
    _Atomic int state;     /* of weir_zk_lock_state; written in the loop */
    _Atomic int64_t fence; /* the same */
    bool try;
    weir_timer limit; /* while it waits */
    weir_zk_lock_fn fn;
    void *fn_user;
    char *path; /* behind the struct, and the holder behind that */
};

static void set_state(weir_zk_lock *lock, weir_zk_lock_state state, int64_t fence)
{
    atomic_store(&lock->fence, fence);
    atomic_store(&lock->state, (int)state);
}

/** It is FREE, whatever it was. */
static void leave(weir_zk_lock *lock)
{
    weir__zk_place *place = lock->place;
    lock->place = NULL;
    set_state(lock, WEIR_ZK_LOCK_FREE, 0);
    weir_loop_cancel(lock->loop, &lock->limit);
    weir__zk_place_leave(place);
}

/** The last thing that is done: `fn` may free the lock. */
static void end_waiting(weir_zk_lock *lock, weir_err err, int64_t fence, const char *why)
{
    weir_zk_lock_fn fn = lock->fn;
    weir_loop_cancel(lock->loop, &lock->limit);
    lock->fn = NULL;
    fn(lock, &(weir_zk_lock_result){err, fence, why}, lock->fn_user);
}

static void give_up(weir_zk_lock *lock, weir_err err, const char *why)
{
    leave(lock);
    end_waiting(lock, err, 0, why);
}

/* What the place tells. */

static void on_listed(void *user, const char *leader WEIR_UNUSED, bool mine)
{
    weir_zk_lock *lock = user;
    if (lock->fn && lock->try && !mine)
        give_up(lock, WEIR_EAGAIN, "another one has the lock");
}

static void on_first(void *user, int64_t fence)
{
    weir_zk_lock *lock = user;
    set_state(lock, WEIR_ZK_LOCK_HELD, fence);
    end_waiting(lock, WEIR_OK, fence, "");
}

static void on_gone(void *user)
{
    weir_zk_lock *lock = user;
    leave(lock);
    if (lock->ops && lock->ops->lost)
        lock->ops->lost(lock, lock->user);
}

static void on_unsure(void *user)
{
    weir_zk_lock *lock = user;
    atomic_store(&lock->state, WEIR_ZK_LOCK_UNSURE);
    if (lock->ops && lock->ops->unsure)
        lock->ops->unsure(lock, lock->user);
}

static void on_sure(void *user)
{
    weir_zk_lock *lock = user;
    atomic_store(&lock->state, WEIR_ZK_LOCK_HELD);
    if (lock->ops && lock->ops->sure)
        lock->ops->sure(lock, lock->user);
}

static void on_failed(void *user, weir_err err, const char *why)
{
    weir_zk_lock *lock = user;
    if (lock->fn)
        give_up(lock, err, why);
    else
        on_gone(lock);
}

static const weir__zk_place_ops place_ops = {.listed = on_listed,
                                             .first = on_first,
                                             .gone = on_gone,
                                             .unsure = on_unsure,
                                             .sure = on_sure,
                                             .failed = on_failed};

/* What the user asks. */

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_zk_lock *lock = user;
    char why[sizeof((weir_why *)0)->text];
    if (weir_zk_get_state(lock->zk) == WEIR_ZK_CONNECTED)
        snprintf(why, sizeof why, "others have had the lock all the time allowed");
    else
        snprintf(why, sizeof why, "not connected in the time allowed: %.150s",
                 weir_zk_why(lock->zk));
    give_up(lock, WEIR_ETIMEDOUT, why);
}

static weir_err start(weir_zk_lock *lock, bool try, weir_time limit, weir_zk_lock_fn fn, void *user)
{
    if (lock->place)
        return WEIR_ESTATE;
    weir_err err =
        weir__zk_place_new(&lock->place, lock->zk, lock->path, &place_ops, lock, &lock->place_opts);
    if (err)
        return err;
    lock->try = try;
    lock->fn = fn;
    lock->fn_user = user;
    set_state(lock, WEIR_ZK_LOCK_WAITING, 0);
    weir_loop_at(lock->loop, &lock->limit, limit, on_limit, lock);
    return WEIR_OK;
}

weir_err weir_zk_lock_acquire(weir_zk_lock *lock, int64_t wait_us, weir_zk_lock_fn fn, void *user)
{
    weir_loop_assert(lock->loop);
    return start(lock, false, weir_time_add(weir_loop_now(lock->loop), wait_us), fn, user);
}

weir_err weir_zk_lock_try_acquire(weir_zk_lock *lock, int64_t wait_us, weir_zk_lock_fn fn,
                                  void *user)
{
    weir_loop_assert(lock->loop);
    return start(lock, true, weir_time_add(weir_loop_now(lock->loop), wait_us), fn, user);
}

void weir_zk_lock_cancel(weir_zk_lock *lock)
{
    weir_loop_assert(lock->loop);
    if (lock->fn)
        give_up(lock, WEIR_ECANCELED, "the acquisition was canceled");
}

weir_zk_lock_state weir_zk_lock_get_state(const weir_zk_lock *lock)
{
    return (weir_zk_lock_state)atomic_load(&lock->state);
}

int64_t weir_zk_lock_fence(const weir_zk_lock *lock)
{
    return atomic_load(&lock->fence);
}

/* From other threads. */

typedef struct lock_call {
    weir__zk_blocking blocking;
    weir_zk_lock *lock;
    bool try;
    weir_time deadline;
    int64_t fence;
} lock_call;

static weir_err release(weir_zk_lock *lock)
{
    if (!lock->place || lock->fn)
        return WEIR_ESTATE;
    leave(lock);
    return WEIR_OK;
}

static void begin_release(weir__zk_blocking *b)
{
    weir__zk_blocking_end(b, release(WEIR_CONTAINER_OF(b, lock_call, blocking)->lock), NULL);
}

weir_err weir_zk_lock_release(weir_zk_lock *lock)
{
    lock_call call = {.lock = lock};
    if (weir_loop_in_thread(lock->loop))
        return release(lock);
    return weir__zk_blocking_run(&call.blocking, lock->loop, begin_release, NULL);
}

static void on_ended(weir_zk_lock *lock WEIR_UNUSED, const weir_zk_lock_result *result, void *user)
{
    lock_call *call = user;
    call->fence = result->fence;
    weir__zk_blocking_end(&call->blocking, result->err, result->why);
}

static void begin_acquire(weir__zk_blocking *b)
{
    lock_call *call = WEIR_CONTAINER_OF(b, lock_call, blocking);
    weir_err err = start(call->lock, call->try, call->deadline, on_ended, call);
    if (err == WEIR_ESTATE)
        weir__zk_blocking_end(b, err,
                              "this object holds the lock, or waits for it: another holder "
                              "needs another object");
    else if (err)
        weir__zk_blocking_end(b, err, NULL);
}

static weir_err acquire_until(weir_zk_lock *lock, bool try, weir_time deadline, int64_t *fence,
                              weir_why *why)
{
    lock_call call = {.lock = lock, .try = try, .deadline = deadline};
    weir_err err = weir__zk_blocking_run(&call.blocking, lock->loop, begin_acquire, why);
    if (err == WEIR_OK && fence)
        *fence = call.fence;
    return err;
}

weir_err weir_zk_lock_acquire_until(weir_zk_lock *lock, weir_time deadline, int64_t *fence,
                                    weir_why *why)
{
    return acquire_until(lock, false, deadline, fence, why);
}

weir_err weir_zk_lock_try_acquire_until(weir_zk_lock *lock, weir_time deadline, int64_t *fence,
                                        weir_why *why)
{
    return acquire_until(lock, true, deadline, fence, why);
}

/* Its life. */

weir_err weir_zk_lock_new(weir_zk_lock **out, weir_zk *zk, const char *path,
                          const weir_zk_lock_ops *ops, void *user, const weir_zk_lock_opts *opts)
{
    static const weir_zk_lock_opts defaults;
    if (!opts)
        opts = &defaults;
    if (!weir__zk_place_path_fits(path))
        return WEIR_EINVAL;
    const char *holder = opts->holder ? opts->holder : "";
    size_t path_room = strlen(path) + 1, holder_room = strlen(holder) + 1;
    weir_zk_lock *lock = calloc(1, sizeof *lock + path_room + holder_room);
    if (!lock)
        return WEIR_ENOMEM;
    lock->zk = zk;
    lock->loop = weir_zk_loop(zk);
    lock->ops = ops;
    lock->user = user;
    lock->path = memcpy(lock + 1, path, path_room);
    lock->place_opts.data =
        weir_str_of(memcpy(lock->path + path_room, holder, holder_room), holder_room - 1);
    lock->place_opts.flags = opts->secured ? WEIR_ZK_READABLE : 0;
    lock->place_opts.unsure_us = opts->unsure_us;
    *out = lock;
    return WEIR_OK;
}

void weir_zk_lock_free(weir_zk_lock *lock)
{
    if (!lock)
        return;
    weir_zk_lock_cancel(lock);
    leave(lock);
    free(lock);
}
