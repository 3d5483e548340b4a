/**
 * @file
 * A cluster for tests of balancers: backends with addresses, and a balancer that has them.
 */
#ifndef WEIR_BALANCE_TEST_H
#define WEIR_BALANCE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <weir/balance/balancer.h>

#include "test.h"

struct cluster {
    weir_balancer *balancer;
    size_t count;
    char (*addresses)[24];
    weir_endpoint *endpoints;
    weir_backend *backends;
    weir_backend **usable;
    unsigned *picked; /* calls of each */
    weir_time now;
    uint64_t random;
};

/** The index of a backend of the cluster. */
static inline size_t index_of(const struct cluster *c, const weir_backend *backend)
{
    return (size_t)(backend - c->backends);
}

static inline void cluster_set(struct cluster *c, size_t count)
{
    assert_ok(weir_balancer_set(c->balancer, c->usable, count));
}

/** The backends "10.0.x.y:80" with weight 1, all usable. */
static inline struct cluster cluster_of(size_t count, const weir_balance_config *config)
{
    struct cluster c = {.count = count, .now = {WEIR_SECONDS(1000)}, .random = 7};
    c.addresses = calloc(count + 1, sizeof *c.addresses);
    c.endpoints = calloc(count + 1, sizeof *c.endpoints);
    c.backends = calloc(count + 1, sizeof *c.backends);
    c.usable = calloc(count + 1, sizeof(weir_backend *));
    c.picked = calloc(count + 1, sizeof *c.picked);
    for (size_t i = 0; i < count; i++) {
        char *address = c.addresses[i];
        snprintf(address, sizeof *c.addresses, "10.0.%u.%u:80", (unsigned)(i / 256),
                 (unsigned)(i % 256));
        c.endpoints[i] = (weir_endpoint){.address = weir_str_from(address), .weight = 1};
        c.backends[i] = (weir_backend){.endpoint = &c.endpoints[i],
                                       .hash = weir_balance_hash(c.endpoints[i].address)};
        c.usable[i] = &c.backends[i];
    }
    assert_ok(weir_balancer_new(&c.balancer, config, 42));
    cluster_set(&c, count);
    return c;
}

static inline void cluster_free(struct cluster *c)
{
    weir_balancer_free(c->balancer);
    free(c->addresses);
    free(c->endpoints);
    free(c->backends);
    free(c->usable);
    free(c->picked);
}

/** A call begins. @return its backend's index */
static inline size_t cluster_begin(struct cluster *c)
{
    weir_backend *b = weir_balancer_pick(
        c->balancer, &(weir_pick){.now = c->now, .hash = weir_random_next(&c->random)});
    assert_non_null(b);
    b->outstanding++;
    c->picked[index_of(c, b)]++;
    return index_of(c, b);
}

static inline void cluster_end(struct cluster *c, size_t index, int64_t latency_us, bool failed)
{
    weir_backend *b = &c->backends[index];
    b->outstanding--;
    weir_balancer_done(c->balancer, b,
                       &(weir_outcome){.now = c->now, .latency_us = latency_us, .failed = failed});
}

/** A call that ends before the next one begins. */
static inline size_t cluster_call(struct cluster *c)
{
    size_t index = cluster_begin(c);
    cluster_end(c, index, 1000, false);
    return index;
}

#endif
