/* A channel's connection: states, limits of the server, calls that are made again, PINGs. */
#include "test.h"

#include "h2_script.h"
#include "rpc_outcome.h"

#include <weir/codec/h2.h>

enum {
    SETTING_MAX_STREAMS = 3,
    SETTING_WINDOW = 4
};

static script server;
static weir_channel *channel;
static rpc_outcome call, other;

static void open_channel(weir_channel_opts opts)
{
    script_open(&server);
    channel = weir_channel_new(server.addr, &opts);
    assert_non_null(channel);
}

static void close_channel(void)
{
    weir_channel_free(channel);
    script_close(&server);
}

static weir_connectivity next_state(weir_connectivity seen)
{
    assert_true(weir_channel_wait_until(channel, seen, weir_time_never()));
    return weir_channel_state(channel, false);
}

static void await_state(weir_connectivity wanted)
{
    weir_connectivity state;
    while ((state = weir_channel_state(channel, false)) != wanted)
        next_state(state);
}

/* States. */

TEST(channel_connect, an_idle_channel_connects_when_asked_and_is_ready_after_the_settings)
{
    open_channel((weir_channel_opts){0});
    assert_int_equal(weir_channel_state(channel, false), WEIR_CONNECTIVITY_IDLE);
    assert_false(weir_channel_wait_until(channel, WEIR_CONNECTIVITY_IDLE, weir_time_now()));
    assert_int_equal(weir_channel_state(channel, true), WEIR_CONNECTIVITY_IDLE);
    assert_int_equal(next_state(WEIR_CONNECTIVITY_IDLE), WEIR_CONNECTIVITY_CONNECTING);
    script_accept(&server);
    assert_int_equal(weir_channel_state(channel, true), WEIR_CONNECTIVITY_CONNECTING);
    struct bytes b = {0};
    frame(&b, FRAME_SETTINGS, 0, 0, NULL, 0);
    script_say(&server, &b);
    assert_int_equal(next_state(WEIR_CONNECTIVITY_CONNECTING), WEIR_CONNECTIVITY_READY);
    script_hang_up(&server);
    assert_int_equal(next_state(WEIR_CONNECTIVITY_READY), WEIR_CONNECTIVITY_IDLE);
    close_channel();
}

TEST(channel_connect, a_refused_connection_is_a_transient_failure_until_somebody_listens)
{
    script_open(&server);
    char addr[WEIR_ADDR_TEXT_MAX];
    strcpy(addr, server.addr);
    script_close(&server);
    channel = weir_channel_new(addr, &(weir_channel_opts){.backoff_us = WEIR_SECONDS(3600)});
    weir_channel_state(channel, true);
    await_state(WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    rpc_outcome_start(&call, channel, "", NULL);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, addr));
    assert_true(rpc_outcome_says(&call, "(try 1, next in "));

    rpc_outcome_start(&call, channel, "", &(weir_call_opts){.wait_for_ready = true});
    weir_channel_reset_backoff(channel); /* fails again, at once */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    weir_addr at;
    assert_ok(weir_addr_parse(&at, addr, NULL));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at.storage, at.len), 0);
    assert_int_equal(listen(fd, 5), 0);
    server.listener = fd;
    while (weir_channel_state(channel, false) != WEIR_CONNECTIVITY_READY) {
        weir_channel_reset_backoff(channel);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (server.fd < 0 && poll(&p, 1, 10) == 1)
            script_greet(&server, SETTING_MAX_STREAMS, 10);
    }
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    close_channel();
}

typedef struct seen {
    weir_channel_watch watch;
    weir_task task;
    weir_latch added, down;
    char states[200];
} seen;

static void on_state(weir_channel_watch *watch, weir_connectivity state, void *user)
{
    seen *s = user;
    strcat(s->states, weir_connectivity_name(state));
    strcat(s->states, " ");
    if (state == WEIR_CONNECTIVITY_SHUTDOWN) {
        weir_channel_unwatch(watch);
        weir_latch_down(&s->down);
    }
}

static void add_watch(weir_task *task, weir_err err)
{
    seen *s = WEIR_CONTAINER_OF(task, seen, task);
    assert_ok(err);
    s->watch.fn = on_state;
    s->watch.user = s;
    weir_channel_watch_state(channel, &s->watch);
    weir_latch_down(&s->added);
}

TEST(channel_connect, a_watch_sees_every_state_in_its_order)
{
    seen s = {.states = ""};
    open_channel((weir_channel_opts){.backoff_us = WEIR_MILLISECONDS(1)});
    weir_latch_init(&s.added, 1);
    weir_latch_init(&s.down, 1);
    weir_loop_post(weir_channel_loop(channel), &s.task, add_watch);
    weir_latch_wait(&s.added);
    weir_channel_state(channel, true);
    for (int i = 0; i < 2; i++) { /* at once again after the first time */
        script_accept(&server);
        script_hang_up(&server); /* no SETTINGS: as good as not connected */
    }
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    await_state(WEIR_CONNECTIVITY_READY);
    close_channel();
    weir_latch_wait(&s.down);
    assert_string_equal(s.states, "CONNECTING TRANSIENT_FAILURE CONNECTING READY SHUTDOWN ");
}

