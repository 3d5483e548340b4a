#include <weir/balance/balancer.h>

#include "balance_test.h"

enum {
    KEYS = 100000
};

static const weir_balance_config big = {
    .policy = WEIR_BALANCE_CONSISTENT_HASH, .ring_min = 65536, .ring_max = 131072};
static const weir_balance_config plain = {.policy = WEIR_BALANCE_CONSISTENT_HASH};

static size_t index_for(struct cluster *c, unsigned key)
{
    const weir_pick pick = {.now = c->now, .hash = key};
    return index_of(c, weir_balancer_pick(c->balancer, &pick));
}

/** Where each key goes; free() it. */
static unsigned *all_keys(struct cluster *c)
{
    unsigned *where = calloc(KEYS, sizeof *where);
    for (unsigned key = 0; key < KEYS; key++) {
        where[key] = (unsigned)index_for(c, key);
        c->picked[where[key]]++;
    }
    return where;
}

/* 655 places each: a standard deviation of 4 %. */
TEST(ring, a_hundred_backends_on_65536_places_get_their_share_within_15_percent)
{
    struct cluster c = cluster_of(100, &big);
    unsigned *where = all_keys(&c), least = KEYS, most = 0;
    for (int i = 0; i < 100; i++) {
        least = c.picked[i] < least ? c.picked[i] : least;
        most = c.picked[i] > most ? c.picked[i] : most;
    }
    printf("ring of 65536, 100 backends: %.1f %% to %.1f %% of a share\n", least / 10.0,
           most / 10.0);
    assert_in_range(least, 850, 1000);
    assert_in_range(most, 1000, 1150);
    free(where);
    cluster_free(&c);
}

/* 205 places each: a standard deviation of 7 %. */
TEST(ring, five_backends_on_the_default_ring_get_their_share_within_25_percent)
{
    struct cluster c = cluster_of(5, &plain);
    unsigned *where = all_keys(&c);
    for (int i = 0; i < 5; i++)
        assert_in_range(c.picked[i], KEYS / 5 * 75 / 100, KEYS / 5 * 125 / 100);
    free(where);
    cluster_free(&c);
}

TEST(ring, a_backend_that_goes_moves_its_own_keys_and_no_others)
{
    struct cluster c = cluster_of(100, &big);
    unsigned *before = all_keys(&c), moved = 0, spread = 0;
    bool took[100] = {false};
    c.usable[37] = c.usable[99];
    cluster_set(&c, 99);
    unsigned *after = all_keys(&c);
    for (unsigned key = 0; key < KEYS; key++) {
        assert_int_not_equal(after[key], 37);
        assert_true(before[key] == 37 || before[key] == after[key]);
        moved += before[key] != after[key];
        took[after[key]] |= before[key] == 37;
    }
    for (int i = 0; i < 100; i++)
        spread += took[i];
    assert_in_range(moved, 1, KEYS * 15 / 1000);
    assert_in_range(spread, 90, 99); /* to all others, not to one neighbour */
    free(before);
    free(after);
    cluster_free(&c);
}

TEST(ring, one_step_of_its_size_moves_at_most_an_eighth_of_the_keys)
{
    struct cluster c = cluster_of(200, &big);
    unsigned *before = all_keys(&c);
    unsigned worst = 0, steps = 0;
    for (size_t count = 199; count >= 100; count--) {
        unsigned moved = 0;
        cluster_set(&c, count);
        unsigned *after = all_keys(&c);
        for (unsigned key = 0; key < KEYS; key++)
            moved += before[key] != count && before[key] != after[key];
        steps += moved > 0;
        worst = moved > worst ? moved : worst;
        free(before);
        before = after;
    }
    printf("ring: %u of 100 changes moved keys of others, at most %.1f %%\n", steps,
           worst * 100.0 / KEYS);
    assert_in_range(steps, 1, 9);
    assert_in_range(worst, 1, KEYS / 8);
    free(before);
    cluster_free(&c);
}

TEST(ring, the_order_of_the_list_and_the_seed_are_all_the_same)
{
    struct cluster c = cluster_of(20, &plain);
    unsigned *before = all_keys(&c);
    for (size_t i = 0; i < 20; i++)
        c.usable[i] = &c.backends[19 - i];
    weir_balancer_free(c.balancer);
    assert_ok(weir_balancer_new(&c.balancer, &plain, 4711));
    cluster_set(&c, 20);
    unsigned *after = all_keys(&c);
    assert_memory_equal(before, after, KEYS * sizeof *before);
    free(before);
    free(after);
    cluster_free(&c);
}

TEST(ring, is_the_same_in_every_version)
{
    struct cluster c = cluster_of(5, &plain);
    static const size_t where[] = {0, 0, 3, 1, 2, 0, 0, 3};
    for (unsigned key = 0; key < 8; key++)
        assert_int_equal(index_for(&c, key), where[key]);
    cluster_free(&c);
}

TEST(ring, weights_of_1_2_and_4_get_their_shares_within_15_percent)
{
    struct cluster c = cluster_of(3, &big);
    for (int i = 0; i < 3; i++)
        c.endpoints[i].weight = 1u << i;
    cluster_set(&c, 3);
    unsigned *where = all_keys(&c);
    for (int i = 0; i < 3; i++)
        assert_in_range(c.picked[i], (KEYS << i) / 7 * 85 / 100, (KEYS << i) / 7 * 115 / 100);
    free(where);
    cluster_free(&c);
}

TEST(ring, everybody_has_a_place_even_if_there_are_more_than_it_may_hold)
{
    const weir_balance_config small = {
        .policy = WEIR_BALANCE_CONSISTENT_HASH, .ring_min = 16, .ring_max = 32};
    struct cluster c = cluster_of(100, &small);
    c.endpoints[0].weight = 10000;
    cluster_set(&c, 100);
    unsigned *where = all_keys(&c), reached = 0;
    for (int i = 0; i < 100; i++)
        reached += c.picked[i] > 0;
    assert_in_range(reached, 95, 100);
    free(where);
    cluster_free(&c);
}

TEST(ring, a_key_goes_on_to_the_next_place_when_its_backend_is_to_be_avoided)
{
    struct cluster c = cluster_of(100, &big);
    for (unsigned key = 0; key < 20; key++) {
        size_t first = index_for(&c, key);
        weir_backend *avoid = &c.backends[first];
        const weir_pick pick = {.now = c.now, .hash = key, .avoid = &avoid, .avoid_count = 1};
        size_t second = index_of(&c, weir_balancer_pick(c.balancer, &pick));
        weir_backend *last = c.usable[first];
        c.usable[first] = c.usable[99];
        cluster_set(&c, 99);
        assert_int_equal(index_for(&c, key), second); /* where it would go without that one */
        c.usable[first] = last;
        c.usable[99] = &c.backends[99];
        cluster_set(&c, 100);
    }
    cluster_free(&c);
}
