/**
 * @file
 * Event loop: one per thread. It waits for descriptors, timers and tasks and runs their callbacks.
 *
 * A turn is: wait; descriptor events; due timers; tasks that were posted; then the end-of-turn work
 * (connections write what the turn produced, each in one system call).
 */
#ifndef WEIR_NET_LOOP_H
#define WEIR_NET_LOOP_H

#include <weir/base/base.h>
#include <weir/codec/compression.h>

WEIR_BEGIN_DECLS

typedef struct weir_loop weir_loop;

/** How a loop waits for descriptors. What a program sees is the same with each;
 * docs/decisions/0007-pollers.md has the figures. */
typedef enum weir_poller_kind {
    WEIR_POLLER_EPOLL,       /**< epoll; connections are edge-triggered, which saves the kernel a
                                  look at each of them in each turn */
    WEIR_POLLER_EPOLL_LEVEL, /**< epoll, level-triggered */
    WEIR_POLLER_POLL         /**< poll(2): each turn costs as much as there are descriptors */
} weir_poller_kind;

/** A zeroed field means the default written beside it. */
typedef struct weir_loop_opts {
    weir_poller_kind poller; /**< 0: WEIR_POLLER_EPOLL */
    weir_pool_opts pool;     /**< of the loop's block pool */
    const char *name;        /**< of the thread in weir_loop_thread; NULL: "weir-loop" */
} weir_loop_opts;

/** Counters since the start, read in the loop. */
typedef struct weir_loop_stats {
    uint64_t turns;
    uint64_t events; /**< descriptor events handled */
    uint64_t timers; /**< timers run */
    uint64_t tasks;  /**< tasks run */
    uint64_t wakes;  /**< times another thread had to wake it */
} weir_loop_stats;

/**
 * @param out   yours until weir_loop_free()
 * @param opts  copied; NULL is all defaults
 * @thread any; the thread that first runs it owns it
 * @errors WEIR_EMFILE, WEIR_ENOMEM; WEIR_EFULL: 1024 loops exist
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_new(weir_loop **out, const weir_loop_opts *opts);

/**
 * Tasks still queued run once with WEIR_ECANCELED, and connections that are left end with it.
 * Everything else on the loop must be closed.
 * @thread the owner, not while running
 */
WEIR_API void weir_loop_free(weir_loop *loop);

/** Runs until weir_loop_quit(). @thread the owner from now on */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_run(weir_loop *loop);

/**
 * One turn.
 * @param wait_us  longest wait; 0: none; negative: until something happens
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_run_once(weir_loop *loop, int64_t wait_us);

/** The running turn is the last one. @thread any */
WEIR_API void weir_loop_quit(weir_loop *loop);

/**
 * For a loop that a foreign loop drives: a descriptor that becomes readable when there is something
 * to do. Before each wait the foreign loop asks weir_loop_wait_us(), and after it, whatever ended
 * it, calls weir_loop_run_once(loop, 0). The descriptor is the loop's: do not read or close it.
 * @thread the owner
 * @errors WEIR_ENOTSUP: WEIR_POLLER_POLL has none
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_descriptor(const weir_loop *loop, int *fd);

/**
 * How long that wait may be: 0: not at all; negative: for ever. It may end before the next timer is
 * due, some few times for each (weir_timers_wait_us()). From here on a task that another thread
 * posts makes the descriptor readable.
 * @thread the owner
 */
WEIR_API int64_t weir_loop_wait_us(weir_loop *loop);

/** Whether the calling thread is the loop's owner; true while it has none. @thread any */
WEIR_API bool weir_loop_in_thread(const weir_loop *loop);

/** WEIR_BUG when called in another thread than the loop's; kept in release builds. */
#define weir_loop_assert(loop)                                                                     \
    do {                                                                                           \
        if (WEIR_UNLIKELY(!weir_loop_in_thread(loop)))                                             \
            WEIR_BUG("%s() was called outside its loop's thread; use a _post function or "         \
                     "weir_loop_post()",                                                           \
                     __func__);                                                                    \
    } while (0)

/** The monotonic time of this turn, read once after the wait. @thread the loop's */
WEIR_API weir_time weir_loop_now(const weir_loop *loop);

