/* Two engines back to back: no socket, no clock. */
#include "test.h"

#include "grpc_testing.h"

/* The four kinds of call are one thing here: messages both ways, a half-close, a status. */

TEST(grpc, a_call_carries_messages_both_ways_and_ends_with_ok)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = echo;
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    send(call, "ping");
    send(call, "ping2");
    assert_ok(weir_grpc_half_close(call));
    settle(p);
    assert_string_equal(p->server.seen,
                        "request /s.S/M;message ping;message ping2;half-close;close OK;");
    assert_string_equal(p->client.seen, "headers;message pong;message pong;close OK;");
    pair_close(p);
}

static void fail_at_once(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") == 0)
        finish(call, WEIR_STATUS_NOT_FOUND, "no user \xc3\xa9 100%\n");
}

TEST(grpc, an_error_before_any_message_arrives_with_its_text)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = fail_at_once;
    start(p, weir_time_never(), NULL);
    settle(p);
    assert_string_equal(p->client.seen, "close NOT_FOUND no user \xc3\xa9 100%\n;");
    pair_close(p);
}

static void add_metadata(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") != 0)
        return;
    const weir_metadata *got = weir_grpc_call_metadata(call);
    assert_str(*weir_metadata_get(got, WEIR_STR("x-user")), "ann");
    assert_str(*weir_metadata_get(got, WEIR_STR("x-key-bin")), "\0\1\xff");
    assert_ok(weir_grpc_add_header(call, WEIR_STR("x-first"), WEIR_STR("1")));
    assert_ok(weir_grpc_add_trailer(call, WEIR_STR("x-last-bin"), WEIR_STR("\xff")));
    assert_err(weir_grpc_add_trailer(call, WEIR_STR("grpc-status"), WEIR_STR("0")), WEIR_EINVAL);
    assert_err(weir_grpc_add_trailer(call, WEIR_STR("X-Upper"), WEIR_STR("0")), WEIR_EINVAL);
    assert_err(weir_grpc_add_trailer(call, WEIR_STR("x"), WEIR_STR("a\nb")), WEIR_EINVAL);
    finish(call, WEIR_STATUS_OK, "");
    assert_err(weir_grpc_add_trailer(call, WEIR_STR("x"), WEIR_STR("y")), WEIR_ESTATE);
}

static void check_metadata(end *e, weir_grpc_call *call, const char *event)
{
    if (strcmp(event, "close") != 0)
        return;
    assert_str(*weir_metadata_get(weir_grpc_call_metadata(call), WEIR_STR("x-first")), "1");
    assert_str(*weir_metadata_get(weir_grpc_call_trailers(call), WEIR_STR("x-last-bin")), "\xff");
    note(e, "checked;");
}

TEST(grpc, metadata_goes_both_ways_also_binary)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = add_metadata;
    p->client.act = check_metadata;
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    weir_metadata metadata = {0};
    assert_ok(weir_metadata_add(&metadata, &arena, WEIR_STR("x-user"), WEIR_STR("ann")));
    assert_ok(weir_metadata_add(&metadata, &arena, WEIR_STR("x-key-bin"), WEIR_STR("\0\1\xff")));
    start(p, weir_time_never(), &metadata);
    settle(p);
    assert_string_equal(p->client.seen, "headers;close OK;checked;");
    weir_arena_fini(&arena);
    pair_close(p);
}

TEST(grpc, a_deadline_ends_both_sides)
{
    pair *p = pair_open(NULL, NULL);
    start(p, weir_time_add(p->now, WEIR_MILLISECONDS(50)), NULL);
    settle(p);
    assert_int_equal(weir_grpc_call_deadline(p->server.call).us, p->now.us + 50000);
    pass_time(p, WEIR_MILLISECONDS(49));
    assert_string_equal(p->client.seen, "");
    pass_time(p, WEIR_MILLISECONDS(3));
    assert_string_equal(p->client.seen, "close DEADLINE_EXCEEDED deadline exceeded;");
    assert_non_null(strstr(p->server.seen, "close "));
    assert_int_equal(weir_grpc_calls(p->server.grpc), 0);
    pair_close(p);
}

TEST(grpc, a_server_ends_a_call_whose_client_does_not_watch_the_clock)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.max_call_us = WEIR_MILLISECONDS(10)});
    start(p, weir_time_never(), NULL);
    settle(p);
    pass_time(p, WEIR_MILLISECONDS(12));
    assert_string_equal(p->client.seen, "close DEADLINE_EXCEEDED deadline exceeded;");
    assert_string_equal(p->server.seen,
                        "request /s.S/M;close DEADLINE_EXCEEDED deadline exceeded;");
    pair_close(p);
}

static void pause_at_first(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "headers") == 0)
        weir_grpc_pause(call);
}

static void greet(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") == 0)
        send(call, "welcome");
}

