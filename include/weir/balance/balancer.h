/**
 * @file
 * Balancer: chooses a backend for each call. It sees only backends that can take one, knows no
 * sockets and no clock but what it is handed, and is driven by one thread: a channel's loop.
 *
 * Picking and telling of an end allocate nothing. Around each policy of weir_balance_config is the
 * zone: with one, only backends of that zone are seen as long as at least one of them is usable;
 * otherwise all are. What the policies promise (docs/decisions/0015-balancing.md has figures):
 *
 * - PICK_FIRST: the first usable backend of the list, or of this client's own order (shuffle).
 * - ROUND_ROBIN: each once per round; goes on where it was when the list changes. Weights do not
 *   count in these two, but in all others.
 * - WEIGHTED_ROUND_ROBIN: at every moment within two calls of the exact share, without bursts.
 * - LEAST_OUTSTANDING: the fewest calls for its weight; equals take turns. With `choices` the best
 *   of so many random ones, at most 10. A slow backend still gets what it can hold: see P2C.
 * - P2C: of two random ones, drawn by weight, the one with less latency (peak EWMA) times calls.
 *   A failure counts as a long latency; a new backend begins with the usual one.
 * - CONSISTENT_HASH: the next place on a ring that is the same in every process, whatever the order
 *   of the list and the seed. It has ring_min places or a few more, but not more than ring_max (and
 *   that at most 8 Mi), except that each backend has one in any case.
 */
#ifndef WEIR_BALANCE_BALANCER_H
#define WEIR_BALANCE_BALANCER_H

#include <weir/naming/endpoint.h>
#include <weir/naming/service_config.h>

WEIR_BEGIN_DECLS

/** A backend, as balancers see it: a part of the channel's own, zeroed but for endpoint and hash.
 * One balancer at a time has it. */
typedef struct weir_backend {
    const weir_endpoint *endpoint;
    uint64_t hash;        /**< of the address: weir_balance_hash() */
    unsigned outstanding; /**< calls that run there: kept by the channel, which counts up after a
                               pick and down before weir_balancer_done() */
    uint32_t place;       /**< the balancer's: where it stands in the balancer's list */
    double cost;          /**< the policy's own: a latency in microseconds; 0: not known yet */
    weir_time cost_at;    /**< likewise */
} weir_backend;

/** What is known of a call when its backend is chosen. */
typedef struct weir_pick {
    weir_time now;
    uint64_t hash;              /**< of what places it, or random */
    weir_backend *const *avoid; /**< where it has failed before: chosen only if there is nothing
                                     else. Compared only, so they may be gone */
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
 * A policy: weir's own are written against this table, and so may be a program's. All functions
 * run in the thread that drives the balancer. `state` is `bytes` long and zeroed before init.
 */
typedef struct weir_balancer_ops {
    const char *name;
    size_t bytes;
    /** Copies of what it needs. Failing undoes what it did: fini does not follow.
     * NULL: nothing to do. */
    weir_err (*init)(void *state, const weir_balance_config *config, uint64_t seed);
    /** The backends from now on; the array lives until the next set or fini, and the `place` of
     * each is its index. After a failure neither array is good any more, and neither pick nor done
     * comes until a set succeeds. */
    weir_err (*set)(void *state, weir_backend *const *backends, size_t count);
    /** Comes only with at least one backend. @return one of them, never NULL; not one of
     * pick->avoid if there is another */
    weir_backend *(*pick)(void *state, const weir_pick *pick);
    /** A call has ended at a backend of the list. NULL: it is all the same. */
    void (*done)(void *state, weir_backend *backend, const weir_outcome *outcome);
    /** NULL: nothing to do. */
    void (*fini)(void *state);
} weir_balancer_ops;

/**
 * @param out     yours: weir_balancer_free()
 * @param config  policy and its settings; copied, but for texts, which must outlive it
 * @param seed    of all that is random, so that tests can repeat it; clients of a service need
 *                different ones, so that they do not all begin with the same backend
 * @thread one at a time, as all functions here
 * @errors WEIR_EINVAL: no such policy. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_balancer_new(weir_balancer **out,
                                                    const weir_balance_config *config,
                                                    uint64_t seed);

/**
 * The same with a policy of the program's own: config->policy is not looked at.
 * @param ops  borrowed for the balancer's life, so a static const
 * @thread one at a time
 * @errors WEIR_ENOMEM, and what ops->init returns
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_balancer_new_with(weir_balancer **out,
                                                         const weir_balancer_ops *ops,
                                                         const weir_balance_config *config,
                                                         uint64_t seed);
/** NULL is fine. @thread one at a time */
WEIR_API void weir_balancer_free(weir_balancer *balancer);

/**
 * The backends that can take calls from now on, in the order of the list. Called before the first
 * pick and after each change, so it may cost more than a pick: n log n, and for a ring as much for
 * each place on it.
 * @param usable  copied; a backend lives until a call without it has returned
 * @thread one at a time
 * @errors WEIR_EFULL: more than WEIR_ENDPOINTS_MAX. WEIR_ENOMEM. After either, and after an error
 *         of a program's own policy, nothing is picked until a call succeeds.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_balancer_set(weir_balancer *balancer,
                                                    weir_backend *const *usable, size_t count);

/** @return NULL: there is none @thread one at a time */
WEIR_API weir_backend *weir_balancer_pick(weir_balancer *balancer, const weir_pick *pick);

/**
 * A picked call has ended.
 * @param backend  may have left the list meanwhile, as long as it has not been freed
 * @thread one at a time
 */
WEIR_API void weir_balancer_done(weir_balancer *balancer, weir_backend *backend,
                                 const weir_outcome *outcome);

/** Whether a pick would rather not have that one. @thread any */
static inline bool weir_pick_avoids(const weir_pick *pick, const weir_backend *backend)
{
    for (size_t i = 0; i < pick->avoid_count; i++)
        if (pick->avoid[i] == backend)
            return true;
    return false;
}

/** The hash that places addresses and calls: the same in every process and version. Not made to
 * withstand somebody who looks for collisions. @thread any */
WEIR_API uint64_t weir_balance_hash(weir_str bytes);

/**
 * Which `size` of `count` backends a client uses: rendezvous hashing by `client`, so that clients
 * spread evenly, a lost backend costs each client at most one connection, and a new one no more
 * than its share. Weights do not count.
 * @param hashes  of the backends' addresses
 * @param client  random, or a hash of who it is: with the same one it is the same subset
 * @param chosen  one flag per backend, written
 * @thread any
 */
WEIR_API void weir_balance_subset(const uint64_t *hashes, size_t count, size_t size,
                                  uint64_t client, bool *chosen);

WEIR_END_DECLS

#endif
