/**
 * @file
 * Timers of a loop beyond weir_loop_after(): periodic ones, and timers that any thread may set and
 * cancel by their ids.
 */
#ifndef WEIR_NET_LOOP_TIMERS_H
#define WEIR_NET_LOOP_TIMERS_H

#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

/* Periodic, in the caller's object. */

typedef struct weir_ticker weir_ticker;

/** The ticker may be stopped, or started anew, or its memory freed after a stop. */
typedef void (*weir_ticker_fn)(weir_ticker *ticker, void *user);

/** In the caller's object; zeroed is valid and not running. The fields are weir's own. */
struct weir_ticker {
    weir_timer timer;
    weir_loop *loop;
    int64_t period_us;
    weir_ticker_fn fn;
    void *user;
};

/**
 * `fn` runs every `period_us` from now on, until weir_ticker_stop(). Ticks keep their distance from
 * the first one, however long `fn` takes; those that a late loop has missed are left out. A period
 * below 1 ms, the timers' granularity, is 1 ms. Repeatable: begins anew.
 * @thread the loop's
 */
WEIR_API void weir_ticker_start(weir_ticker *ticker, weir_loop *loop, int64_t period_us,
                                weir_ticker_fn fn, void *user);
/** Repeatable, also within `fn`. @thread the loop's */
WEIR_API void weir_ticker_stop(weir_ticker *ticker);

/* From any thread. */

/** Names a timer for ever; {0} names none. */
typedef struct weir_timer_id {
    uint64_t value;
} weir_timer_id;

/** Runs in the loop: with WEIR_OK when the time has come, each time for a periodic one. With
 * WEIR_ECANCELED, once and last, when it was cancelled or the loop has ended: after the last call
 * `user` is not used any more. */
typedef void (*weir_timer_post_fn)(void *user, weir_err err);

/**
 * Sets a timer in the loop.
 * @param id    for weir_timer_cancel_post(); may be NULL
 * @param when  a past time means the next turn
 * @thread any; the loop must live until it returns
 * @errors WEIR_ENOMEM, WEIR_EFULL: 2^20 connections, calls and timers; `fn` does not run
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_at_post(weir_loop *loop, weir_timer_id *id,
                                                    weir_time when, weir_timer_post_fn fn,
                                                    void *user);
/** The same `after_us` from now. */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_after_post(weir_loop *loop, weir_timer_id *id,
                                                       int64_t after_us, weir_timer_post_fn fn,
                                                       void *user);
/** The same every `period_us`, first after one period, as a ticker does. */
WEIR_API WEIR_MUST_CHECK weir_err weir_loop_every_post(weir_loop *loop, weir_timer_id *id,
                                                       int64_t period_us, weir_timer_post_fn fn,
                                                       void *user);

/**
 * `fn` runs once more, in the loop, with WEIR_ECANCELED, and then never again; inside `fn` too. A
 * timer that has run, or was cancelled, is fine: nothing happens.
 * @thread any
 * @errors WEIR_ENOMEM
 */
WEIR_API weir_err weir_timer_cancel_post(weir_timer_id id);

WEIR_END_DECLS

#endif
