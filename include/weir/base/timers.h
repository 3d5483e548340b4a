/**
 * @file
 * Timers without a clock: a hierarchical timing wheel that is told the time. A loop has one;
 * engines that do no I/O are handed it, and tests turn it by hand.
 *
 * Adding and cancelling take constant time and no memory, because the node is in the caller's
 * object. Granularity is 1 ms: a timer never runs early, and at most 1 ms late by the wheel itself.
 * @thread one at a time
 */
#ifndef WEIR_BASE_TIMERS_H
#define WEIR_BASE_TIMERS_H

#include <weir/base/attr.h>
#include <weir/base/list.h>
#include <weir/base/time.h>

WEIR_BEGIN_DECLS

typedef struct weir_timer weir_timer;

/** Runs when the time has come. The timer is not pending any more and may be added again or freed.
 */
typedef void (*weir_timer_fn)(weir_timer *timer, void *user);

/** In the caller's object; zeroed is valid and not pending. The fields are weir's own. */
struct weir_timer {
    weir_list node;
    weir_time when;
    weir_timer_fn fn;
    void *user;
    unsigned char level; /* of the wheel; WEIR__TIMER_LEVELS: in no slot */
    unsigned char slot;
};

#define WEIR__TIMER_LEVELS 6
#define WEIR__TIMER_SLOTS  64

/** The wheel; the fields are weir's own. */
typedef struct weir_timers {
    weir_time clock; /* what the owner has told last */
    weir_time now;   /* of the last advance */
    int64_t tick;    /* now in whole ticks */
    size_t pending;
    uint64_t busy[WEIR__TIMER_LEVELS]; /* a bit per slot that has timers */
    weir_list slots[WEIR__TIMER_LEVELS][WEIR__TIMER_SLOTS];
    weir_list due;   /* run at the next advance */
    weir_list far;   /* beyond the wheel's current turn of two years */
    weir_list never; /* WEIR_TIME_NEVER_US */
} weir_timers;

WEIR_API void weir_timers_init(weir_timers *timers, weir_time now);

/** What "now" means to everything that hangs on these timers: the time of the last
 * weir_timers_advance() or weir_timers_tell(). */
static inline weir_time weir_timers_now(const weir_timers *timers)
{
    return timers->clock;
}

/** The time, which does not go backwards; nothing runs yet. For an owner that does other work
 * before it advances the timers. */
static inline void weir_timers_tell(weir_timers *timers, weir_time now)
{
    if (weir_time_before(timers->clock, now))
        timers->clock = now;
}

/**
 * `fn(timer, user)` runs at the first weir_timers_advance() at or after `when`; a time in the past
 * means the next advance, WEIR_TIME_NEVER_US none. A pending timer is moved.
 */
WEIR_API void weir_timers_add(weir_timers *timers, weir_timer *timer, weir_time when,
                              weir_timer_fn fn, void *user);

/** It will not run. Nothing happens when it is not pending. */
WEIR_API void weir_timers_cancel(weir_timers *timers, weir_timer *timer);

static inline bool weir_timer_pending(const weir_timer *timer)
{
    return weir_list_linked(&timer->node);
}

/**
 * Sets the time, which does not go backwards, and runs what is due, in order of time to the tick.
 * Callbacks may add and cancel any timer; one that is added for a time already past runs at the
 * next advance.
 * @return how many ran
 */
WEIR_API size_t weir_timers_advance(weir_timers *timers, weir_time now);

/**
 * Microseconds from `now` until the next advance is of use, at least 0; -1: nothing will run. Of
 * use is also one that only brings timers nearer, when none is due: at most WEIR__TIMER_LEVELS such
 * for a timer within the wheel's turn, since the wait does not look into a slot for its earliest
 * timer.
 */
WEIR_API int64_t weir_timers_wait_us(const weir_timers *timers, weir_time now);

WEIR_END_DECLS

#endif
