/**
 * @file
 * A gate: so many calls inside at a time, others in a queue before it. Below the limit passing and
 * leaving is an atomic operation each; the lock is for the queue and for the end of a window.
 * Knows calls by their ids only, and no clock.
 */
#ifndef WEIR_BUILTIN_OVERLOAD_GATE_H
#define WEIR_BUILTIN_OVERLOAD_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <weir/rpc/interceptor.h>

#include "overload_limit.h"
#include "overload_queue.h"

/** All are set. */
typedef struct weir__overload_gate_opts {
    weir__overload_limit_opts limit;
    size_t queue; /**< waiting calls; 0: none */
    uint32_t lines;
    int64_t fifo_us; /**< see weir__overload_queue_init() */
    /** Tells a waiting call that its verdict has come: weir_call_proceed_post(). */
    weir_err (*wake)(weir_call_id id);
} weir__overload_gate_opts;

typedef struct weir__overload_gate {
    /* Any thread, atomic. Written for each call. */
    atomic_uint in_flight WEIR_ALIGNED(WEIR_CACHE_LINE);
    atomic_uint peak;     /* of this window */
    atomic_ullong served; /* of this window: count and sum of times, see overload_gate.c */

    /* Any thread, atomic. Written seldom. */
    atomic_uint limit WEIR_ALIGNED(WEIR_CACHE_LINE);
    atomic_uint waiting;
    atomic_llong look_us;  /* when the window is to be looked at */
    atomic_llong since_us; /* calls let in before do not count in this window */
    atomic_ullong refused; /* for want of room, or waited in vain */
    atomic_ullong late;    /* not run: their deadline was too near */
    bool timed;            /* before the start: whether anybody wants to know how long calls take */
    weir_err (*wake)(weir_call_id id);

    /* Under `lock`. */
    pthread_mutex_t lock;
    weir__overload_queue queue;
    weir__overload_limit learner;
    weir_time window_begin;
} weir__overload_gate;

/** @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__overload_gate_init(weir__overload_gate *gate,
                                                  const weir__overload_gate_opts *opts,
                                                  weir_time now);
void weir__overload_gate_fini(weir__overload_gate *gate);

/** Whether the call is in, at once; not while others wait. @thread any */
bool weir__overload_gate_enter(weir__overload_gate *gate);

/**
 * The call waits: wake(waiter->id) tells, perhaps before this returns, that there is a verdict.
 * @thread any
 */
void weir__overload_gate_wait(weir__overload_gate *gate, weir__overload_waiter *waiter,
                              uint32_t key, weir_time now);

/** The verdict; a call that still waits does not any more from now on. @thread any */
weir__overload_verdict weir__overload_gate_give_up(weir__overload_gate *gate,
                                                   weir__overload_waiter *waiter);
/** The verdict so far. @thread any */
weir__overload_verdict weir__overload_gate_verdict(weir__overload_gate *gate,
                                                   const weir__overload_waiter *waiter);

/**
 * A call that was in has ended; those that wait may go.
 * @param entered  when it began, if the time that it took tells how long calls take; else
 *                 weir_time_never()
 * @thread any
 */
void weir__overload_gate_leave(weir__overload_gate *gate, weir_time entered, weir_time now);

/** What the learner knows. @thread any */
void weir__overload_gate_learned(weir__overload_gate *gate, int64_t *no_load_us,
                                 int64_t *service_us);

#endif
