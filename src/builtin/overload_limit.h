/**
 * @file
 * The adaptive limit: how many calls at a time keep their latency near what it is without load.
 * No clock, no threads: it is told of windows of samples, and of the time.
 *
 * Latency without load is measured now and then, with few calls at a time; between these
 * measurements the limit goes down as latency rises above that, and up by its square root where it
 * does not (as in Netflix's Gradient2 and Envoy's adaptive concurrency).
 */
#ifndef WEIR_BUILTIN_OVERLOAD_LIMIT_H
#define WEIR_BUILTIN_OVERLOAD_LIMIT_H

#include <weir/base/base.h>

/** All are set. */
typedef struct weir__overload_limit_opts {
    bool adaptive;     /**< else the limit is `max`, and only the service time is learned */
    double min, max;   /**< bounds of the limit; `min` is what it is during a measurement */
    double tolerance;  /**< 1.25: latency may be a quarter above that without load */
    int64_t window_us; /**< how long samples are gathered */
    int64_t probe_us;  /**< between two measurements */
} weir__overload_limit_opts;

typedef enum weir__overload_phase {
    WEIR__OVERLOAD_DRAINS,   /**< waits until no more than `min` calls run */
    WEIR__OVERLOAD_MEASURES, /**< latency without load */
    WEIR__OVERLOAD_LEARNS    /**< the limit */
} weir__overload_phase;

/** What was seen since `begin`. */
typedef struct weir__overload_window {
    weir_time begin;
    uint32_t count;     /**< calls that were served */
    double mean_us;     /**< from where they were let in */
    uint32_t peak;      /**< most calls at a time */
    uint32_t in_flight; /**< now */
} weir__overload_window;

typedef struct weir__overload_limit {
    weir__overload_limit_opts opts;
    weir__overload_phase phase;
    double limit;      /* while it learns */
    double no_load_us; /* 0: not known */
    double service_us; /* what calls take now; 0: not known */
    weir_time next_probe;
    unsigned steep; /* windows in a row in which latency was far above that without load */
} weir__overload_limit;

/** @param opts  copied */
void weir__overload_limit_init(weir__overload_limit *limit, const weir__overload_limit_opts *opts,
                               weir_time now);

/** How many calls may run now. */
uint32_t weir__overload_limit_now(const weir__overload_limit *limit);

/**
 * A window's time is over.
 * @param wait_us  out: until this is to be called again
 * @return whether a new window begins, in which only calls count that are let in from now on while
 *         `limit->phase` is not WEIR__OVERLOAD_LEARNS; false: this one goes on
 */
bool weir__overload_limit_window(weir__overload_limit *limit, const weir__overload_window *window,
                                 weir_time now, int64_t *wait_us);

#endif
