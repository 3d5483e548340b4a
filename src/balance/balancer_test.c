/* What holds for every policy, and the simple ones. */
#include <weir/balance/balancer.h>

#include <string.h>

#include "balance_test.h"

static const weir_balance_policy policies[] = {
    WEIR_BALANCE_PICK_FIRST,        WEIR_BALANCE_ROUND_ROBIN, WEIR_BALANCE_WEIGHTED_ROUND_ROBIN,
    WEIR_BALANCE_LEAST_OUTSTANDING, WEIR_BALANCE_P2C,         WEIR_BALANCE_CONSISTENT_HASH};

enum {
    POLICIES = sizeof policies / sizeof *policies,
    KINDS = 2 * POLICIES
};

/** Each policy, and again with what it may be set to. */
static weir_balance_config kind(int i)
{
    weir_balance_config config = {.policy = policies[i % POLICIES]};
    if (i >= POLICIES) {
        config.shuffle = true;
        config.choices = 2;
    }
    return config;
}

static struct cluster cluster_of_kind(int i, size_t count)
{
    const weir_balance_config config = kind(i);
    return cluster_of(count, &config);
}

TEST(balancer, an_empty_set_has_nothing_to_pick)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 3);
        cluster_call(&c);
        cluster_set(&c, 0);
        assert_null(weir_balancer_pick(c.balancer, &(weir_pick){.now = c.now}));
        cluster_set(&c, 3);
        cluster_call(&c);
        cluster_free(&c);
    }
}

TEST(balancer, before_the_first_set_there_is_nothing_to_pick)
{
    for (int i = 0; i < KINDS; i++) {
        const weir_balance_config config = kind(i);
        weir_balancer *b;
        assert_ok(weir_balancer_new(&b, &config, 1));
        assert_null(weir_balancer_pick(b, &(weir_pick){.hash = 1}));
        weir_balancer_free(b);
    }
    weir_balancer_free(NULL);
}

TEST(balancer, one_backend_gets_everything_even_if_it_is_to_be_avoided)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 1);
        for (int n = 0; n < 10; n++)
            assert_int_equal(cluster_call(&c), 0);
        const weir_pick pick = {.now = c.now, .avoid = c.usable, .avoid_count = 1};
        assert_ptr_equal(weir_balancer_pick(c.balancer, &pick), &c.backends[0]);
        cluster_free(&c);
    }
}

TEST(balancer, what_is_to_be_avoided_is_picked_only_if_there_is_nothing_else)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 5);
        c.endpoints[1].weight = 100;
        cluster_set(&c, 5);
        for (size_t avoided = 1; avoided <= 5; avoided++)
            for (unsigned n = 0; n < 100; n++) {
                weir_backend *avoid[5];
                for (size_t a = 0; a < avoided; a++)
                    avoid[a] = c.usable[(n + a) % 5];
                const weir_pick pick = {.now = c.now,
                                        .hash = weir_random_next(&c.random),
                                        .avoid = avoid,
                                        .avoid_count = avoided};
                weir_backend *b = weir_balancer_pick(c.balancer, &pick);
                assert_non_null(b);
                assert_true(avoided == 5 || !weir_pick_avoids(&pick, b));
                weir_balancer_done(c.balancer, b, &(weir_outcome){.now = c.now});
            }
        cluster_free(&c);
    }
}

TEST(balancer, backends_to_be_avoided_may_be_gone)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 3);
        weir_backend gone;
        weir_backend *avoid[] = {&gone, &gone};
        const weir_pick pick = {.now = c.now, .avoid = avoid, .avoid_count = 2};
        for (int n = 0; n < 10; n++)
            assert_non_null(weir_balancer_pick(c.balancer, &pick));
        cluster_free(&c);
    }
}

TEST(balancer, a_set_with_fewer_backends_picks_only_those)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 10);
        for (int n = 0; n < 100; n++)
            cluster_call(&c);
        cluster_set(&c, 2);
        for (int n = 0; n < 100; n++)
            assert_in_range(cluster_call(&c), 0, 1);
        cluster_free(&c);
    }
}

TEST(balancer, backends_that_have_left_may_still_end_their_calls)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 10);
        size_t running[40];
        for (int n = 0; n < 40; n++)
            running[n] = cluster_begin(&c);
        cluster_set(&c, 3);
        for (int n = 0; n < 40; n++)
            cluster_end(&c, running[n], 1000, n % 3 == 0);
        for (int n = 0; n < 100; n++)
            assert_in_range(cluster_call(&c), 0, 2);
        cluster_set(&c, 0);
        cluster_set(&c, 10);
        cluster_call(&c);
        cluster_free(&c);
    }
}

