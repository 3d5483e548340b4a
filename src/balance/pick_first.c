/* All calls to the first backend; with `shuffle` to one that is first in this client's own order.
 */
#include "balance_impl.h"

struct pick_first {
    weir_backend *const *backends;
    size_t count, first;
    bool shuffle;
    uint64_t seed;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct pick_first *p = state;
    p->shuffle = config->shuffle;
    p->seed = weir_random_mix(seed);
    return WEIR_OK;
}

/** By rendezvous, so that a change of others does not move this client. */
static size_t shuffled_first(const struct pick_first *p)
{
    size_t first = 0;
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < p->count; i++) {
        uint64_t order = weir_random_mix(p->backends[i]->hash ^ p->seed);
        if (order < least) {
            least = order;
            first = i;
        }
    }
    return first;
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct pick_first *p = state;
    p->backends = backends;
    p->count = count;
    p->first = p->shuffle ? shuffled_first(p) : 0;
    return WEIR_OK;
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct pick_first *p = state;
    return p->backends[weir__next_allowed(p->backends, p->count, p->first, pick)];
}

const weir_balancer_ops weir__pick_first = {.name = "pick_first",
                                            .bytes = sizeof(struct pick_first),
                                            .init = init,
                                            .set = set,
                                            .pick = pick_one};
