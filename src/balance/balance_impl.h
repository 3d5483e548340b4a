/**
 * @file
 * What the files of the balance layer share. A policy is a weir_balancer_ops.
 */
#ifndef WEIR_BALANCE_IMPL_H
#define WEIR_BALANCE_IMPL_H

#include <weir/balance/balancer.h>
#include <weir/base/random.h>

/** Sums of so many weights fit wherever they are multiplied. */
#define WEIR__WEIGHT_MAX 1000000

extern const weir_balancer_ops weir__pick_first, weir__round_robin, weir__weighted,
    weir__least_outstanding, weir__p2c, weir__ring;

/**
 * Writes those in the zone, or all if there is none of it.
 * @param out  room for `count`
 * @return how many
 */
size_t weir__zone_filter(weir_backend **out, const char *zone, weir_backend *const *all,
                         size_t count);

/** 1 to WEIR__WEIGHT_MAX. */
static inline uint32_t weir__weight(const weir_backend *backend)
{
    unsigned weight = backend->endpoint->weight;
    return weight == 0 ? 1 : weight < WEIR__WEIGHT_MAX ? weight : WEIR__WEIGHT_MAX;
}

/** The index of the first one from `start` on that is not avoided; `start` if all are. */
static inline size_t weir__next_allowed(weir_backend *const *backends, size_t count, size_t start,
                                        const weir_pick *pick)
{
    size_t at = start;
    for (size_t tries = 0; tries <= pick->avoid_count && tries < count; tries++) {
        if (!weir_pick_avoids(pick, backends[at]))
            return at;
        at = at + 1 < count ? at + 1 : 0;
    }
    return start;
}

#endif