TEST(balancer, random_changes_pick_only_what_is_usable)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 30);
        weir_backend *all[30];
        memcpy(all, c.usable, sizeof all);
        for (int round = 0; round < 300; round++) {
            size_t count = 0;
            for (size_t n = 0; n < 30; n++)
                if (weir_random_below(&c.random, 3))
                    c.usable[count++] = all[n];
            c.endpoints[weir_random_below(&c.random, 30)].weight =
                1 + weir_random_below(&c.random, 10000);
            cluster_set(&c, count);
            for (int n = 0; n < 20; n++) {
                weir_backend *b = &c.backends[cluster_begin(&c)];
                assert_true(b->place < count && c.usable[b->place] == b);
                size_t ends = weir_random_below(&c.random, 30);
                if (c.backends[ends].outstanding)
                    cluster_end(&c, ends, weir_random_below(&c.random, 100000), ends % 5 == 0);
                c.now = weir_time_add(c.now, weir_random_below(&c.random, 1000000));
            }
        }
        cluster_free(&c);
    }
}

TEST(balancer, ten_thousand_backends_are_fine)
{
    for (int i = 0; i < KINDS; i++) {
        struct cluster c = cluster_of_kind(i, 10000);
        weir_time begin = weir_time_now();
        cluster_set(&c, 10000);
        weir_time set = weir_time_now();
        for (int n = 0; n < 1000000; n++)
            cluster_call(&c);
        weir_time end = weir_time_now();
        printf("policy %d%s, 10000 backends: set %lld us, a pick and its end %lld ns\n",
               kind(i).policy, i >= POLICIES ? " with options" : "",
               (long long)weir_time_diff(set, begin), (long long)weir_time_diff(end, set) / 1000);
        cluster_free(&c);
    }
}

TEST(balancer, a_list_that_is_too_long_is_refused)
{
    struct cluster c = cluster_of_kind(1, 1);
    size_t count = WEIR_ENDPOINTS_MAX + 1;
    weir_backend **many = calloc(count, sizeof(weir_backend *));
    for (size_t i = 0; i < count; i++)
        many[i] = &c.backends[0];
    assert_err(weir_balancer_set(c.balancer, many, count), WEIR_EFULL);
    assert_null(weir_balancer_pick(c.balancer, &(weir_pick){.now = c.now}));
    free(many);
    cluster_free(&c);
}

TEST(balancer, a_policy_that_does_not_exist_is_refused)
{
    weir_balancer *b;
    assert_err(weir_balancer_new(&b, &(weir_balance_config){.policy = (weir_balance_policy)99}, 1),
               WEIR_EINVAL);
}

/* Policies of a program's own. */

struct last {
    weir_backend *last;
};

static weir_err last_set(void *state, weir_backend *const *backends, size_t count)
{
    struct last *l = state;
    l->last = count ? backends[count - 1] : NULL;
    return count == 4 ? WEIR_ENOMEM : WEIR_OK;
}

static weir_backend *last_pick(void *state, const weir_pick *pick)
{
    struct last *l = state;
    (void)pick;
    return l->last;
}

static void last_done(void *state, weir_backend *backend, const weir_outcome *outcome)
{
    struct last *l = state;
    (void)outcome;
    assert_ptr_equal(backend, l->last);
    backend->cost++;
}

TEST(balancer, a_program_may_bring_its_own_policy)
{
    static const weir_balancer_ops ops = {.name = "last",
                                          .bytes = sizeof(struct last),
                                          .set = last_set,
                                          .pick = last_pick,
                                          .done = last_done};
    struct cluster c = cluster_of_kind(0, 4);
    weir_balancer_free(c.balancer);
    assert_ok(weir_balancer_new_with(&c.balancer, &ops, &(weir_balance_config){0}, 1));
    cluster_set(&c, 3);
    assert_int_equal(cluster_call(&c), 2);
    assert_true(c.backends[2].cost == 1);
    assert_err(weir_balancer_set(c.balancer, c.usable, 4), WEIR_ENOMEM);
    assert_null(weir_balancer_pick(c.balancer, &(weir_pick){.now = c.now}));
    cluster_set(&c, 2);
    assert_int_equal(cluster_call(&c), 1);
    assert_int_equal(cluster_begin(&c), 1);
    cluster_set(&c, 1);
    cluster_set(&c, 2);
    cluster_end(&c, 1, 1000, false);
    assert_int_equal(cluster_begin(&c), 1);
    c.usable[1] = &c.backends[2]; /* the other one's place */
    cluster_set(&c, 2);
    cluster_end(&c, 1, 1000, false);
    assert_true(c.backends[1].cost == 2);
    cluster_free(&c);
}

