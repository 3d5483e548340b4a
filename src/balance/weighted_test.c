#include <weir/balance/balancer.h>

#include "balance_test.h"

static struct cluster weighted_cluster(const unsigned *weights, size_t count, uint64_t seed)
{
    const weir_balance_config config = {.policy = WEIR_BALANCE_WEIGHTED_ROUND_ROBIN};
    struct cluster c = cluster_of(count, &config);
    for (size_t i = 0; i < count; i++)
        c.endpoints[i].weight = weights[i];
    weir_balancer_free(c.balancer);
    assert_ok(weir_balancer_new(&c.balancer, &config, seed));
    cluster_set(&c, count);
    return c;
}

static unsigned sum_of(const unsigned *weights, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += weights[i];
    return sum;
}

/** The largest distance, in calls, between a backend and its exact share, after each call. */
static double worst_distance(struct cluster *c, const unsigned *weights, unsigned calls)
{
    double worst = 0, sum = sum_of(weights, c->count);
    for (unsigned n = 1; n <= calls; n++) {
        cluster_call(c);
        for (size_t i = 0; i < c->count; i++) {
            double off = c->picked[i] - n * (weights[i] / sum);
            worst = off > worst ? off : -off > worst ? -off : worst;
        }
    }
    return worst;
}

TEST(weighted, a_cycle_gives_each_its_weight_and_at_most_one_call_more_or_less)
{
    static const unsigned sets[][6] = {{5, 1, 1, 1, 1, 1}, {1, 2, 4, 8, 16, 32},
                                       {7, 7, 7, 3, 3, 1}, {100, 1, 1, 1, 1, 1},
                                       {3, 3, 3, 3, 3, 3}, {10000, 9999, 1, 2, 2, 5000}};
    for (size_t set = 0; set < sizeof sets / sizeof *sets; set++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct cluster c = weighted_cluster(sets[set], 6, seed);
            const unsigned sum = sum_of(sets[set], 6);
            for (unsigned cycle = 1; cycle <= 5; cycle++) {
                for (unsigned n = 0; n < sum; n++)
                    cluster_call(&c);
                for (int i = 0; i < 6; i++)
                    assert_in_range(c.picked[i], cycle * sets[set][i] - 1,
                                    cycle * sets[set][i] + 1);
            }
            cluster_free(&c);
        }
}

/** Weights of several kinds: small, wild, one that has half of all, powers of two. */
static unsigned weight_of(unsigned kind, unsigned index, uint64_t *random)
{
    switch (kind) {
    case 0:
        return 1 + weir_random_below(random, 10);
    case 1:
        return 1 + weir_random_below(random, 10000);
    case 2:
        return index ? index : 5000;
    default:
        return 1u << index % 14;
    }
}

TEST(weighted, nobody_is_ever_two_calls_away_from_its_share)
{
    uint64_t random = 3;
    double worst = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        unsigned weights[100], count = 2 + weir_random_below(&random, 99);
        for (unsigned i = 0; i < count; i++)
            weights[i] = weight_of(seed % 4, i, &random);
        struct cluster c = weighted_cluster(weights, count, seed);
        double distance = worst_distance(&c, weights, 3000);
        worst = distance > worst ? distance : worst;
        cluster_free(&c);
    }
    printf("weighted round robin: at most %.3f calls away from the exact share\n", worst);
    assert_true(worst < 2);
}

TEST(weighted, a_heavy_one_is_spread_among_the_light_ones)
{
    unsigned weights[101] = {100};
    for (int i = 1; i <= 100; i++)
        weights[i] = 1;
    struct cluster c = weighted_cluster(weights, 101, 1);
    unsigned run = 0, longest = 0;
    for (int n = 0; n < 1000; n++) {
        run = cluster_call(&c) == 0 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(c.picked[0], 499, 501);
    assert_in_range(longest, 1, 2);
    cluster_free(&c);
}

TEST(weighted, the_first_calls_of_many_clients_spread_by_weight)
{
    static const unsigned weights[] = {6, 3, 1};
    unsigned first[3] = {0};
    for (uint64_t seed = 0; seed < 10000; seed++) {
        struct cluster c = weighted_cluster(weights, 3, seed);
        first[cluster_call(&c)]++;
        cluster_free(&c);
    }
    assert_in_range(first[0], 5800, 6200);
    assert_in_range(first[1], 2800, 3200);
    assert_in_range(first[2], 850, 1150);
}

TEST(weighted, a_flapping_backend_does_not_favour_the_heaviest)
{
    static const unsigned weights[] = {6, 3, 1, 1};
    struct cluster c = weighted_cluster(weights, 4, 1);
    for (int n = 0; n < 10000; n++) {
        cluster_set(&c, n % 2 ? 3 : 4);
        cluster_call(&c);
    }
    assert_in_range(c.picked[0], 5400, 6200);
    assert_in_range(c.picked[1], 2600, 3200);
    assert_in_range(c.picked[2], 800, 1150);
    cluster_free(&c);
}

TEST(weighted, weights_without_bound_do_not_overflow)
{
    static const unsigned weights[] = {4294967295u, 4294967295u, 0};
    struct cluster c = weighted_cluster(weights, 3, 1);
    for (int n = 0; n < 1000; n++)
        cluster_call(&c);
    assert_in_range(c.picked[0], 499, 501);
    assert_in_range(c.picked[1], 499, 501);
    assert_in_range(c.picked[2], 0, 1);
    cluster_free(&c);
}
