#include <weir/balance/outlier.h>

#include "test.h"

static const weir_breaker_config three = {.consecutive_failures = 3, .open_us = WEIR_SECONDS(2)};

static weir_time at(int64_t seconds)
{
    return (weir_time){WEIR_SECONDS(seconds)};
}

static weir_breaker opened_at(int64_t seconds)
{
    weir_breaker b = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(weir_breaker_done(&b, &three, true, at(seconds)), i == 2);
    return b;
}

TEST(breaker, opens_after_so_many_failures_in_a_row)
{
    weir_breaker b = {0};
    for (int i = 0; i < 30; i++)
        assert_false(weir_breaker_done(&b, &three, i % 3 > 0, at(10)));
    assert_true(weir_breaker_try(&b, at(10)));
    b = opened_at(10);
    assert_false(weir_breaker_allows(&b, at(10)));
    assert_false(weir_breaker_try(&b, at(11)));
}

TEST(breaker, lets_one_try_when_its_time_is_over)
{
    weir_breaker b = opened_at(10);
    assert_false(weir_breaker_allows(&b, (weir_time){WEIR_SECONDS(12) - 1}));
    assert_true(weir_breaker_allows(&b, at(12)));
    assert_true(weir_breaker_try(&b, at(12)));
    assert_false(weir_breaker_allows(&b, at(12)));
    assert_false(weir_breaker_try(&b, at(100)));
}

TEST(breaker, closes_when_the_one_succeeds)
{
    weir_breaker b = opened_at(10);
    assert_true(weir_breaker_try(&b, at(12)));
    assert_true(weir_breaker_done(&b, &three, false, at(13)));
    for (int i = 0; i < 5; i++)
        assert_true(weir_breaker_try(&b, at(13)));
    assert_false(weir_breaker_done(&b, &three, true, at(13)));
    assert_false(weir_breaker_done(&b, &three, true, at(13)));
    assert_true(weir_breaker_allows(&b, at(13)));
}

TEST(breaker, opens_for_twice_as_long_when_the_one_fails_up_to_half_a_minute)
{
    static const int64_t seconds[] = {2, 4, 8, 16, 30, 30, 30};
    weir_breaker b = opened_at(0);
    int64_t now = 0;
    for (int i = 0; i < 100; i++) {
        int64_t open = seconds[i < 6 ? i : 6];
        assert_false(weir_breaker_allows(&b, (weir_time){WEIR_SECONDS(now + open) - 1}));
        now += open;
        assert_true(weir_breaker_try(&b, at(now)));
        assert_true(weir_breaker_done(&b, &three, true, at(now)));
    }
    now += 30;
    assert_true(weir_breaker_try(&b, at(now)));
    assert_true(weir_breaker_done(&b, &three, false, at(now)));
    b = opened_at(now);
    assert_true(weir_breaker_allows(&b, at(now + 2))); /* and from the beginning again */
}

TEST(breaker, calls_that_began_before_it_opened_do_not_count)
{
    weir_breaker b = opened_at(10);
    assert_false(weir_breaker_done(&b, &three, false, at(11)));
    assert_false(weir_breaker_done(&b, &three, true, at(11)));
    assert_false(weir_breaker_allows(&b, at(11)));
    assert_true(weir_breaker_allows(&b, at(12)));
}

TEST(breaker, a_try_that_told_nothing_is_given_back)
{
    weir_breaker b = opened_at(10);
    assert_true(weir_breaker_try(&b, at(12)));
    weir_breaker_give_back(&b);
    assert_true(weir_breaker_try(&b, at(12)));
    assert_true(weir_breaker_done(&b, &three, false, at(12)));
    weir_breaker_give_back(&b);
    assert_true(weir_breaker_try(&b, at(12)));
}

TEST(breaker, never_opens_without_a_limit)
{
    const weir_breaker_config none = {.max_outstanding = 3};
    weir_breaker b = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(weir_breaker_try(&b, at(1)));
        assert_false(weir_breaker_done(&b, &none, true, at(1)));
    }
}

TEST(breaker, opens_for_a_second_by_default)
{
    const weir_breaker_config one = {.consecutive_failures = 1};
    weir_breaker b = {0};
    assert_true(weir_breaker_done(&b, &one, true, at(1)));
    assert_false(weir_breaker_allows(&b, (weir_time){WEIR_SECONDS(2) - 1}));
    assert_true(weir_breaker_allows(&b, at(2)));
}
