/* gRFC A50: "Outlier Detection Behavior" and the two algorithms. */
#include <weir/balance/outlier.h>

#include "test.h"

enum {
    HOSTS_MAX = 100
};

static weir_outlier_config defaults(void)
{
    return (weir_outlier_config){.enabled = true,
                                 .interval_us = WEIR_SECONDS(10),
                                 .base_ejection_us = WEIR_SECONDS(30),
                                 .max_ejection_us = WEIR_SECONDS(300),
                                 .max_ejection_percent = 10,
                                 .success_rate = {1900, 100, 5, 100},
                                 .failure_percentage = {85, 100, 5, 50}};
}

static weir_outlier_config by_success_rate(void)
{
    weir_outlier_config config = defaults();
    config.by_success_rate = true;
    return config;
}

static weir_outlier_config by_failure_percentage(void)
{
    weir_outlier_config config = defaults();
    config.by_failure_percentage = true;
    return config;
}

struct hosts {
    weir_outlier hosts[HOSTS_MAX];
    weir_outlier *all[HOSTS_MAX];
    size_t count;
    weir_time now;
    uint64_t random;
};

static void hosts_init(struct hosts *h, size_t count)
{
    *h = (struct hosts){.count = count, .now = {WEIR_SECONDS(100)}, .random = 1};
    for (size_t i = 0; i < count; i++)
        h->all[i] = &h->hosts[i];
}

static void calls(struct hosts *h, size_t host, unsigned good, unsigned bad)
{
    for (unsigned i = 0; i < good + bad; i++)
        weir_outlier_count(&h->hosts[host], i < bad);
}

static void calls_of_all(struct hosts *h, unsigned good, unsigned bad)
{
    for (size_t i = 0; i < h->count; i++)
        calls(h, i, good, bad);
}

/** One interval goes by. */
static bool sweep(struct hosts *h, const weir_outlier_config *config)
{
    h->now = weir_time_add(h->now, config->interval_us);
    return weir_outlier_sweep(h->all, h->count, config, h->now, &h->random);
}

static size_t ejected(const struct hosts *h)
{
    size_t count = 0;
    for (size_t i = 0; i < h->count; i++)
        count += h->hosts[i].ejected;
    return count;
}

/* One host among others: is it ejected? */

struct table {
    const char *what;
    size_t count;       /* hosts */
    unsigned good, bad; /* of all but the first */
    unsigned first_good, first_bad;
    bool ejected;
};

static void check(const struct table *rows, size_t count, const weir_outlier_config *config)
{
    for (size_t i = 0; i < count; i++) {
        const struct table *row = &rows[i];
        struct hosts h;
        hosts_init(&h, row->count);
        calls(&h, 0, row->first_good, row->first_bad);
        for (size_t n = 1; n < row->count; n++)
            calls(&h, n, row->good, row->bad);
        bool changed = sweep(&h, config);
        if (h.hosts[0].ejected != row->ejected || changed != row->ejected)
            fail_msg("%s: %s", row->what, h.hosts[0].ejected ? "ejected" : "not ejected");
        assert_int_equal(ejected(&h), row->ejected);
        assert_int_equal(h.hosts[0].good + h.hosts[0].bad, 0);
    }
}

/* With n hosts of which one is off by d, the mean is d/n below the others and the deviation
 * d * sqrt(n-1) / n, so the one is sqrt(n-1) deviations below the mean: 1.9 needs n > 4.61. */
TEST(outlier, success_rate_follows_its_table)
{
    static const struct table rows[] = {
        {"far below the others", 10, 100, 0, 10, 90, true},
        {"a little below, but the others are all the same", 10, 100, 0, 99, 1, true},
        {"like the others", 10, 90, 10, 90, 10, false},
        {"above the others", 10, 50, 50, 100, 0, false},
        {"all of them fail", 10, 0, 100, 0, 100, false},
        {"too few calls to the host", 10, 100, 0, 0, 99, false},
        {"as many calls as are needed", 10, 100, 0, 0, 100, true},
        {"too few hosts", 4, 100, 0, 0, 100, false},
        {"as many hosts as are needed", 5, 100, 0, 0, 100, true},
        {"too few hosts with enough calls", 10, 99, 0, 0, 100, false},
        {"no calls at all", 10, 0, 0, 0, 0, false},
    };
    const weir_outlier_config config = by_success_rate();
    check(rows, sizeof rows / sizeof *rows, &config);
}

