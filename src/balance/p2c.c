/* Power of two choices: of two random backends (by weight) the one where a call should take less
 * time, which is its latency times the calls that are there already. The latency is a peak EWMA:
 * up at once, down over decay_us, also while nothing is heard of it, so that a backend that was
 * slow gets another chance. */
#include "balance_impl.h"

#include <stdlib.h>

enum {
    DECAY_US = 10000000,
    PENALTY = 2,      /* a failure counts as so many times the backend's latency, */
    PENALTY_MAX = 32, /* but as no more than so many times the usual one */
    DRAWS = 3         /* to find a second one that is not the first */
};

#define PENALTY_MAX_US 60e6

struct p2c {
    weir_backend *const *backends;
    size_t count;
    uint64_t *sums; /* of the weights up to each; NULL: they are all equal */
    double mean;    /* weight */
    double decay_us;
    double usual; /* latency in microseconds, of successes everywhere; 0: none yet */
    weir_time usual_at;
    uint64_t random;
};

static weir_err init(void *state, const weir_balance_config *config, uint64_t seed)
{
    struct p2c *p = state;
    p->decay_us = config->decay_us > 0 ? (double)config->decay_us : DECAY_US;
    p->random = seed;
    return WEIR_OK;
}

static void fini(void *state)
{
    struct p2c *p = state;
    free(p->sums);
}

static bool weights_differ(weir_backend *const *backends, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (weir__weight(backends[i]) != weir__weight(backends[0]))
            return true;
    return false;
}

static weir_err set(void *state, weir_backend *const *backends, size_t count)
{
    struct p2c *p = state;
    uint64_t total = 0;
    free(p->sums);
    p->sums = NULL;
    p->count = 0;
    if (weights_differ(backends, count)) {
        p->sums = malloc(count * sizeof *p->sums);
        if (!p->sums)
            return WEIR_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        total += weir__weight(backends[i]);
        if (p->sums)
            p->sums[i] = total;
    }
    p->backends = backends;
    p->count = count;
    p->mean = count ? (double)total / (double)count : 1;
    return WEIR_OK;
}

/* Latencies. */

/** What is left of the past: about e to the power of -us / decay_us, and never less. */
static double left(const struct p2c *p, weir_time since, weir_time now)
{
    double x = (double)weir_time_diff(now, since) / p->decay_us;
    return x > 0 ? 1 / (1 + x * (1 + x * (0.5 + x / 6))) : 1;
}

static double latency_of(const struct p2c *p, const weir_backend *backend, weir_time now)
{
    if (backend->cost > 0)
        return backend->cost * left(p, backend->cost_at, now);
    return p->usual > 0 ? p->usual : 1;
}

/** How long a call would take there. */
static double score(const struct p2c *p, const weir_backend *backend, weir_time now)
{
    double queue = backend->outstanding * p->mean / weir__weight(backend);
    return latency_of(p, backend, now) * (1 + queue);
}

/* Picking. */

static size_t draw(struct p2c *p)
{
    size_t low = 0, high = p->count - 1;
    if (!p->sums)
        return weir_random_below(&p->random, (uint32_t)p->count);
    uint64_t at = (weir_random_next(&p->random) >> 40) * p->sums[high] >> 24;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->sums[middle] > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t draw_another(struct p2c *p, size_t first)
{
    for (int i = 0; i < DRAWS; i++) {
        size_t second = draw(p);
        if (second != first)
            return second;
    }
    return first + 1 < p->count ? first + 1 : 0;
}

static weir_backend *pick_one(void *state, const weir_pick *pick)
{
    struct p2c *p = state;
    size_t first = draw(p), second = draw_another(p, first);
    weir_backend *a = p->backends[weir__next_allowed(p->backends, p->count, first, pick)];
    weir_backend *b = p->backends[weir__next_allowed(p->backends, p->count, second, pick)];
    return score(p, b, pick->now) < score(p, a, pick->now) ? b : a;
}

/* Learning. */

static void learn(const struct p2c *p, double *value, weir_time *at, double seen, weir_time now)
{
    double old = left(p, *at, now);
    *value = *value > 0 ? *value * old + seen * (1 - old) : seen;
    *at = now;
}

/** Fast failures must not look like a fast backend. */
static double failed_latency(const struct p2c *p, const weir_backend *backend, double seen,
                             weir_time now)
{
    double known = latency_of(p, backend, now);
    double most = p->usual > 0 ? p->usual * PENALTY_MAX : PENALTY_MAX_US;
    double penalty = known * PENALTY < most ? known * PENALTY : most;
    if (seen < penalty)
        seen = penalty;
    return seen < known ? known : seen;
}

static void done(void *state, weir_backend *backend, const weir_outcome *outcome)
{
    struct p2c *p = state;
    double seen = outcome->latency_us > 1 ? (double)outcome->latency_us : 1;
    if (outcome->failed)
        seen = failed_latency(p, backend, seen, outcome->now);
    else
        learn(p, &p->usual, &p->usual_at, seen, outcome->now);
    if (seen < latency_of(p, backend, outcome->now) && backend->cost > 0) {
        learn(p, &backend->cost, &backend->cost_at, seen, outcome->now);
        return;
    }
    backend->cost = seen;
    backend->cost_at = outcome->now;
}

const weir_balancer_ops weir__p2c = {.name = "p2c",
                                     .bytes = sizeof(struct p2c),
                                     .init = init,
                                     .set = set,
                                     .pick = pick_one,
                                     .done = done,
                                     .fini = fini};
