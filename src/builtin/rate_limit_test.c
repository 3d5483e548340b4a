#include "test.h"

#include <pthread.h>

#include "rpc_fixture.h"
#include <weir/builtin/rate_limit.h>

static weir_time at_ms(int64_t ms)
{
    return (weir_time){.us = WEIR_SECONDS(1000) + WEIR_MILLISECONDS(ms)};
}

static int taken_at(weir_rate_limiter *limiter, const char *key, int64_t ms, int tries)
{
    int taken = 0;
    for (int i = 0; i < tries; i++)
        taken += weir_rate_limiter_take(limiter, weir_str_from(key), at_ms(ms), NULL);
    return taken;
}

TEST(rate_limit, a_burst_and_then_the_rate)
{
    weir_rate_limiter *limiter;
    assert_ok(
        weir_rate_limiter_new(&limiter, &(weir_rate_limit_opts){.per_second = 10, .burst = 3}));
    assert_int_equal(taken_at(limiter, "", 0, 10), 3);
    assert_int_equal(taken_at(limiter, "", 99, 10), 0);
    assert_int_equal(taken_at(limiter, "", 100, 10), 1);
    assert_int_equal(taken_at(limiter, "", 350, 10), 2);
    assert_int_equal(taken_at(limiter, "", 100000, 10), 3);
    weir_rate_limiter_free(limiter);
}

TEST(rate_limit, it_says_how_long_to_wait)
{
    weir_rate_limiter *limiter;
    assert_ok(
        weir_rate_limiter_new(&limiter, &(weir_rate_limit_opts){.per_second = 10, .burst = 1}));
    int64_t wait_us = 0;
    assert_true(weir_rate_limiter_take(limiter, WEIR_STR("k"), at_ms(0), &wait_us));
    assert_false(weir_rate_limiter_take(limiter, WEIR_STR("k"), at_ms(40), &wait_us));
    assert_int_equal(wait_us, WEIR_MILLISECONDS(60));
    weir_rate_limiter_free(limiter);
}

TEST(rate_limit, keys_have_limits_of_their_own)
{
    weir_rate_limiter *limiter;
    assert_ok(weir_rate_limiter_new(
        &limiter,
        &(weir_rate_limit_opts){.per_second = 1, .burst = 2, .key = WEIR_RATE_PER_METHOD}));
    assert_int_equal(taken_at(limiter, "a", 0, 5), 2);
    assert_int_equal(taken_at(limiter, "b", 0, 5), 2);
    weir_rate_limiter_free(limiter);
}

TEST(rate_limit, a_rate_that_is_none_is_refused)
{
    weir_rate_limiter *limiter;
    assert_err(weir_rate_limiter_new(&limiter, &(weir_rate_limit_opts){0}), WEIR_EINVAL);
    assert_err(weir_rate_limiter_new(&limiter, &(weir_rate_limit_opts){.per_second = -1}),
               WEIR_EINVAL);
}

enum {
    THREADS = 4,
    TRIES = 20000
};

static void *take_many(void *argument)
{
    return (void *)(intptr_t)taken_at(argument, "k", 0, TRIES);
}

TEST(rate_limit, threads_share_it_exactly)
{
    weir_rate_limiter *limiter;
    assert_ok(weir_rate_limiter_new(&limiter,
                                    &(weir_rate_limit_opts){.per_second = 1000, .burst = 12345}));
    pthread_t threads[THREADS];
    intptr_t sum = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, limiter), 0);
    for (int i = 0; i < THREADS; i++) {
        void *taken;
        pthread_join(threads[i], &taken);
        sum += (intptr_t)taken;
    }
    assert_int_equal(sum, 12345);
    weir_rate_limiter_free(limiter);
}

static void answer(weir_call *call, const text *request, void *user)
{
    (void)request, (void)user;
    assert_ok(weir_call_reply(call, &(text){0}));
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = answer}, [SPLIT] = {.open = answer}};

static void expect_limits(weir_rate_key key, bool others_too)
{
    weir_rate_limiter *limiter;
    assert_ok(weir_rate_limiter_new(
        &limiter, &(weir_rate_limit_opts){.per_second = 0.001, .burst = 2, .key = key}));
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, (weir_interceptor_use[]){{&weir_rate_limit, limiter}}, 1,
                     NULL, 0);
    rpc_fixture_expect(&f, "", NULL, "");
    rpc_fixture_expect(&f, "", NULL, "");
    rpc_fixture_refused(&f, UNARY, NULL, WEIR_STATUS_RESOURCE_EXHAUSTED,
                        "too many calls: try again in ");
    text *reply;
    weir_status status = rpc_fixture_ask(&f, SPLIT, "", NULL, &reply);
    assert_int_equal(status.code, others_too ? WEIR_STATUS_RESOURCE_EXHAUSTED : WEIR_STATUS_OK);
    rpc_fixture_close(&f);
    weir_rate_limiter_free(limiter);
}

TEST(rate_limit, calls_beyond_it_are_refused_at_once)
{
    expect_limits(WEIR_RATE_ALL, true);
    expect_limits(WEIR_RATE_PER_METHOD, false);
    expect_limits(WEIR_RATE_PER_ADDRESS, true);
    expect_limits(WEIR_RATE_PER_IDENTITY, true);
}