TEST(outlier, the_deviation_factor_decides_how_far_off_is_too_far)
{
    static const struct table near[] = {{"2.0 deviations, 1.9 allowed", 5, 100, 0, 0, 100, true}};
    static const struct table far[] = {{"2.0 deviations, 2.1 allowed", 5, 100, 0, 0, 100, false}};
    weir_outlier_config config = by_success_rate();
    check(near, 1, &config);
    config.success_rate.stdev_factor = 2100;
    check(far, 1, &config);
}

TEST(outlier, failure_percentage_follows_its_table)
{
    static const struct table rows[] = {
        {"above the threshold", 10, 50, 0, 7, 43, true},
        {"at the threshold", 10, 100, 0, 15, 85, false},
        {"just above the threshold", 10, 100, 0, 14, 86, true},
        {"below the threshold", 10, 100, 0, 20, 80, false},
        {"too few calls to the host", 10, 50, 0, 0, 49, false},
        {"as many calls as are needed", 10, 50, 0, 0, 50, true},
        {"hosts without calls count as hosts", 5, 0, 0, 0, 50, true},
        {"too few hosts", 4, 50, 0, 0, 50, false},
        {"no calls at all", 10, 0, 0, 0, 0, false},
    };
    const weir_outlier_config config = by_failure_percentage();
    check(rows, sizeof rows / sizeof *rows, &config);
}

TEST(outlier, volumes_of_zero_do_not_divide_by_it)
{
    static const struct table rows[] = {{"no calls at all", 10, 0, 0, 0, 0, false}};
    weir_outlier_config config = by_failure_percentage();
    config.by_success_rate = true;
    config.success_rate.request_volume = config.failure_percentage.request_volume = 0;
    config.success_rate.minimum_hosts = config.failure_percentage.minimum_hosts = 0;
    check(rows, 1, &config);
    assert_false(weir_outlier_sweep(NULL, 0, &config, (weir_time){1}, &(uint64_t){1}));
}

