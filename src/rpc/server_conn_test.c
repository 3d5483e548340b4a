/* A server's connections: age, idleness, PINGs, counters; and what their calls notice. */
#include "test.h"

#include <sched.h>

#include "h2_script.h"
#include "rpc_outcome.h"

/* Handlers that answer, or wait to be told. */

typedef struct held {
    weir_latch opened, closed;
    weir_call_id id;
    weir_status_code code;
} held;

static void answer(weir_call *call, const text *request, void *user)
{
    (void)user;
    assert_ok(weir_call_reply(call, request));
}

static void hold(weir_call *call, const text *request, void *user)
{
    (void)request;
    held *h = user;
    h->id = weir_call_id_of(call);
    weir_latch_down(&h->opened);
}

static void closed(weir_call *call, const weir_status *why, void *user)
{
    (void)call;
    held *h = user;
    h->code = why->code;
    weir_latch_down(&h->closed);
}

static const test_handler answering[METHODS] = {[UNARY] = {.open = answer}};
static const test_handler holding[METHODS] = {
    [UNARY] = {.open = hold, .closed = closed},
    [CHAT] = {.open = hold, .closed = closed},
};

static test_server server;
static weir_channel *channel;
static rpc_outcome call;
static held one;

static void open_both(const test_handler *methods, weir_server_opts opts)
{
    opts.loops = 2;
    weir_latch_init(&one.opened, 1);
    weir_latch_init(&one.closed, 1);
    test_server_open(&server, methods, &one, &opts);
    channel = weir_channel_new(server.addr, NULL);
    assert_non_null(channel);
}

static void close_both(void)
{
    weir_channel_free(channel);
    test_server_stop(&server);
    test_server_join(&server);
}

static void await_state(weir_connectivity wanted)
{
    weir_connectivity state;
    while ((state = weir_channel_state(channel, false)) != wanted)
        assert_true(weir_channel_wait_until(channel, state, weir_time_never()));
}

static void ask(const char *request, weir_status_code expected)
{
    rpc_outcome_start(&call, channel, request, NULL);
    assert_int_equal(rpc_outcome_wait(&call), expected);
}

TEST(server_conn, an_old_connection_is_drained_and_its_calls_finish)
{
    open_both(holding, (weir_server_opts){.max_connection_age_us = WEIR_MILLISECONDS(200)});
    rpc_outcome_start(&call, channel, "", NULL);
    weir_latch_wait(&one.opened);
    await_state(WEIR_CONNECTIVITY_IDLE); /* GOAWAY: new calls would go elsewhere */
    assert_ok(weir_call_reply_post(one.id, &text_type, &(text){.text = WEIR_STR("late")}));
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_OK);
    close_both();
}

TEST(server_conn, after_the_grace_an_old_connections_calls_end_with_unavailable)
{
    open_both(holding, (weir_server_opts){.max_connection_age_us = WEIR_MILLISECONDS(200),
                                          .max_connection_age_grace_us = WEIR_MILLISECONDS(10)});
    rpc_outcome_start(&call, channel, "", NULL);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_UNAVAILABLE);
    assert_true(rpc_outcome_says(&call, "max_age"));
    weir_latch_wait(&one.closed);
    assert_int_equal(one.code, WEIR_STATUS_UNAVAILABLE);
    close_both();
}

TEST(server_conn, a_connection_without_calls_is_drained_and_one_with_a_call_is_not)
{
    open_both(holding, (weir_server_opts){.max_connection_idle_us = WEIR_MILLISECONDS(200)});
    weir_channel_state(channel, true);
    await_state(WEIR_CONNECTIVITY_READY);
    await_state(WEIR_CONNECTIVITY_IDLE);
    rpc_outcome_start(&call, channel, "", NULL);
    await_state(WEIR_CONNECTIVITY_READY);
    assert_false(weir_channel_wait_until(channel, WEIR_CONNECTIVITY_READY,
                                         weir_time_add(weir_time_now(), WEIR_MILLISECONDS(500))));
    assert_ok(weir_call_reply_post(one.id, &text_type, &(text){.text = WEIR_STR("late")}));
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_OK);
    await_state(WEIR_CONNECTIVITY_IDLE);
    close_both();
}

/** A client made of raw bytes, which has met the server. */
static void raw_client(script *s)
{
    struct bytes b = {0};
    weir_addr to;
    assert_ok(weir_addr_parse(&to, server.addr, NULL));
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&to.storage, to.len), 0);
    client_hello(&b);
    script_say(s, &b);
}

