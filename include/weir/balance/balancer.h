/**
 * @file
 * Balancer: chooses a backend for each call. It sees only backends that can take one, knows no
 * sockets and no clock but what it is handed, and is driven by one thread: a channel's loop.
 */
#ifndef WEIR_BALANCE_BALANCER_H
#define WEIR_BALANCE_BALANCER_H

#include <weir/naming/endpoint.h>
#include <weir/naming/service_config.h>

WEIR_BEGIN_DECLS

/** A backend, as balancers see it: a part of the channel's own. */
typedef struct weir_backend {
    const weir_endpoint *endpoint;
    uint64_t hash;        /**< of the address: weir_balance_hash() */
    unsigned outstanding; /**< calls that run there: kept by the channel */
    double cost;          /**< the balancer's own, zeroed at first: a peak-EWMA latency, a current
                               weight */
    weir_time cost_at;    /**< likewise */
} weir_backend;

/** What is known of a call when its backend is chosen. */
typedef struct weir_pick {
    weir_time now;
    uint64_t hash;              /**< of what places it, or random */
    weir_backend *const *avoid; /**< where it has failed before: chosen only if there is nothing
                                     else */
    size_t avoid_count;
} weir_pick;

/** How a call, or one attempt of it, ended at a backend. */
typedef struct weir_outcome {
    weir_time now;
    int64_t latency_us; /**< since it was picked */
    bool failed;        /**< for a reason that the backend has to answer for */
} weir_outcome;

typedef struct weir_balancer weir_balancer;

/**
 * @param out     yours: weir_balancer_free()
 * @param config  policy and its settings; copied, but for texts, which must outlive it
 * @param seed    of all that is random, so that tests can repeat it
 * @thread one at a time, as all functions here
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_balancer_new(weir_balancer **out,
                                                    const weir_balance_config *config,
                                                    uint64_t seed);
/** NULL is fine. @thread one at a time */
WEIR_API void weir_balancer_free(weir_balancer *balancer);

/**
 * The backends that can take calls from now on, in the order of the list. Called before the first
 * pick and after each change, so it may cost more than a pick.
 * @param usable  copied; the backends themselves live until the next call without them
 * @thread one at a time
 * @errors WEIR_ENOMEM: nothing is picked until a call succeeds
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_balancer_set(weir_balancer *balancer,
                                                    weir_backend *const *usable, size_t count);

/** @return NULL: there is none @thread one at a time */
WEIR_API weir_backend *weir_balancer_pick(weir_balancer *balancer, const weir_pick *pick);

/** A picked call has ended. @thread one at a time */
WEIR_API void weir_balancer_done(weir_balancer *balancer, weir_backend *backend,
                                 const weir_outcome *outcome);

/** The hash that places addresses and calls: the same in every process and version. @thread any */
WEIR_API uint64_t weir_balance_hash(weir_str bytes);

/**
 * Which `size` of `count` backends a client uses: rendezvous hashing by `client`, so that clients
 * spread evenly, a lost backend costs each client at most one connection, and a new one no more
 * than its share.
 * @param hashes  of the backends' addresses
 * @param chosen  one flag per backend, written
 * @thread any
 */
WEIR_API void weir_balance_subset(const uint64_t *hashes, size_t count, size_t size,
                                  uint64_t client, bool *chosen);

WEIR_END_DECLS

#endif