TEST(grpc, a_deadline_takes_the_place_of_messages_that_were_not_sent)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.max_call_us = WEIR_MILLISECONDS(10)});
    p->server.act = greet;
    start(p, weir_time_never(), NULL);
    carry(p, &p->client, &p->server);
    p->now = weir_time_add(p->now, WEIR_MILLISECONDS(20));
    weir_timers_advance(&p->server.timers, p->now);
    settle(p);
    assert_string_equal(p->client.seen, "headers;close DEADLINE_EXCEEDED deadline exceeded;");
    pair_close(p);
}

TEST(grpc, a_deadline_resets_a_call_whose_reader_has_closed_its_window)
{
    pair *p = pair_open(&(weir_grpc_opts){.h2 = {.stream_window = 4}},
                        &(weir_grpc_opts){.max_call_us = WEIR_MILLISECONDS(10)});
    p->server.act = greet;
    p->client.act = pause_at_first;
    start(p, weir_time_never(), NULL);
    settle(p);
    pass_time(p, WEIR_MILLISECONDS(20));
    assert_int_equal(weir_grpc_calls(p->server.grpc), 0);
    assert_string_equal(p->client.seen,
                        "headers;close CANCELLED stream reset by the server: CANCEL;");
    pair_close(p);
}

TEST(grpc, a_server_that_is_first_to_reset_at_the_deadline_does_not_change_what_it_was)
{
    pair *p = pair_open(&(weir_grpc_opts){.h2 = {.stream_window = 4}},
                        &(weir_grpc_opts){.max_call_us = WEIR_MILLISECONDS(100)});
    p->server.act = greet;
    p->client.act = pause_at_first;
    start(p, weir_time_add(p->now, WEIR_MILLISECONDS(102)), NULL);
    settle(p);
    pass_time(p, WEIR_MILLISECONDS(101));
    assert_int_equal(weir_grpc_calls(p->server.grpc), 0);
    assert_string_equal(p->client.seen, "headers;close DEADLINE_EXCEEDED deadline exceeded;");
    pair_close(p);
}

TEST(grpc, a_cancelled_call_is_over_at_both_ends)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_cancel(call);
    settle(p);
    assert_string_equal(p->client.seen, "close CANCELLED cancelled;");
    assert_string_equal(p->server.seen, "request /s.S/M;close CANCELLED cancelled by the client;");
    assert_int_equal(weir_grpc_calls(p->client.grpc), 0);
    pair_close(p);
}

TEST(grpc, a_second_message_where_one_is_expected_is_refused)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_expect_one(p->server.call);
    send(call, "a");
    send(call, "b");
    settle(p);
    assert_string_equal(p->client.seen, "close UNIMPLEMENTED cardinality violation: a second "
                                        "message where one was expected;");
    pair_close(p);
}

TEST(grpc, no_message_where_one_is_expected_is_refused)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_expect_one(p->server.call);
    weir_grpc_half_close(call);
    settle(p);
    assert_string_equal(p->client.seen, "close UNIMPLEMENTED cardinality violation: no message "
                                        "where one was expected;");
    pair_close(p);
}

TEST(grpc, a_message_over_the_limit_ends_the_call_before_it_is_stored)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.max_receive_bytes = 1000});
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    static const uint8_t huge[WEIR_GRPC_PREFIX] = {0, 0xff, 0xff, 0xff, 0xff};
    assert_ok(weir_grpc_send_framed(call, huge, sizeof huge, NULL, NULL));
    settle(p);
    assert_string_equal(p->client.seen, "close RESOURCE_EXHAUSTED a message of 4294967295 bytes is "
                                        "larger than the limit of 1000;");
    pair_close(p);
}

TEST(grpc, invalid_flag_bytes_and_cut_messages_are_internal_errors)
{
    static const struct {
        uint8_t framed[8];
        const char *expected;
    } cases[] = {
        {{2, 0, 0, 0, 3, 'a', 'b', 'c'},
         "close INTERNAL a message begins with the invalid flag "
         "byte 2;"},
        {{1, 0, 0, 0, 3, 'a', 'b', 'c'},
         "close INTERNAL a message is marked as compressed without "
         "a grpc-encoding;"},
        {{0, 0, 0, 0, 9, 'a', 'b', 'c'}, "close INTERNAL the last message was cut off;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pair *p = pair_open(NULL, NULL);
        weir_grpc_call *call = start(p, weir_time_never(), NULL);
        assert_ok(weir_grpc_send_framed(call, cases[i].framed, 8, NULL, NULL));
        weir_grpc_half_close(call);
        settle(p);
        assert_string_equal(p->client.seen, cases[i].expected);
        pair_close(p);
    }
}

/* Flow control. */

enum {
    CHUNK = 10000
};

static int sent_chunks;

static void send_until_blocked(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") != 0 && strcmp(event, "writable") != 0)
        return;
    uint8_t *room;
    weir_err err = WEIR_OK;
    while (sent_chunks < 1000 && !(err = weir_grpc_send_begin(call, CHUNK, &room))) {
        memset(room, 'x', CHUNK);
        weir_grpc_send_end(call);
        sent_chunks++;
    }
    if (sent_chunks == 1000)
        finish(call, WEIR_STATUS_OK, "");
    else
        assert_err(err, WEIR_EAGAIN);
}

TEST(grpc, a_reader_that_pauses_stops_the_writer_and_nothing_is_lost)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = send_until_blocked;
    p->client.act = pause_at_first;
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    /* One stream window, and one high-water mark and a message at the writer. */
    assert_true(sent_chunks * CHUNK <= (256 << 10) + (64 << 10) + 2 * CHUNK);
    assert_int_equal(p->client.received_bytes, 0);
    weir_pool_stats stats;
    weir_pool_get_stats(p->client.pool, &stats);
    assert_true(stats.used_bytes < (512 << 10));
    weir_grpc_resume(call);
    settle(p);
    assert_int_equal(sent_chunks, 1000);
    assert_int_equal(p->client.received_bytes, 1000 * CHUNK);
    assert_string_equal(p->client.seen, "headers;close OK;");
    assert_true(p->server.writable > 0);
    pair_close(p);
}