/* Zones. */

TEST(balancer, of_a_zone_only_its_backends_are_picked_while_one_is_usable)
{
    for (int i = 0; i < POLICIES; i++) {
        weir_balance_config config = kind(i);
        config.zone = "north";
        struct cluster c = cluster_of(6, &config);
        c.endpoints[1].zone = c.endpoints[2].zone = WEIR_STR("north");
        c.endpoints[3].zone = WEIR_STR("northwest");
        cluster_set(&c, 6);
        for (int n = 0; n < 20; n++)
            assert_in_range(cluster_call(&c), 1, 2);
        cluster_set(&c, 1);
        assert_int_equal(cluster_call(&c), 0);
        cluster_set(&c, 2);
        assert_int_equal(cluster_call(&c), 1);
        cluster_free(&c);
    }
}

TEST(balancer, no_zone_and_an_empty_one_let_all_be_picked)
{
    const char *const zones[] = {NULL, "", "elsewhere"};
    for (int i = 0; i < 3; i++) {
        struct cluster c = cluster_of(
            4, &(weir_balance_config){.policy = WEIR_BALANCE_ROUND_ROBIN, .zone = zones[i]});
        c.endpoints[1].zone = WEIR_STR("north");
        cluster_set(&c, 4);
        for (int n = 0; n < 4; n++)
            cluster_call(&c);
        for (int n = 0; n < 4; n++)
            assert_int_equal(c.picked[n], 1);
        cluster_free(&c);
    }
}

/* Pick first. */

TEST(pick_first, stays_with_the_first_usable_one)
{
    struct cluster c = cluster_of_kind(0, 3);
    for (int i = 0; i < 10; i++)
        assert_int_equal(cluster_call(&c), 0);
    assert_ok(weir_balancer_set(c.balancer, c.usable + 1, 2));
    assert_int_equal(cluster_call(&c), 1);
    cluster_set(&c, 3);
    assert_int_equal(cluster_call(&c), 0);
    cluster_free(&c);
}

TEST(pick_first, shuffled_spreads_clients_and_keeps_each_where_it_is)
{
    const weir_balance_config config = {.policy = WEIR_BALANCE_PICK_FIRST, .shuffle = true};
    struct cluster c = cluster_of(10, &config);
    for (uint64_t client = 0; client < 1000; client++) {
        weir_balancer_free(c.balancer);
        assert_ok(weir_balancer_new(&c.balancer, &config, client));
        cluster_set(&c, 10);
        size_t first = cluster_call(&c);
        assert_int_equal(cluster_call(&c), first);
        cluster_set(&c, 9);
        assert_true(first == 9 || cluster_call(&c) == first);
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(c.picked[i], 3 * 100 - 150, 3 * 100 + 150);
    cluster_free(&c);
}

/* Round robin. */

TEST(round_robin, is_exact_over_each_round)
{
    struct cluster c = cluster_of_kind(1, 7);
    for (int round = 1; round <= 100; round++) {
        for (int i = 0; i < 7; i++)
            cluster_call(&c);
        for (int i = 0; i < 7; i++)
            assert_int_equal(c.picked[i], round);
    }
    cluster_free(&c);
}

TEST(round_robin, begins_elsewhere_in_each_client)
{
    unsigned first[5] = {0};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct cluster c = cluster_of_kind(1, 5);
        weir_balancer_free(c.balancer);
        assert_ok(weir_balancer_new(
            &c.balancer, &(weir_balance_config){.policy = WEIR_BALANCE_ROUND_ROBIN}, seed));
        cluster_set(&c, 5);
        first[cluster_call(&c)]++;
        cluster_free(&c);
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(first[i], 150, 250); /* 200 +- 4 standard deviations */
}

TEST(round_robin, goes_on_where_it_was_while_a_backend_flaps)
{
    struct cluster c = cluster_of_kind(1, 5);
    for (int i = 0; i < 1000; i++) {
        cluster_set(&c, i % 2 ? 4 : 5);
        cluster_call(&c);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(c.picked[i], 190, 260);
    cluster_free(&c);
}

/* The hash. */

TEST(balance_hash, is_the_same_for_ever)
{
    assert_true(weir_balance_hash(WEIR_STR("")) == UINT64_C(0xf52a15e9a9b5e89b));
    assert_true(weir_balance_hash(WEIR_STR("127.0.0.1:80")) == UINT64_C(0x9ca4a6195e270833));
    assert_true(weir_balance_hash(WEIR_STR("user-1")) == UINT64_C(0xc499b5f8a721df58));
}