/** The loop's timers and blocks, for objects that live in it. @thread the loop's */
WEIR_API weir_timers *weir_loop_timers(weir_loop *loop);
WEIR_API weir_pool *weir_loop_pool(weir_loop *loop);
/** Contexts of compression libraries, shared by what lives in the loop; empty until they are used.
 * @thread the loop's */
WEIR_API weir_compressors *weir_loop_compressors(weir_loop *loop);
/** Ids of what lives in the loop: connections and calls. @thread any */
WEIR_API weir_slots *weir_loop_slots(weir_loop *loop);
/** @thread the loop's */
WEIR_API void weir_loop_get_stats(const weir_loop *loop, weir_loop_stats *out);

/* Timers of the loop's own thread: constant time, no memory. <weir/net/loop_timers.h> has those of
 * other threads, and periodic ones. */

/** weir_timers_add() on the loop's timers, `after_us` from now; 0: soon, in the next turn at the
 * latest. @thread the loop's */
WEIR_API void weir_loop_after(weir_loop *loop, weir_timer *timer, int64_t after_us,
                              weir_timer_fn fn, void *user);
/** At a point in time; a past one means the next turn. @thread the loop's */
WEIR_API void weir_loop_at(weir_loop *loop, weir_timer *timer, weir_time when, weir_timer_fn fn,
                           void *user);
/** @thread the loop's */
WEIR_API void weir_loop_cancel(weir_loop *loop, weir_timer *timer);

/* Tasks: work for the loop from anywhere. */

typedef struct weir_task weir_task;

/** Runs once in the loop: `err` is WEIR_OK, or WEIR_ECANCELED if the loop ended first. The task is
 * not queued any more and may be posted again or freed. */
typedef void (*weir_task_fn)(weir_task *task, weir_err err);

/** In the caller's object, which must live until it has run. */
struct weir_task {
    weir_mpsc_node node;
    weir_task_fn fn;
};

/**
 * Queues `task` to run `fn` in the loop, also when called there. Tasks of one thread run in its
 * order. Never fails; the loop is woken at most once for many tasks. Must not be queued already.
 * @thread any
 */
WEIR_API void weir_loop_post(weir_loop *loop, weir_task *task, weir_task_fn fn);

/** Runs `fn` now when called in the loop, else posts it. @thread any */
WEIR_API void weir_loop_run_in(weir_loop *loop, weir_task *task, weir_task_fn fn);

/* End-of-turn work. */

typedef struct weir_deferred weir_deferred;

/** In the caller's object; zeroed is valid and not queued. */
struct weir_deferred {
    weir_list node;
    void (*fn)(weir_deferred *work);
};

/** Runs `work->fn` once at the end of this turn; again is fine. @thread the loop's */
WEIR_API void weir_loop_defer(weir_loop *loop, weir_deferred *work);
/** @thread the loop's */
WEIR_API void weir_loop_undefer(weir_loop *loop, weir_deferred *work);

/* A loop's number, for ids that outlive it. */

/** Small, unique among living loops, at least 1. @thread any */
WEIR_API unsigned weir_loop_number(const weir_loop *loop);

/**
 * The living loop with that number, kept alive until weir_loop_leave(); NULL when there is none.
 * Keep it short: weir_loop_free() waits for it.
 * @thread any
 */
WEIR_API weir_loop *weir_loop_enter(unsigned number);
/** @thread any */
WEIR_API void weir_loop_leave(unsigned number);

/* A loop with a thread of its own. */

typedef struct weir_loop_thread weir_loop_thread;

/**
 * Starts a thread that runs a new loop.
 * @param out   yours until weir_loop_thread_stop()
 * @thread any
 * @errors as weir_loop_new(); WEIR_EAGAIN: no more threads
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_thread_start(weir_loop_thread **out,
                                                         const weir_loop_opts *opts);
WEIR_API weir_loop *weir_loop_thread_loop(weir_loop_thread *thread);
/** Quits the loop, joins the thread, frees both. NULL is fine. @thread any but its own */
WEIR_API void weir_loop_thread_stop(weir_loop_thread *thread);

WEIR_END_DECLS

#endif
