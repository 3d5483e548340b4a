/**
 * @file
 * Outlier ejection (gRFC A50) and circuit breakers: which backends are left out for a while because
 * of how calls ended there. Driven by one thread; the clock is handed in.
 */
#ifndef WEIR_BALANCE_OUTLIER_H
#define WEIR_BALANCE_OUTLIER_H

#include <weir/balance/balancer.h>

WEIR_BEGIN_DECLS

/** Of one backend. Zeroed is valid. */
typedef struct weir_outlier {
    uint64_t good, bad; /**< calls of the running interval */
    unsigned ejections; /**< multiplies the time; goes down while it stays in */
    bool ejected;
    weir_time ejected_at;
} weir_outlier;

/** A call has ended. @thread one at a time */
WEIR_API void weir_outlier_count(weir_outlier *outlier, bool failed);

/**
 * The end of an interval: ejects and brings back, and begins to count anew. The caller calls it
 * every config->interval_us.
 *
 * One backend may be ejected however few there are; more only as far as max_ejection_percent
 * reaches, which is a bit stricter than A50, where the last one may cross the line. A config that
 * is not enabled, or without an algorithm, brings all back.
 * @param all   every backend of the list
 * @param random  draws for the enforcement percentages: its state, any seed at first
 * @return whether `ejected` of any has changed
 * @thread one at a time
 */
WEIR_API bool weir_outlier_sweep(weir_outlier *const *all, size_t count,
                                 const weir_outlier_config *config, weir_time now,
                                 uint64_t *random);

/** A circuit breaker of one backend: closed, open for a time, half open for one call. Zeroed is
 * closed. max_outstanding of its config is the caller's to keep. */
typedef struct weir_breaker {
    unsigned failures; /**< in a row */
    unsigned openings; /**< in a row: doubles the time */
    bool open;
    bool trying;     /**< half open: one call is under way */
    weir_time until; /**< open until then */
} weir_breaker;

/** Whether a call may be made; true takes the one place of a half-open one, which
 * weir_breaker_done() or weir_breaker_give_back() must free. @thread one at a time */
WEIR_API bool weir_breaker_try(weir_breaker *breaker, weir_time now);
/** Whether weir_breaker_try() would say true. @thread one at a time */
WEIR_API bool weir_breaker_allows(const weir_breaker *breaker, weir_time now);
/** The call that weir_breaker_try() allowed has told nothing of the backend: it was not made, or
 * the caller cancelled it. Another one may try. @thread one at a time */
WEIR_API void weir_breaker_give_back(weir_breaker *breaker);
/**
 * A call has ended. Those that began before it opened do not count while it is open; once a
 * half-open one tries they cannot be told apart, and do.
 * @return whether it has opened, again or at last, or closed
 * @thread one at a time
 */
WEIR_API bool weir_breaker_done(weir_breaker *breaker, const weir_breaker_config *config,
                                bool failed, weir_time now);

WEIR_END_DECLS

#endif
