#include "test.h"

#include "overload_limit.h"

static const weir__overload_limit_opts opts = {.adaptive = true,
                                               .min = 4,
                                               .max = 100,
                                               .tolerance = 1.25,
                                               .window_us = WEIR_MILLISECONDS(100),
                                               .probe_us = WEIR_SECONDS(30)};

typedef struct learning {
    weir__overload_limit limit;
    weir_time now, begin;
} learning;

/** One window: so many calls at a time. @return whether it was of use */
static bool window(learning *l, uint32_t count, double mean_us, uint32_t peak, uint32_t in_flight)
{
    int64_t wait_us = -1;
    l->now = weir_time_add(l->now, WEIR_MILLISECONDS(100));
    bool anew = weir__overload_limit_window(&l->limit,
                                            &(weir__overload_window){.begin = l->begin,
                                                                     .count = count,
                                                                     .mean_us = mean_us,
                                                                     .peak = peak,
                                                                     .in_flight = in_flight},
                                            l->now, &wait_us);
    assert_true(wait_us > 0);
    if (anew)
        l->begin = l->now;
    return anew;
}

static uint32_t limit_of(const learning *l)
{
    return weir__overload_limit_now(&l->limit);
}

static void open_learning(learning *l, const weir__overload_limit_opts *how)
{
    l->now = l->begin = (weir_time){WEIR_SECONDS(100)};
    weir__overload_limit_init(&l->limit, how, l->now);
}

/** Latency without load is 10 ms. */
static void open_measured(learning *l)
{
    open_learning(l, &opts);
    assert_true(window(l, 1, 1, 1, 4));
    assert_true(window(l, 40, 10000, 4, 4));
    assert_int_equal(limit_of(l), 20);
}

TEST(overload_limit, latency_without_load_is_measured_first_with_few_calls)
{
    learning l;
    open_learning(&l, &opts);
    assert_int_equal(limit_of(&l), 4);
    assert_false(window(&l, 50, 70000, 20, 5)); /* they have not left yet */
    assert_true(window(&l, 60, 70000, 20, 4));
    assert_false(window(&l, 39, 10000, 4, 4));
    assert_int_equal(limit_of(&l), 4);
    assert_true(window(&l, 40, 10000, 4, 4));
    assert_int_equal((int)l.limit.no_load_us, 10000);
    assert_int_equal(limit_of(&l), 20);
}

TEST(overload_limit, a_measurement_of_slow_calls_takes_what_it_has_after_a_second)
{
    learning l;
    open_learning(&l, &opts);
    assert_true(window(&l, 0, 0, 0, 0));
    for (int i = 1; i < 10; i++)
        assert_false(window(&l, 4, 900000, 4, 4));
    assert_true(window(&l, 4, 900000, 4, 4));
    assert_int_equal((int)l.limit.no_load_us, 900000);
}

TEST(overload_limit, it_grows_while_latency_stays)
{
    learning l;
    open_measured(&l);
    uint32_t before = limit_of(&l);
    for (int i = 0; i < 40; i++) {
        assert_true(window(&l, 200, 12000, limit_of(&l), 0));
        assert_true(limit_of(&l) >= before);
        before = limit_of(&l);
    }
    assert_int_equal(before, 100); /* the most */
}

TEST(overload_limit, it_shrinks_as_latency_rises_but_not_below_the_least)
{
    learning l;
    open_measured(&l);
    for (int i = 0; i < 9; i++) { /* shorter than what calls for a new measurement */
        uint32_t before = limit_of(&l);
        assert_true(window(&l, 200, 40000, before, 0));
        assert_true(limit_of(&l) <= before);
    }
    assert_true(limit_of(&l) < 10);
    assert_true(limit_of(&l) >= 4);
}

TEST(overload_limit, what_is_not_used_does_not_move_it)
{
    learning l;
    open_measured(&l);
    assert_true(window(&l, 200, 12000, 9, 0));
    assert_true(window(&l, 200, 90000, 9, 0));
    assert_int_equal(limit_of(&l), 20);
}

TEST(overload_limit, windows_with_too_few_samples_go_on_and_are_dropped_in_the_end)
{
    learning l;
    open_measured(&l);
    for (int i = 0; i < 9; i++)
        assert_false(window(&l, 19, 90000, 20, 0));
    assert_true(window(&l, 19, 90000, 20, 0));
    assert_int_equal(limit_of(&l), 20);
    assert_int_equal((int)l.limit.service_us, 10000);
}

TEST(overload_limit, few_samples_of_slow_calls_are_enough)
{
    learning l;
    open_measured(&l);
    for (int i = 0; i < 9; i++)
        assert_false(window(&l, 10, 1000000, 10, 10));
    assert_true(window(&l, 10, 1000000, 10, 10));
    assert_true(limit_of(&l) < 20);
    assert_true(l.limit.service_us > 100000);
}

TEST(overload_limit, latency_without_load_is_measured_now_and_then)
{
    learning l;
    open_measured(&l);
    int windows = 0;
    while (l.limit.phase == WEIR__OVERLOAD_LEARNS && windows < 1000) {
        assert_true(window(&l, 200, 12000, limit_of(&l), 0));
        windows++;
    }
    assert_in_range(windows, 270, 330);
    assert_int_equal(limit_of(&l), 4);
    assert_true(window(&l, 200, 12000, 100, 4));
    assert_true(window(&l, 40, 20000, 4, 4));
    assert_int_equal((int)l.limit.no_load_us, 20000);
    assert_int_equal(limit_of(&l), 100); /* as before */
}

TEST(overload_limit, few_calls_at_a_time_are_a_measurement)
{
    learning l;
    open_measured(&l);
    for (int i = 0; i < 1000; i++) {
        assert_true(window(&l, 30, 20000, 4, 0));
        assert_int_equal(l.limit.phase, WEIR__OVERLOAD_LEARNS);
    }
    assert_in_range((int)l.limit.no_load_us, 19000, 20000);
}

TEST(overload_limit, latency_that_stays_high_is_measured_anew_soon)
{
    learning l;
    open_measured(&l);
    for (int i = 0; i < 10; i++)
        assert_true(window(&l, 30, 60000, limit_of(&l), 0));
    assert_int_equal(l.limit.phase, WEIR__OVERLOAD_DRAINS);
}

TEST(overload_limit, a_fixed_limit_learns_only_what_calls_take)
{
    weir__overload_limit_opts fixed = opts;
    fixed.adaptive = false;
    learning l;
    open_learning(&l, &fixed);
    assert_int_equal(limit_of(&l), 100);
    for (int i = 0; i < 1000; i++)
        assert_true(window(&l, 200, 40000, 100, 0));
    assert_int_equal(limit_of(&l), 100);
    assert_int_equal((int)l.limit.service_us, 40000);
}
