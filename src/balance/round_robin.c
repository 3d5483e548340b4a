/* One after the other, from a random one on. */
#include "balance_impl.h"

struct round_robin {
    weir_backend *const *backends;
    size_t count, next;
    uint64_t random;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct round_robin *r = state;
    (void)config;
    r->random = seed;
    return WEIR_OK;
}

/** Goes on where it was, so that a list that changes all the time does not favour its beginning. */
static size_t next_in(const struct round_robin *r, weir_backend *const *backends, size_t count)
{
    const weir_backend *due = r->backends[r->next];
    for (size_t i = 0; i < count; i++)
        if (backends[i] == due)
            return i;
    return r->next % count;
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct round_robin *r = state;
    if (count)
        r->next =
            r->count ? next_in(r, backends, count) : weir_random_below(&r->random, (uint32_t)count);
    r->backends = backends;
    r->count = count;
    return WEIR_OK;
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct round_robin *r = state;
    size_t at = weir__next_allowed(r->backends, r->count, r->next, pick);
    r->next = at + 1 < r->count ? at + 1 : 0;
    return r->backends[at];
}

const weir_balancer_ops weir__round_robin = {.name = "round_robin",
                                             .bytes = sizeof(struct round_robin),
                                             .init = init,
                                             .set = set,
                                             .pick = pick_one};
