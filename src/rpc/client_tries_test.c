/* Retries and hedging, as the service config asks for them (gRFC A6). */
#include "test.h"

#include "backends.h"

#include <sched.h>
#include <string.h>

#define RETRY(attempts, more)                                                                      \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],"            \
    "\"retryPolicy\":{\"maxAttempts\":" #attempts ",\"initialBackoff\":\"0.01s\","                 \
    "\"maxBackoff\":\"0.1s\",\"backoffMultiplier\":2,"                                             \
    "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]" more "}"

#define HEDGE(attempts, delay)                                                                     \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],"            \
    "\"hedgingPolicy\":{\"maxAttempts\":" #attempts ",\"hedgingDelay\":\"" delay "\","             \
    "\"nonFatalStatusCodes\":[\"UNAVAILABLE\"]}}]}"

static backends bs;
static weir_status status;

static void open_with(int count, const char *config)
{
    backends_start(&bs, count);
    backends_open(&bs, &(weir_channel_opts){.service_config = config});
    backends_await(&bs, count);
    for (int i = 0; i < count; i++)
        atomic_store(&bs.all[i].asked, 0);
}

static int asked(void)
{
    int sum = 0;
    for (int i = 0; i < bs.count; i++)
        sum += atomic_load(&bs.all[i].asked);
    return sum;
}

static void fail_all(int times)
{
    for (int i = 0; i < bs.count; i++)
        atomic_store(&bs.all[i].fail_next, times);
}

static void hold(int i, int on)
{
    atomic_store(&bs.all[i].hold, on);
}

/* Retries. */

TEST(retry, goes_to_another_backend_and_says_how_often_it_was_tried)
{
    open_with(3, RETRY(4, ""));
    atomic_store(&bs.all[0].fail_next, -1);
    atomic_store(&bs.all[1].fail_next, -1);
    for (int i = 0; i < 12; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 2);
    assert_int_equal(atomic_load(&bs.all[2].asked), 12);
    assert_in_range(asked(), 13, 36);
    backends_close(&bs);
}

TEST(retry, ends_with_the_last_status_after_the_allowed_attempts)
{
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "backend 0 fails (3 tries)"));
    assert_int_equal(asked(), 3);
    assert_int_equal(atomic_load(&bs.all[0].attempts), 2);
    backends_close(&bs);
}

TEST(retry, is_not_for_other_codes)
{
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    atomic_store(&bs.all[0].code, WEIR_STATUS_NOT_FOUND);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_NOT_FOUND);
    assert_int_equal(asked(), 1);
    assert_int_equal(atomic_load(&bs.all[0].attempts), -1);
    backends_close(&bs);
}

TEST(retry, that_would_come_after_the_deadline_is_not_made)
{
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    bs.all[0].pushback = "3600000";
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_int_equal(asked(), 1);
    backends_close(&bs);
}

TEST(retry, comes_when_the_server_says)
{
    open_with(1, RETRY(3, ""));
    fail_all(2);
    bs.all[0].pushback = "1";
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    assert_int_equal(asked(), 3);
    backends_close(&bs);
}

TEST(retry, is_not_made_when_the_server_says_so)
{
    static const char *const forbid[] = {"-1", "soon", "99999999999"};
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    for (int i = 0; i < 3; i++) {
        bs.all[0].pushback = forbid[i];
        assert_int_equal(backends_ask(&bs, NULL, NULL), -WEIR_STATUS_UNAVAILABLE);
        assert_int_equal(asked(), i + 1);
    }
    backends_close(&bs);
}

