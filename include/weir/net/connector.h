/**
 * @file
 * Connector: makes one connection to a target, again and again until it succeeds or is stopped.
 *
 * Each attempt looks the name up anew (lookup.h) and dials all its addresses (dialer.h). Delays
 * grow from `backoff_us` to `backoff_max_us` by `backoff_factor`, with +-20 % jitter; they begin
 * when an attempt has failed (grpc/doc/connection-backoff.md counts them from its start).
 */
#ifndef WEIR_NET_CONNECTOR_H
#define WEIR_NET_CONNECTOR_H

#include <weir/net/addr.h>
#include <weir/net/lookup.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

typedef struct weir_connector weir_connector;

typedef struct weir_connector_ops {
    /** Connected: `fd` is non-blocking and the callback's. The connector is idle until
     * weir_connector_start(). */
    void (*on_connected)(weir_connector *connector, int fd, void *user);
    /** An attempt failed, weir_connector_why() says how; the next one starts in `retry_us`. May be
     * NULL. */
    void (*on_failed)(weir_connector *connector, weir_err why, int64_t retry_us, void *user);
    /** An attempt begins, perhaps inside weir_connector_start(). May be NULL. */
    void (*on_attempt)(weir_connector *connector, void *user);
} weir_connector_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_connector_opts {
    int64_t timeout_us; /**< of one attempt, the lookup included, but at least what the delay after
                             it would be; 0: 20 s */
    int64_t backoff_us; /**< after the first failure; 0: 1 s */
    int64_t backoff_max_us;  /**< 0: 120 s */
    double backoff_factor;   /**< from a delay to the next, at least 1; 0: 2 */
    uint64_t seed;           /**< of the jitter; 0: taken from the clock */
    int64_t stagger_us;      /**< between addresses of one attempt; 0: 250 ms */
    weir_lookup_opts lookup; /**< of a name; its timeout_us is at most what the attempt has */
} weir_connector_opts;

/**
 * To one address.
 * @param ops   borrowed
 * @param opts  copied; NULL is all defaults
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_connector_new(weir_connector **out, weir_loop *loop,
                                                     const weir_addr *addr,
                                                     const weir_connector_ops *ops, void *user,
                                                     const weir_connector_opts *opts);

/**
 * To whatever weir_lookup_start() finds for `target`. One that it cannot read is an attempt that
 * fails with WEIR_EINVAL.
 * @param target  copied
 * @param ops     borrowed
 * @param opts    copied, the name servers too; NULL is all defaults
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_connector_new_name(weir_connector **out, weir_loop *loop,
                                                          const char *target,
                                                          const weir_connector_ops *ops, void *user,
                                                          const weir_connector_opts *opts);

/** Begins, after what is left of the current delay. Repeatable. @thread the loop's */
WEIR_API void weir_connector_start(weir_connector *connector);

/** A sentence about the last failure, with its address; "" before any. Good until the next one.
 * @thread the loop's */
WEIR_API const char *weir_connector_why(const weir_connector *connector);

/** The connection proved good: the next failure waits `backoff_us` again. @thread the loop's */
WEIR_API void weir_connector_reset(weir_connector *connector);

/**
 * The connection was no good after all: weir_connector_start() waits as after a failed attempt.
 * @return how long
 * @thread the loop's
 */
WEIR_API int64_t weir_connector_back_off(weir_connector *connector);

/** Drops a running attempt or delay. Repeatable. @thread the loop's */
WEIR_API void weir_connector_stop(weir_connector *connector);

/** Stops and frees. NULL is fine. @thread the loop's */
WEIR_API void weir_connector_free(weir_connector *connector);

WEIR_END_DECLS

#endif