static void answer_three(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") == 0) {
        send(call, "1");
        send(call, "2");
        send(call, "3");
        finish(call, WEIR_STATUS_OUT_OF_RANGE, "enough");
    }
}

TEST(grpc, messages_held_while_paused_come_before_the_end)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = answer_three;
    p->client.act = pause_at_first;
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    weir_grpc_half_close(call);
    settle(p);
    assert_string_equal(p->client.seen, "headers;");
    weir_grpc_resume(call);
    settle(p);
    assert_string_equal(p->client.seen,
                        "headers;message 1;message 2;message 3;close OUT_OF_RANGE enough;");
    assert_int_equal(weir_grpc_calls(p->client.grpc), 0);
    pair_close(p);
}

static void pause_each(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "message") == 0)
        weir_grpc_pause(call);
}

TEST(grpc, a_pause_inside_a_message_holds_the_next_one)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = answer_three;
    p->client.act = pause_each;
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    assert_string_equal(p->client.seen, "headers;message 1;");
    weir_grpc_resume(call);
    assert_string_equal(p->client.seen, "headers;message 1;message 2;");
    weir_grpc_cancel(call);
    settle(p);
    assert_string_equal(p->client.seen, "headers;message 1;message 2;close CANCELLED cancelled;");
    pair_close(p);
}

static int released;

static void count_release(void *user)
{
    (void)user;
    released++;
}

TEST(grpc, borrowed_bytes_are_released_once_also_when_the_call_dies)
{
    static uint8_t framed[WEIR_GRPC_PREFIX + 3] = {0, 0, 0, 0, 3, 'a', 'b', 'c'};
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    assert_ok(weir_grpc_send_framed(call, framed, sizeof framed, count_release, NULL));
    settle(p);
    assert_int_equal(released, 1);
    assert_ok(weir_grpc_send_framed(call, framed, sizeof framed, count_release, NULL));
    weir_grpc_cancel(call);
    assert_int_equal(released, 2);
    settle(p);
    assert_int_equal(released, 2);
    pair_close(p);
}

TEST(grpc, misuse_is_an_error)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    uint8_t *room;
    assert_ok(weir_grpc_half_close(call));
    assert_err(weir_grpc_half_close(call), WEIR_ESTATE);
    assert_err(weir_grpc_send_begin(call, 1, &room), WEIR_ESTATE);
    settle(p);
    finish(p->server.call, WEIR_STATUS_OK, "");
    assert_err(weir_grpc_finish(p->server.call, &(weir_status){0}), WEIR_ESTATE);
    assert_err(weir_grpc_send_begin(p->server.call, 1, &room), WEIR_ESTATE);
    settle(p);
    pair_close(p);
}

TEST(grpc, a_lost_connection_ends_calls_with_unavailable)
{
    pair *p = pair_open(NULL, NULL);
    start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_free(p->client.grpc, "the wire was cut");
    p->client.grpc = NULL;
    assert_string_equal(p->client.seen, "close UNAVAILABLE the wire was cut;");
    pair_close(p);
}

TEST(grpc, a_full_server_makes_the_client_wait)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.h2 = {.max_streams = 2}});
    settle(p);
    start(p, weir_time_never(), NULL);
    start(p, weir_time_never(), NULL);
    weir_grpc_call *third;
    weir_grpc_start begin = {.path = WEIR_STR("/s.S/M"), .deadline = weir_time_never()};
    assert_err(weir_grpc_call_start(&third, p->client.grpc, &begin), WEIR_EFULL);
    weir_grpc_cancel(p->client.call);
    settle(p);
    assert_ok(weir_grpc_call_start(&third, p->client.grpc, &begin));
    settle(p);
    pair_close(p);
}
