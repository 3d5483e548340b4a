/**
 * @file
 * The inside of a loop, for the layer's other files.
 */
#ifndef WEIR_NET_LOOP_IMPL_H
#define WEIR_NET_LOOP_IMPL_H

#include "poller.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <weir/net/loop.h>
#include <weir/net/watcher.h>

struct weir_loop {
    /* loop */
    weir__poller *poller;
    weir_pool *pool;
    weir_slots *slots;
    weir_compressors *compressors;
    weir_list watchers; /* every one that is wanted, but for those in `again` */
    weir_list again;    /* edge-triggered and not read to the end: next turn's */
    weir_list deferred;
    weir_mpsc_node *next_task; /* taken from `tasks` but not run yet */
    weir_time now;
    weir_loop_stats stats;
    weir_watcher wake;
    unsigned number;
    weir_poller_kind poller_kind;
    pid_t process; /* that made the poller */
    int ready_at;  /* being handled */
    int ready_count;
    weir__ready ready[WEIR__READY_MAX];
    weir_timers timers;
    weir_list posted_timers; /* see loop_timers.c */
    weir_list conns;
    void (*end_conns)(weir_loop *loop); /* conn.c\'s; NULL: there never was one */

    /* any thread */
    const char *_Atomic owner; /* see weir__this_thread; NULL: none yet */
    atomic_bool quitting;      /* after this turn */
    atomic_bool asleep;        /* or about to be: who queues a task must wake it */
    weir_mpsc tasks;
};

/** Its address tells threads apart, at less cost than the kernel's id. */
extern _Thread_local char weir__this_thread;

/** weir_loop_in_thread() without a call. */
static inline bool weir__loop_in_thread(const weir_loop *loop)
{
    const char *owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);
    return !owner || owner == &weir__this_thread;
}

/** weir_loop_assert() without a call. */
#define weir__loop_assert(loop)                                                                    \
    do {                                                                                           \
        if (WEIR_UNLIKELY(!weir__loop_in_thread(loop)))                                            \
            weir_loop_assert(loop);                                                                \
    } while (0)

/** Whether a watcher here may ask for edges. */
static inline bool weir__loop_has_edges(const weir_loop *loop)
{
    return loop->poller->edge;
}

/** An edge-triggered watcher is readable still: its callback comes again in the next turn. */
void weir__watcher_again(weir_watcher *watcher);

/** What other threads have timed runs with WEIR_ECANCELED. */
void weir__loop_cancel_posted_timers(weir_loop *loop);

/** The calling thread is the owner from now on. */
weir_err weir__loop_own(weir_loop *loop);
/** Whoever comes next may own it. */
void weir__loop_disown(weir_loop *loop);

/** Gives `loop` a number and its slots. @errors WEIR_EFULL, WEIR_ENOMEM */
weir_err weir__loop_enrol(weir_loop *loop);
/** Its number leads nowhere from now on, and nobody is inside. */
void weir__loop_unlist(weir_loop *loop);
/** Takes number and slots back. */
void weir__loop_expel(weir_loop *loop);

#endif
