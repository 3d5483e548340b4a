#include "test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/base/time.h>

static const char *text_of(int64_t us)
{
    static char text[WEIR_WALL_TEXT_MAX];
    size_t len = weir_wall_text((weir_wall){us}, text);
    assert_int_equal(len, strlen(text));
    return text;
}

TEST(time, the_monotonic_clock_does_not_go_back)
{
    weir_time first = weir_time_now(), second = weir_time_now();
    assert_false(weir_time_before(second, first));
    assert_true(weir_time_diff(second, first) >= 0);
}

TEST(time, never_stays_never_and_sums_do_not_wrap)
{
    assert_true(weir_time_add(weir_time_never(), -1000).us == WEIR_TIME_NEVER_US);
    assert_true(weir_time_add((weir_time){INT64_MAX - 5}, 10).us == WEIR_TIME_NEVER_US);
    assert_true(weir_time_add((weir_time){100}, -30).us == 70);
}

TEST(time, text_is_rfc_3339)
{
    assert_string_equal(text_of(0), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(text_of(1769862896123456), "2026-01-31T12:34:56.123456Z");
    assert_string_equal(text_of(951827696000001), "2000-02-29T12:34:56.000001Z");
    assert_string_equal(text_of(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(time, text_agrees_with_gmtime_over_many_years)
{
    for (int64_t second = -70000000000; second < 200000000000; second += 86399 * 997) {
        char expected[64];
        struct tm tm;
        time_t t = (time_t)second;
        gmtime_r(&t, &tm);
        snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02d.000042Z",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_string_equal(text_of(second * 1000000 + 42), expected);
    }
}

TEST(time, the_ends_of_time_fit_the_text)
{
    assert_true(strlen(text_of(INT64_MAX)) < WEIR_WALL_TEXT_MAX);
    assert_true(strlen(text_of(INT64_MIN)) < WEIR_WALL_TEXT_MAX);
}