TEST(retry, has_a_budget)
{
    open_with(1, RETRY(2, ",\"retryThrottling\":{\"maxTokens\":4,\"tokenRatio\":0.5}"));
    fail_all(-1);
    /* 4 tokens; above 2 there are retries: the first call has one (3, then 2 are left), */
    assert_int_equal(backends_ask(&bs, NULL, NULL), -WEIR_STATUS_UNAVAILABLE);
    assert_int_equal(asked(), 2);
    assert_int_equal(backends_ask(&bs, NULL, NULL), -WEIR_STATUS_UNAVAILABLE);
    assert_int_equal(asked(), 3);
    /* and 1 is left now: four successes make 3. */
    fail_all(0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    fail_all(1);
    assert_int_equal(backends_ask(&bs, NULL, NULL), -WEIR_STATUS_UNAVAILABLE);
    fail_all(0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    fail_all(1);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);
}

TEST(retry, of_a_call_that_is_cancelled_while_it_waits_is_not_made)
{
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    bs.all[0].pushback = "5000";
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (asked() == 0)
        sched_yield();
    weir_stream_cancel(stream);
    weir_status end = weir_stream_finish(stream, bs.mem);
    assert_true(end.code == WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    assert_int_equal(asked(), 1);
    backends_close(&bs);
}

TEST(retry, of_calls_that_wait_ends_with_the_channel)
{
    weir_stream *stream;
    open_with(1, RETRY(3, ""));
    fail_all(-1);
    bs.all[0].pushback = "5000";
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (asked() == 0)
        sched_yield();
    weir_channel_free(bs.channel);
    bs.channel = NULL;
    assert_int_equal(weir_stream_finish(stream, bs.mem).code, WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    backends_close(&bs);
}

TEST(retry, the_deadline_ends_a_call_that_is_tried_again_and_again)
{
    open_with(1, RETRY(5, ""));
    hold(0, 1);
    assert_int_equal(backends_ask(&bs, &(weir_call_opts){.timeout_us = 50000}, &status),
                     -WEIR_STATUS_DEADLINE_EXCEEDED);
    backends_close(&bs);
}

/* Retries of streams: the server fails what it has begun to read. */

static atomic_int stream_failures, stream_opened, stream_messages;

static void collect_open(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    atomic_fetch_add(&stream_opened, 1);
    weir_call_set_data(call, weir_arena_zalloc(weir_call_arena(call), 1000));
}

static void collect_message(weir_call *call, const text *request, void *user WEIR_UNUSED)
{
    char *all = weir_call_data(call);
    atomic_fetch_add(&stream_messages, 1);
    if (strlen(all) < 900)
        strncat(all, request->text.ptr, request->text.len < 10 ? request->text.len : 10);
    if (atomic_load(&stream_failures) > 0 && strlen(all) >= 3) {
        atomic_fetch_sub(&stream_failures, 1);
        weir_call_fail(call, WEIR_STATUS_UNAVAILABLE, "not now");
    }
}

static void collect_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    if (atomic_load(&stream_failures) == 0)
        assert_ok(weir_call_reply(call, &(text){.text = weir_str_from(weir_call_data(call))}));
}

static const test_handler collecting[METHODS] = {
    [COLLECT] = {.open = collect_open,
                 .message = collect_message,
                 .half_closed = collect_half_closed},
};

static test_server collector;

static weir_stream *open_stream(const char *config, int failures)
{
    weir_stream *stream;
    atomic_store(&stream_failures, failures);
    atomic_store(&stream_opened, 0);
    atomic_store(&stream_messages, 0);
    memset(&bs, 0, sizeof bs);
    bs.mem = weir_arena_new();
    test_server_open_at(&collector, "127.0.0.1:0", collecting, NULL, NULL);
    bs.channel = weir_channel_new(collector.addr, &(weir_channel_opts){.service_config = config});
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[COLLECT], NULL, NULL));
    return stream;
}

static void close_stream(weir_stream *stream)
{
    weir_stream_free(stream);
    backends_close(&bs);
    test_server_stop(&collector);
    test_server_join(&collector);
}

