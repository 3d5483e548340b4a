/* What is around each policy: the list of backends, and the zone. */
#include "balance_impl.h"

#include <stdalign.h>
#include <stdlib.h>

struct weir_balancer {
    const weir_balancer_ops *ops;
    const char *zone;
    weir_backend **backends;
    size_t count; /* 0 also when the policy could not take the last list */
    alignas(max_align_t) unsigned char state[];
};

static const weir_balancer_ops *ops_of(weir_balance_policy policy)
{
    switch (policy) {
    case WEIR_BALANCE_PICK_FIRST:
        return &weir__pick_first;
    case WEIR_BALANCE_ROUND_ROBIN:
        return &weir__round_robin;
    case WEIR_BALANCE_WEIGHTED_ROUND_ROBIN:
        return &weir__weighted;
    case WEIR_BALANCE_LEAST_OUTSTANDING:
        return &weir__least_outstanding;
    case WEIR_BALANCE_P2C:
        return &weir__p2c;
    case WEIR_BALANCE_CONSISTENT_HASH:
        return &weir__ring;
    }
    return NULL;
}

weir_err weir_balancer_new(weir_balancer **out, const weir_balance_config *config, uint64_t seed)
{
    const weir_balancer_ops *ops = ops_of(config->policy);
    return ops ? weir_balancer_new_with(out, ops, config, seed) : WEIR_EINVAL;
}

weir_err weir_balancer_new_with(weir_balancer **out, const weir_balancer_ops *ops,
                                const weir_balance_config *config, uint64_t seed)
{
    weir_balancer *b = calloc(1, sizeof *b + ops->bytes);
    if (!b)
        return WEIR_ENOMEM;
    b->ops = ops;
    b->zone = config->zone;
    weir_err err = ops->init ? ops->init(b->state, config, seed) : WEIR_OK;
    if (err) {
        free(b);
        return err;
    }
    *out = b;
    return WEIR_OK;
}

void weir_balancer_free(weir_balancer *balancer)
{
    if (!balancer)
        return;
    if (balancer->ops->fini)
        balancer->ops->fini(balancer->state);
    free(balancer->backends);
    free(balancer);
}

weir_err weir_balancer_set(weir_balancer *balancer, weir_backend *const *usable, size_t count)
{
    balancer->count = 0;
    if (count > WEIR_ENDPOINTS_MAX)
        return WEIR_EFULL;
    weir_backend **backends = malloc((count ? count : 1) * sizeof(weir_backend *));
    if (!backends)
        return WEIR_ENOMEM;
    count = weir__zone_filter(backends, balancer->zone, usable, count);
    for (size_t i = 0; i < count; i++)
        backends[i]->place = (uint32_t)i;
    weir_err err = balancer->ops->set(balancer->state, backends, count);
    free(balancer->backends);
    balancer->backends = backends;
    if (!err)
        balancer->count = count;
    return err;
}

weir_backend *weir_balancer_pick(weir_balancer *balancer, const weir_pick *pick)
{
    return balancer->count ? balancer->ops->pick(balancer->state, pick) : NULL;
}

void weir_balancer_done(weir_balancer *balancer, weir_backend *backend, const weir_outcome *outcome)
{
    if (balancer->ops->done && backend->place < balancer->count &&
        balancer->backends[backend->place] == backend)
        balancer->ops->done(balancer->state, backend, outcome);
}

/** FNV-1a, and a mix that makes all bits depend on all. */
uint64_t weir_balance_hash(weir_str bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(1099511628211);
    return weir_random_mix(hash);
}
