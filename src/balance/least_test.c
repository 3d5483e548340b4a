#include <weir/balance/balancer.h>

#include "balance_test.h"

static const weir_balance_config all = {.policy = WEIR_BALANCE_LEAST_OUTSTANDING};

static unsigned outstanding_range(const struct cluster *c, size_t count)
{
    unsigned least = ~0u, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = c->backends[i].outstanding < least ? c->backends[i].outstanding : least;
        most = c->backends[i].outstanding > most ? c->backends[i].outstanding : most;
    }
    return most - least;
}

/** Ends one of the calls, any of them. */
static void end_any(struct cluster *c, size_t count)
{
    size_t at = weir_random_below(&c->random, (uint32_t)count);
    while (!c->backends[at].outstanding)
        at = at + 1 < count ? at + 1 : 0;
    cluster_end(c, at, 1000, false);
}

TEST(least, calls_in_flight_differ_by_at_most_one)
{
    struct cluster c = cluster_of(17, &all);
    for (int n = 0; n < 100; n++) {
        cluster_begin(&c);
        assert_in_range(outstanding_range(&c, 17), 0, 1);
    }
    for (int n = 0; n < 10000; n++) {
        end_any(&c, 17);
        cluster_begin(&c);
        assert_in_range(outstanding_range(&c, 17), 0, 1);
    }
    cluster_free(&c);
}

TEST(least, an_idle_cluster_takes_turns)
{
    struct cluster c = cluster_of(9, &all);
    for (int n = 0; n < 900; n++)
        cluster_call(&c);
    for (int i = 0; i < 9; i++)
        assert_int_equal(c.picked[i], 100);
    cluster_free(&c);
}

TEST(least, one_that_never_answers_gets_no_more_than_the_others_hold)
{
    struct cluster c = cluster_of(5, &all);
    for (int n = 0; n < 1000; n++) {
        size_t index = cluster_begin(&c);
        if (index != 3)
            cluster_end(&c, index, 1000, false);
    }
    assert_int_equal(c.picked[3], 1);
    cluster_free(&c);
}

TEST(least, the_heavier_one_holds_more)
{
    struct cluster c = cluster_of(3, &all);
    c.endpoints[0].weight = 4;
    c.endpoints[1].weight = 2;
    cluster_set(&c, 3);
    for (int n = 0; n < 70; n++)
        cluster_begin(&c);
    assert_int_equal(c.backends[0].outstanding, 40);
    assert_int_equal(c.backends[1].outstanding, 20);
    assert_int_equal(c.backends[2].outstanding, 10);
    cluster_free(&c);
}

TEST(least, a_changed_list_counts_what_is_under_way)
{
    struct cluster c = cluster_of(4, &all);
    cluster_set(&c, 3);
    for (int n = 0; n < 30; n++)
        cluster_begin(&c);
    cluster_set(&c, 4);
    for (int n = 0; n < 10; n++)
        assert_int_equal(cluster_begin(&c), 3);
    assert_int_equal(outstanding_range(&c, 4), 0);
    cluster_free(&c);
}

/* A pick that the channel does not use, and calls that end without a word. */
TEST(least, counts_that_change_behind_its_back_are_noticed)
{
    struct cluster c = cluster_of(4, &all);
    for (int n = 0; n < 40; n++)
        cluster_begin(&c);
    for (int i = 0; i < 4; i++)
        c.backends[i].outstanding = i == 2 ? 50 : 20;
    for (int n = 0; n < 30; n++)
        assert_int_not_equal(cluster_begin(&c), 2);
    for (int n = 0; n < 5; n++)
        assert_non_null(weir_balancer_pick(c.balancer, &(weir_pick){.now = c.now}));
    for (int n = 0; n < 60; n++)
        assert_int_not_equal(cluster_begin(&c), 2);
    assert_in_range(outstanding_range(&c, 4), 0, 2);
    cluster_free(&c);
}

TEST(least, backends_to_be_avoided_keep_their_places)
{
    struct cluster c = cluster_of(5, &all);
    for (int n = 0; n < 1000; n++) {
        weir_backend *avoid[] = {&c.backends[n % 5], &c.backends[n % 3]};
        const weir_pick pick = {.now = c.now, .avoid = avoid, .avoid_count = 2};
        weir_backend *b = weir_balancer_pick(c.balancer, &pick);
        assert_false(weir_pick_avoids(&pick, b));
        weir_balancer_done(c.balancer, b, &(weir_outcome){.now = c.now});
    }
    for (int n = 0; n < 50; n++)
        cluster_begin(&c);
    assert_int_equal(outstanding_range(&c, 5), 0);
    cluster_free(&c);
}

/* The best of d random ones: the longest queue grows with log log n only. */
TEST(least, of_two_random_ones_keeps_queues_short)
{
    struct cluster c = cluster_of(
        100, &(weir_balance_config){.policy = WEIR_BALANCE_LEAST_OUTSTANDING, .choices = 2});
    for (int n = 0; n < 1000; n++)
        cluster_begin(&c);
    assert_in_range(outstanding_range(&c, 100), 1, 5); /* with one choice it is about 15 */
    cluster_free(&c);
}