TEST(retry, of_a_stream_sends_its_messages_again_in_their_order)
{
    void *reply = NULL;
    weir_stream *stream = open_stream(RETRY(4, ""), 2);
    for (const char *c = "abcdefghij"; *c; c++)
        assert_ok(weir_stream_write(stream, &(text){.text = weir_str_of(c, 1)}));
    assert_ok(weir_stream_half_close(stream));
    assert_ok(weir_stream_read(stream, bs.mem, &reply));
    assert_true(weir_str_eq(((text *)reply)->text, WEIR_STR("abcdefghij")));
    assert_int_equal(weir_stream_finish(stream, bs.mem).code, WEIR_STATUS_OK);
    assert_int_equal(atomic_load(&stream_opened), 3);
    close_stream(stream);
}

TEST(retry, of_a_stream_that_has_sent_too_much_is_not_made)
{
    static char block[100000];
    void *reply = NULL;
    memset(block, 'x', sizeof block);
    weir_stream *stream = open_stream(RETRY(4, ""), 0);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_stream_write(stream, &(text){.text = weir_str_of(block, sizeof block)}));
    while (atomic_load(&stream_messages) < 3)
        sched_yield();
    atomic_store(&stream_failures, 1);
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("abc")}));
    assert_err(weir_stream_read(stream, bs.mem, &reply), WEIR_ECLOSED);
    assert_int_equal(weir_stream_finish(stream, bs.mem).code, WEIR_STATUS_UNAVAILABLE);
    assert_int_equal(atomic_load(&stream_opened), 1);
    close_stream(stream);
}

/* Hedging. */

TEST(hedge, the_first_answer_wins_and_the_others_are_cancelled)
{
    open_with(3, HEDGE(3, "0.02s"));
    hold(0, 1);
    hold(1, 1);
    for (int i = 0; i < 6; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 2);
    int held = atomic_load(&bs.all[0].asked) + atomic_load(&bs.all[1].asked);
    assert_in_range(held, 6, 12); /* each call began at one of them, or went through one */
    while (atomic_load(&bs.all[0].cancelled) + atomic_load(&bs.all[1].cancelled) < held)
        sched_yield();
    backends_close(&bs);
}

TEST(hedge, an_answer_in_time_needs_no_second_attempt)
{
    open_with(3, HEDGE(3, "30s"));
    for (int i = 0; i < 30; i++)
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    assert_int_equal(asked(), 30);
    backends_close(&bs);
}

TEST(hedge, a_failure_that_is_not_fatal_brings_the_next_attempt_at_once)
{
    open_with(3, HEDGE(3, "30s"));
    atomic_store(&bs.all[0].fail_next, -1);
    atomic_store(&bs.all[1].fail_next, -1);
    for (int i = 0; i < 12; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 2);
    backends_close(&bs);
}

TEST(hedge, a_fatal_failure_ends_the_call_and_the_other_attempts)
{
    open_with(2, HEDGE(2, "0.01s"));
    hold(0, 1);
    atomic_store(&bs.all[1].fail_next, -1);
    atomic_store(&bs.all[1].code, WEIR_STATUS_NOT_FOUND);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_NOT_FOUND);
        assert_non_null(strstr(weir_status_text(&status), "backend 1 fails"));
    }
    int held = atomic_load(&bs.all[0].asked);
    while (atomic_load(&bs.all[0].cancelled) < held)
        sched_yield();
    backends_close(&bs);
}

TEST(hedge, when_all_have_failed_the_last_failure_is_told)
{
    open_with(3, HEDGE(3, "30s"));
    fail_all(-1);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "fails (3 tries)"));
    assert_int_equal(asked(), 3);
    backends_close(&bs);
}

TEST(hedge, all_attempts_end_with_the_deadline_or_the_channel)
{
    weir_stream *stream;
    open_with(3, HEDGE(3, "0s"));
    for (int i = 0; i < 3; i++)
        hold(i, 1);
    assert_int_equal(backends_ask(&bs, &(weir_call_opts){.timeout_us = 500000}, &status),
                     -WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (asked() < 4)
        sched_yield();
    weir_channel_free(bs.channel);
    bs.channel = NULL;
    assert_int_equal(weir_stream_finish(stream, bs.mem).code, WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    backends_close(&bs);
}
