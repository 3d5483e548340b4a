#include "histogram.h"
#include "test.h"

TEST(robot_histogram, small_durations_are_exact)
{
    histogram h = {0};
    for (int64_t us = 50; us >= 1; us--)
        histogram_add(&h, us);
    assert_int_equal(histogram_percentile_us(&h, 50), 25);
    assert_int_equal(histogram_percentile_us(&h, 100), 50);
}

TEST(robot_histogram, long_ones_are_at_most_a_bucket_too_much)
{
    for (int64_t us = 64; us < INT64_C(1) << 39; us = us * 3 / 2) {
        histogram h = {0};
        histogram_add(&h, us);
        histogram_add(&h, INT64_C(1) << 40);
        int64_t said = histogram_percentile_us(&h, 50);
        assert_true(said >= us && said <= us + us / HISTOGRAM_STEPS);
    }
}

TEST(robot_histogram, the_greatest_is_exact_and_all_bounds_hold)
{
    histogram h = {0};
    assert_int_equal(histogram_percentile_us(&h, 99), 0);
    histogram_add(&h, -5);
    histogram_add(&h, 1234567);
    assert_int_equal(histogram_percentile_us(&h, 50), 0);
    assert_int_equal(histogram_percentile_us(&h, 100), 1234567);
    histogram_add(&h, INT64_MAX);
    assert_int_equal(h.max_us, INT64_MAX);
}

TEST(robot_histogram, merged_ones_count_as_one)
{
    histogram a = {0}, b = {0};
    histogram_add(&a, 10);
    histogram_add(&b, 20);
    histogram_add(&b, 30);
    histogram_merge(&a, &b);
    assert_int_equal(a.count, 3);
    assert_int_equal(histogram_percentile_us(&a, 50), 20);
    assert_int_equal(a.max_us, 30);
}
