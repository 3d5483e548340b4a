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
    weir_list watchers; /* every one that is wanted */
    weir_list deferred;
    weir_mpsc_node *next_task; /* taken from `tasks` but not run yet */
    weir_time now;
    weir_loop_stats stats;
    weir_watcher wake;
    unsigned number;
    pid_t process; /* that made the poller */
    int ready_at;  /* being handled */
    int ready_count;
    weir__ready ready[WEIR__READY_MAX];
    weir_timers timers;

    /* any thread */
    const char *_Atomic owner; /* see this_thread; NULL: none yet */
    atomic_bool quitting;      /* after this turn */
    atomic_bool asleep;        /* or about to be: who queues a task must wake it */
    weir_mpsc tasks;
};

/** The calling thread is the owner from now on. */
weir_err weir__loop_own(weir_loop *loop);
/** Whoever comes next may own it. */
void weir__loop_disown(weir_loop *loop);

/** Gives `loop` a number and its slots. @errors WEIR_EFULL, WEIR_ENOMEM */
weir_err weir__loop_enrol(weir_loop *loop);
/** Takes them back, once nobody is inside. */
void weir__loop_expel(weir_loop *loop);

#endif