TEST(channel_connect, a_channel_that_nobody_uses_becomes_idle_and_connects_again_at_need)
{
    open_channel((weir_channel_opts){.idle_us = WEIR_MILLISECONDS(20)});
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    await_state(WEIR_CONNECTIVITY_IDLE);
    script_await_end(&server);
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    uint32_t id = script_await(&server, FRAME_HEADERS);
    script_end_call(&server, id, "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    close_channel();
}

TEST(channel_connect, a_target_that_cannot_be_read_is_told_to_every_call)
{
    channel = weir_channel_new("xds:///x", NULL);
    rpc_outcome_start(&call, channel, "", &(weir_call_opts){.wait_for_ready = true});
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, "\"xds:///x\" has a scheme that is not known"));
    weir_channel_state(channel, true);
    weir_channel_reset_backoff(channel);
    weir_channel_free(channel);
}

/* Limits of the server. */

TEST(channel_connect, calls_wait_while_the_server_takes_none_and_start_when_it_takes_one)
{
    struct bytes b = {0};
    open_channel((weir_channel_opts){.max_queued = 1});
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 0);
    await_state(WEIR_CONNECTIVITY_READY);
    rpc_outcome_start(&other, channel, "", NULL);
    assert_int_equal(rpc_outcome_wait(&other), WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_true(rpc_outcome_says(&other, "max_queued"));
    frame_setting(&b, SETTING_MAX_STREAMS, 1);
    script_say(&server, &b);
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    close_channel();
}

TEST(channel_connect, the_deadline_counts_while_a_call_is_queued)
{
    open_channel((weir_channel_opts){0});
    rpc_outcome_start(&call, channel, "", &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(30)});
    script_greet(&server, SETTING_MAX_STREAMS, 0);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_DEADLINE_EXCEEDED);
    close_channel();
}

/* Transparent retries. */

TEST(channel_connect, a_refused_stream_is_tried_once_more)
{
    open_channel((weir_channel_opts){0});
    rpc_outcome_start(&call, channel, "again", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_reset(&server, script_await(&server, FRAME_HEADERS), WEIR_H2_REFUSED_STREAM);
    uint32_t id = script_await(&server, FRAME_HEADERS);
    assert_int_equal(id, 3);
    assert_int_equal(script_await(&server, FRAME_DATA), 3); /* the request once more */
    script_end_call(&server, id, "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);

    rpc_outcome_start(&call, channel, "twice", NULL);
    script_reset(&server, script_await(&server, FRAME_HEADERS), WEIR_H2_REFUSED_STREAM);
    script_reset(&server, script_await(&server, FRAME_HEADERS), WEIR_H2_REFUSED_STREAM);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, "REFUSED_STREAM"));
    close_channel();
}

TEST(channel_connect, calls_above_a_goaways_id_go_to_a_new_connection_and_those_below_finish)
{
    open_channel((weir_channel_opts){0});
    rpc_outcome_start(&call, channel, "first", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    assert_int_equal(script_await(&server, FRAME_HEADERS), 1);
    rpc_outcome_start(&other, channel, "second", NULL);
    assert_int_equal(script_await(&server, FRAME_HEADERS), 3);
    script_goaway(&server, 1, WEIR_H2_NO_ERROR, "max_age");
    script old = server;
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&other), WEIR_STATUS_NOT_FOUND);
    script_end_call(&old, 1, "6");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_ALREADY_EXISTS);
    script_await_end(&old); /* nothing keeps the old one */
    close_channel();
}

TEST(channel_connect, a_call_that_the_server_may_have_seen_is_not_made_again)
{
    open_channel((weir_channel_opts){0});
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_await(&server, FRAME_DATA);
    script_goaway(&server, 1, WEIR_H2_NO_ERROR, "going home");
    script_hang_up(&server);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, server.addr));
    assert_true(rpc_outcome_says(&call, "going home"));
    close_channel();
}

static const void *count_sending(weir_call *sender, const void *request, void *state, void *user)
{
    (void)sender;
    (void)state;
    ++*(int *)user;
    return request;
}

