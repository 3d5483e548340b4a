#include <weir/balance/balancer.h>

#include "balance_test.h"

static const weir_balance_config p2c = {.policy = WEIR_BALANCE_P2C};

/** Calls, each of which takes that long at its backend while nothing else runs. */
static void call_each(struct cluster *c, unsigned calls, const int64_t *latency_us)
{
    for (unsigned n = 0; n < calls; n++) {
        size_t index = cluster_begin(c);
        c->now = weir_time_add(c->now, latency_us[index]);
        cluster_end(c, index, latency_us[index], false);
    }
}

static void forget_counts(struct cluster *c)
{
    for (size_t i = 0; i < c->count; i++)
        c->picked[i] = 0;
}

TEST(p2c, equals_get_equal_shares)
{
    struct cluster c = cluster_of(10, &p2c);
    for (int n = 0; n < 10000; n++)
        cluster_call(&c);
    for (int i = 0; i < 10; i++)
        assert_in_range(c.picked[i], 880, 1120); /* 1000 +- 4 standard deviations */
    cluster_free(&c);
}

TEST(p2c, weights_of_1_2_and_4_get_their_shares_within_5_percent)
{
    struct cluster c = cluster_of(3, &p2c);
    for (int i = 0; i < 3; i++)
        c.endpoints[i].weight = 1u << i;
    cluster_set(&c, 3);
    for (int n = 0; n < 70000; n++)
        cluster_call(&c);
    for (int i = 0; i < 3; i++)
        assert_in_range(c.picked[i], (10000u << i) * 95 / 100, (10000u << i) * 105 / 100);
    cluster_free(&c);
}

TEST(p2c, calls_in_flight_follow_the_weights)
{
    struct cluster c = cluster_of(3, &p2c);
    for (int i = 0; i < 3; i++)
        c.endpoints[i].weight = 1u << i;
    cluster_set(&c, 3);
    for (int n = 0; n < 7000; n++)
        cluster_begin(&c);
    for (int i = 0; i < 3; i++)
        assert_in_range(c.picked[i], (1000u << i) * 95 / 100, (1000u << i) * 105 / 100);
    cluster_free(&c);
}

TEST(p2c, a_slow_one_gets_little)
{
    static const int64_t latency_us[] = {1000, 1000, 10000, 1000, 1000};
    struct cluster c = cluster_of(5, &p2c);
    call_each(&c, 10000, latency_us);
    assert_in_range(c.picked[2], 1, 100);
    cluster_free(&c);
}

TEST(p2c, one_that_was_slow_gets_its_share_again_after_a_while)
{
    static const int64_t slow_us[] = {1000, 1000, 10000, 1000, 1000},
                         healthy_us[] = {1000, 1000, 1000, 1000, 1000};
    struct cluster c = cluster_of(5, &p2c);
    call_each(&c, 10000, slow_us);
    call_each(&c, 40000, healthy_us); /* 40 s, four times the decay */
    forget_counts(&c);
    call_each(&c, 20000, healthy_us);
    assert_in_range(c.picked[2], 2000, 6000);
    cluster_free(&c);
}

TEST(p2c, a_new_one_is_neither_flooded_nor_forgotten)
{
    static const int64_t latency_us[] = {5000, 5000, 5000, 5000, 5000};
    struct cluster c = cluster_of(5, &p2c);
    cluster_set(&c, 4);
    call_each(&c, 1000, latency_us);
    cluster_set(&c, 5);
    forget_counts(&c);
    for (int n = 0; n < 100; n++)
        cluster_begin(&c); /* before it has answered even once */
    assert_in_range(c.picked[4], 15, 25);
    cluster_free(&c);
}

TEST(p2c, the_first_calls_of_all_spread_before_anything_is_known)
{
    struct cluster c = cluster_of(5, &p2c);
    for (int n = 0; n < 100; n++)
        cluster_begin(&c);
    for (int i = 0; i < 5; i++)
        assert_in_range(c.picked[i], 18, 22);
    cluster_free(&c);
}

TEST(p2c, one_that_fails_at_once_does_not_look_fast)
{
    struct cluster c = cluster_of(5, &p2c);
    for (int n = 0; n < 10000; n++) {
        size_t index = cluster_begin(&c);
        c.now = weir_time_add(c.now, 1000);
        cluster_end(&c, index, index == 2 ? 10 : 1000, index == 2);
    }
    assert_in_range(c.picked[2], 1, 50);
    cluster_free(&c);
}

TEST(p2c, when_all_fail_all_are_tried)
{
    struct cluster c = cluster_of(5, &p2c);
    for (int n = 0; n < 10000; n++) {
        size_t index = cluster_begin(&c);
        c.now = weir_time_add(c.now, 1000);
        cluster_end(&c, index, 10, true);
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(c.picked[i], 1000, 4000);
    cluster_free(&c);
}

TEST(p2c, one_failure_is_forgotten_within_a_minute)
{
    static const int64_t healthy_us[] = {1000, 1000, 1000, 1000, 1000};
    struct cluster c = cluster_of(5, &p2c);
    call_each(&c, 1000, healthy_us);
    c.backends[2].outstanding++;
    cluster_end(&c, 2, 10, true);
    call_each(&c, 60000, healthy_us);
    forget_counts(&c);
    call_each(&c, 20000, healthy_us);
    assert_in_range(c.picked[2], 2000, 6000);
    cluster_free(&c);
}

TEST(p2c, a_clock_that_stands_still_or_latencies_of_nothing_are_fine)
{
    struct cluster c = cluster_of(3, &p2c);
    for (int n = 0; n < 1000; n++) {
        size_t index = cluster_begin(&c);
        cluster_end(&c, index, n % 2 ? 0 : -5, n % 3 == 0);
    }
    for (int i = 0; i < 3; i++)
        assert_true(c.backends[i].cost >= 1 && c.backends[i].cost <= 60e6);
    cluster_free(&c);
}
