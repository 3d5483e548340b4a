#include "test.h"

#include "connector_backoff.h"

enum {
    FIRST_US = 1000,
    MAX_US = 8000,
    DELAYS = 8
};

TEST(connector_backoff, delays_double_to_the_longest_with_a_fifth_of_jitter_for_every_seed)
{
    static const int64_t expected_us[DELAYS] = {1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000};
    int64_t least_us = INT64_MAX, most_us = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        weir__backoff backoff;
        weir__backoff_init(&backoff, FIRST_US, MAX_US, 0, seed);
        for (int i = 0; i < DELAYS; i++) {
            int64_t delay_us = weir__backoff_next(&backoff);
            assert_in_range(delay_us, expected_us[i] * 8 / 10, expected_us[i] * 12 / 10);
            if (i == 0 && delay_us < least_us)
                least_us = delay_us;
            if (i == 0 && delay_us > most_us)
                most_us = delay_us;
        }
    }
    /* The whole range is used. */
    assert_in_range(least_us, 800, 810);
    assert_in_range(most_us, 1190, 1200);
}

TEST(connector_backoff, the_same_seed_gives_the_same_delays_and_another_one_others)
{
    weir__backoff a, b, c;
    weir__backoff_init(&a, FIRST_US, MAX_US, 0, 7);
    weir__backoff_init(&b, FIRST_US, MAX_US, 0, 7);
    weir__backoff_init(&c, FIRST_US, MAX_US, 0, 8);
    int differ = 0;
    for (int i = 0; i < DELAYS; i++) {
        int64_t delay_us = weir__backoff_next(&a);
        assert_int_equal(delay_us, weir__backoff_next(&b));
        differ += delay_us != weir__backoff_next(&c);
    }
    assert_true(differ > DELAYS / 2);
}

TEST(connector_backoff, a_reset_begins_again)
{
    weir__backoff backoff;
    weir__backoff_init(&backoff, FIRST_US, MAX_US, 0, 1);
    for (int i = 0; i < DELAYS; i++)
        (void)weir__backoff_next(&backoff);
    weir__backoff_reset(&backoff);
    assert_in_range(weir__backoff_next(&backoff), 800, 1200);
    assert_in_range(weir__backoff_next(&backoff), 1600, 2400);
}

TEST(connector_backoff, lengths_at_the_edges_do_not_overflow)
{
    weir__backoff backoff;
    weir__backoff_init(&backoff, 1, INT64_MAX / 2, 0, 1);
    assert_int_equal(weir__backoff_next(&backoff), 1);
    for (int i = 0; i < 100; i++)
        assert_true(weir__backoff_next(&backoff) > 0);
    weir__backoff_init(&backoff, 5000, 1000, 0, 1);
    assert_in_range(weir__backoff_next(&backoff), 800, 1200);
}

TEST(connector_backoff, grpcs_delays_grow_by_1_6_from_1_s_to_120_s)
{
    weir__backoff backoff;
    weir__backoff_init(&backoff, 1000000, 120000000, 1.6, 1);
    double expected_us = 1e6;
    for (int i = 0; i < 15; i++) {
        double delay_us = (double)weir__backoff_next(&backoff);
        assert_true(delay_us >= expected_us * 0.799 && delay_us <= expected_us * 1.201);
        expected_us = expected_us * 1.6 < 120e6 ? expected_us * 1.6 : 120e6;
    }
}