TEST(outlier, never_more_are_ejected_than_the_percentage_but_always_one)
{
    static const struct {
        size_t hosts;
        unsigned percent;
        size_t most;
    } rows[] = {{5, 10, 1},  {10, 10, 1}, {19, 10, 1},   {20, 10, 2},   {25, 10, 2}, {100, 10, 10},
                {10, 50, 5}, {10, 0, 1},  {10, 100, 10}, {100, 33, 33}, {7, 30, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weir_outlier_config config = by_failure_percentage();
        struct hosts h;
        config.max_ejection_percent = rows[i].percent;
        hosts_init(&h, rows[i].hosts);
        for (int n = 0; n < 50; n++) { /* some come back, others go */
            calls_of_all(&h, 0, 100);
            sweep(&h, &config);
            assert_in_range(ejected(&h), n == 0 ? rows[i].most : 0, rows[i].most);
        }
    }
}

TEST(outlier, both_algorithms_share_the_percentage_and_count_a_host_once)
{
    weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    config.by_success_rate = true;
    hosts_init(&h, 20);
    calls_of_all(&h, 100, 0);
    for (size_t i = 0; i < 3; i++)
        h.hosts[i] = (weir_outlier){.bad = 100};
    assert_true(sweep(&h, &config));
    assert_int_equal(ejected(&h), 2);
    assert_int_equal(h.hosts[0].ejections, 1);
}

TEST(outlier, the_enforcement_percentage_is_a_chance)
{
    static const unsigned percents[] = {0, 25, 100};
    for (int i = 0; i < 3; i++) {
        weir_outlier_config config = by_failure_percentage();
        unsigned hits = 0;
        uint64_t random = 5;
        config.failure_percentage.enforcement_percentage = percents[i];
        for (int n = 0; n < 4000; n++) {
            struct hosts h;
            hosts_init(&h, 5);
            h.random = random;
            calls(&h, 0, 0, 50);
            hits += sweep(&h, &config);
            random = h.random + 1;
        }
        assert_in_range(hits, percents[i] == 25 ? 880 : 40 * percents[i],
                        percents[i] == 25 ? 1120 : 40 * percents[i]);
    }
}

/* Coming back. */

/** Intervals until the first host is in again. */
static int intervals_out(struct hosts *h, const weir_outlier_config *config)
{
    int intervals = 0;
    while (h->hosts[0].ejected) {
        sweep(h, config);
        assert_in_range(++intervals, 1, 1000);
    }
    return intervals;
}

/* It comes back at the first sweep after its time: 30 s are over a moment before 4 intervals. */
TEST(outlier, each_ejection_is_longer_up_to_the_maximum)
{
    const weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    hosts_init(&h, 10);
    for (int n = 1; n <= 15; n++) {
        calls(&h, 0, 0, 50);
        assert_true(sweep(&h, &config));
        assert_int_equal(h.hosts[0].ejections, n);
        assert_int_equal(intervals_out(&h, &config), n < 10 ? 3 * n + 1 : 31);
    }
}

TEST(outlier, good_intervals_make_the_next_ejection_shorter)
{
    const weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    hosts_init(&h, 10);
    h.hosts[0].ejections = 3;
    for (unsigned left = 3; left > 0; left--) {
        assert_int_equal(h.hosts[0].ejections, left);
        assert_false(sweep(&h, &config));
    }
    assert_false(sweep(&h, &config));
    assert_int_equal(h.hosts[0].ejections, 0);
    calls(&h, 0, 0, 50);
    sweep(&h, &config);
    assert_int_equal(intervals_out(&h, &config), 4);
}

TEST(outlier, a_base_above_the_maximum_counts)
{
    weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    config.max_ejection_us = WEIR_SECONDS(5);
    hosts_init(&h, 10);
    for (int n = 0; n < 3; n++) {
        calls(&h, 0, 0, 50);
        sweep(&h, &config);
        assert_int_equal(intervals_out(&h, &config), 4);
    }
}

TEST(outlier, the_longest_times_do_not_overflow)
{
    weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    config.base_ejection_us = config.max_ejection_us = INT64_MAX;
    hosts_init(&h, 10);
    calls(&h, 0, 0, 50);
    h.hosts[0].ejections = 4000000000u;
    sweep(&h, &config);
    for (int n = 0; n < 10; n++)
        assert_false(sweep(&h, &config));
    assert_true(h.hosts[0].ejected);
}

TEST(outlier, one_that_flaps_is_out_more_and_more)
{
    const weir_outlier_config config = by_failure_percentage();
    struct hosts h;
    unsigned in[2] = {0};
    hosts_init(&h, 10);
    for (int n = 0; n < 400; n++) {
        bool is_in = !h.hosts[0].ejected;
        in[n / 200] += is_in;
        calls(&h, 0, n % 2 || !is_in ? 0 : 60, n % 2 && is_in ? 60 : 0);
        sweep(&h, &config);
    }
    assert_in_range(in[0], 1, 80);
    assert_in_range(in[1], 1, in[0] - 1);
}

TEST(outlier, without_a_config_all_come_back)
{
    weir_outlier_config configs[] = {by_failure_percentage(), defaults()};
    configs[0].enabled = false;
    for (int i = 0; i < 2; i++) {
        const weir_outlier_config on = by_failure_percentage();
        struct hosts h;
        hosts_init(&h, 10);
        calls(&h, 0, 0, 50);
        sweep(&h, &on);
        assert_int_equal(ejected(&h), 1);
        assert_true(sweep(&h, &configs[i]));
        assert_int_equal(ejected(&h), 0);
        assert_int_equal(h.hosts[0].ejections, 0);
        assert_false(sweep(&h, &configs[i]));
    }
}