TEST(server_conn, a_client_that_does_not_answer_a_ping_is_cut_off)
{
    script s;
    open_both(answering, (weir_server_opts){.keepalive_us = WEIR_MILLISECONDS(10),
                                            .keepalive_timeout_us = WEIR_MILLISECONDS(10)});
    raw_client(&s);
    script_await(&s, FRAME_PING);
    script_await_end(&s);
    close_both();
}

TEST(server_conn, the_reasons_of_goaways_reach_the_client)
{
    static script_frame f;
    script s;
    open_both(answering, (weir_server_opts){.max_connection_idle_us = WEIR_MILLISECONDS(10)});
    raw_client(&s);
    for (int goaways = 0; goaways < 2;) {
        assert_true(script_next(&s, &f));
        if (f.type == FRAME_PING) { /* between the two */
            struct bytes b = {0};
            assert_int_equal(goaways, 1);
            frame(&b, FRAME_PING, FLAG_ACK, 0, f.payload, f.len);
            script_say(&s, &b);
        } else if (f.type == FRAME_GOAWAY) {
            goaways++;
            assert_int_equal(f.len, 8 + strlen("max_idle"));
            assert_memory_equal(f.payload + 8, "max_idle", 8);
            assert_int_equal(f.payload[0], goaways == 1 ? 0x7f : 0);
        }
    }
    script_await_end(&s);
    close_both();
}

TEST(server_conn, counters_of_all_loops_add_up)
{
    weir_server_stats stats;
    open_both(answering, (weir_server_opts){0});
    weir_channel *second = weir_channel_new(server.addr, NULL), *first = channel;
    for (int i = 0; i < 10; i++) {
        channel = i % 2 ? second : first;
        ask("x", WEIR_STATUS_OK);
    }
    channel = first;
    weir_channel_free(second);
    do /* a call ends at its server after its client knows */
        weir_server_get_stats(server.server, &stats);
    while (stats.calls > 0);
    assert_int_equal(stats.calls_total, 10);
    assert_int_equal(stats.calls_failed, 0);
    close_both();
}

/* How calls end is seen by their handlers. */

static void expect_end(weir_status_code code)
{
    weir_latch_wait(&one.closed);
    assert_int_equal(one.code, code);
    assert_err(weir_call_send_post(one.id, &text_type, &(text){0}), WEIR_ECLOSED);
    assert_err(weir_call_reply_post(one.id, &text_type, &(text){0}), WEIR_ECLOSED);
    assert_err(weir_call_finish_post(one.id, &(weir_status){0}), WEIR_ECLOSED);
}

TEST(server_conn, a_handler_sees_that_its_client_has_cancelled)
{
    weir_stream *stream;
    open_both(holding, (weir_server_opts){0});
    assert_ok(weir_stream_open(&stream, channel, &test_methods[CHAT], NULL, NULL));
    weir_latch_wait(&one.opened);
    weir_stream_cancel(stream);
    expect_end(WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    close_both();
}

TEST(server_conn, a_handler_sees_that_its_client_has_gone)
{
    struct bytes b = {0}, block = {0};
    script s;
    open_both(holding, (weir_server_opts){0});
    raw_client(&s);
    bytes_add(&block, "\x83\x86\x01\x01h", 5);
    hpack_field(&block, ":path", "/test.Test/Chat");
    hpack_field(&block, "te", "trailers");
    hpack_field(&block, "content-type", "application/grpc");
    frame(&b, FRAME_HEADERS, FLAG_END_HEADERS, 1, block.at, block.len);
    bytes_free(&block);
    script_say(&s, &b);
    weir_latch_wait(&one.opened);
    script_hang_up(&s);
    expect_end(WEIR_STATUS_UNAVAILABLE);
    close_both();
}

TEST(server_conn, the_deadline_ends_both_sides)
{
    open_both(holding, (weir_server_opts){0});
    rpc_outcome_start(&call, channel, "", &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(500)});
    expect_end(WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_int_equal(rpc_outcome_wait(&call), WEIR_STATUS_DEADLINE_EXCEEDED);
    close_both();
}

TEST(server_conn, a_silent_client_loses_its_call)
{
    weir_stream *stream;
    weir_arena *mem = weir_arena_new();
    open_both(holding, (weir_server_opts){.call_idle_us = WEIR_MILLISECONDS(20)});
    assert_ok(weir_stream_open(&stream, channel, &test_methods[CHAT], NULL, NULL));
    expect_end(WEIR_STATUS_DEADLINE_EXCEEDED);
    void *message;
    assert_err(weir_stream_read(stream, mem, &message), WEIR_ECLOSED);
    weir_status status = weir_stream_finish(stream, mem);
    assert_int_equal(status.code, WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_non_null(strstr(weir_status_text(&status), "neither sent nor read"));
    weir_stream_free(stream);
    weir_arena_free(mem);
    close_both();
}