TEST(channel_connect, interceptors_see_a_request_once_however_often_it_is_sent)
{
    static const weir_interceptor counter = {.name = "counter", .sending = count_sending};
    int sent = 0;
    open_channel((weir_channel_opts){
        .interceptors = &(weir_interceptor_use){&counter, &sent},
        .interceptor_count = 1,
    });
    rpc_outcome_start(&call, channel, "again", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_reset(&server, script_await(&server, FRAME_HEADERS), WEIR_H2_REFUSED_STREAM);
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    assert_int_equal(sent, 1);
    close_channel();
}

TEST(channel_connect, a_refused_stream_of_messages_is_opened_again_unless_one_has_left)
{
    weir_stream *stream;
    weir_arena *mem = weir_arena_new();
    open_channel((weir_channel_opts){0});
    assert_ok(weir_stream_open(&stream, channel, &test_methods[CHAT], NULL, NULL));
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_reset(&server, script_await(&server, FRAME_HEADERS), WEIR_H2_REFUSED_STREAM);
    assert_int_equal(script_await(&server, FRAME_HEADERS), 3);
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("kept by nobody")}));
    assert_int_equal(script_await(&server, FRAME_DATA), 3);
    script_end_call(&server, 3, "5");
    weir_status status = weir_stream_finish(stream, mem);
    assert_int_equal(status.code, WEIR_STATUS_NOT_FOUND);
    weir_stream_free(stream);

    assert_ok(weir_stream_open(&stream, channel, &test_methods[CHAT], NULL, NULL));
    uint32_t id = script_await(&server, FRAME_HEADERS);
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("gone")}));
    script_await(&server, FRAME_DATA);
    script_reset(&server, id, WEIR_H2_REFUSED_STREAM);
    status = weir_stream_finish(stream, mem);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    weir_stream_free(stream);
    weir_arena_free(mem);
    close_channel();
}

TEST(channel_connect, a_server_without_http2_is_tried_again_later_each_time)
{
    open_channel((weir_channel_opts){.backoff_us = WEIR_MILLISECONDS(1)});
    rpc_outcome_start(&call, channel, "", &(weir_call_opts){.wait_for_ready = true});
    for (int i = 0; i < 3; i++) {
        script_accept(&server);
        script_hang_up(&server);
    }
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_end_call(&server, script_await(&server, FRAME_HEADERS), "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    close_channel();
}

/* Keepalive. */

static const weir_channel_opts lively = {
    .keepalive_us = WEIR_MILLISECONDS(20),
    .keepalive_floor_us = 1,
    .keepalive_timeout_us = WEIR_MILLISECONDS(20),
};

TEST(channel_connect, a_server_that_does_not_answer_a_ping_is_given_up)
{
    open_channel(lively);
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_await(&server, FRAME_HEADERS);
    script_await(&server, FRAME_PING);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, "keepalive watchdog timeout"));
    script_await_end(&server);
    close_channel();
}

static void answer_ping(void)
{
    struct bytes b = {0};
    script_await(&server, FRAME_PING);
    frame(&b, FRAME_PING, FLAG_ACK, 0, "\0\0\0\0\0\0\0\1", 8);
    script_say(&server, &b);
}

TEST(channel_connect, answered_pings_keep_a_silent_call)
{
    weir_channel_opts opts = lively;
    opts.keepalive_timeout_us = WEIR_SECONDS(20);
    open_channel(opts);
    rpc_outcome_start(&call, channel, "", NULL);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    uint32_t id = script_await(&server, FRAME_HEADERS);
    for (int i = 0; i < 5; i++)
        answer_ping();
    script_end_call(&server, id, "5");
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_NOT_FOUND);
    close_channel();
}

TEST(channel_connect, without_calls_there_are_pings_only_where_they_are_permitted)
{
    weir_channel_opts opts = lively;
    opts.keepalive_timeout_us = WEIR_SECONDS(20);
    open_channel(opts);
    weir_channel_state(channel, true);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_await(&server, FRAME_SETTINGS);
    script_await(&server, FRAME_WINDOW_UPDATE);
    static script_frame f;
    while (script_hears(&server, 100)) {
        assert_true(script_next(&server, &f));
        assert_true(f.type != FRAME_PING);
    }
    close_channel();

    opts.keepalive_permit_without_calls = true;
    open_channel(opts);
    weir_channel_state(channel, true);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    for (int i = 0; i < 3; i++)
        answer_ping();
    close_channel();
}

TEST(channel_connect, a_server_that_has_had_too_many_pings_gets_fewer)
{
    weir_channel_opts opts = lively;
    opts.keepalive_us = WEIR_MILLISECONDS(10);
    opts.keepalive_timeout_us = WEIR_SECONDS(20);
    opts.keepalive_permit_without_calls = true;
    open_channel(opts);
    /* 10 ms, doubled five times: the next PING does not come within 10 but within 320. */
    for (int i = 0; i < 5; i++) {
        weir_channel_state(channel, true);
        script_greet(&server, SETTING_MAX_STREAMS, 10);
        answer_ping();
        script_goaway(&server, 0, WEIR_H2_ENHANCE_YOUR_CALM, "too_many_pings");
        script_await_end(&server);
        await_state(WEIR_CONNECTIVITY_IDLE);
    }
    weir_time begin = weir_time_now();
    weir_channel_state(channel, true);
    script_greet(&server, SETTING_MAX_STREAMS, 10);
    script_await(&server, FRAME_PING);
    assert_true(weir_time_diff(weir_time_now(), begin) >= WEIR_MILLISECONDS(300));
    close_channel();
}
