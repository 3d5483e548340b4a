/* Two engines back to back, and one against raw frames: no socket, no clock. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/codec/grpc.h>

#include "text.h"

/* One end and what it has seen, as text. */
typedef struct end {
    weir_grpc *grpc;
    weir_timers timers;
    weir_pool *pool;
    char seen[4096];
    weir_grpc_call *call; /* the last one */
    int writable;
    size_t received_bytes;
    void (*act)(struct end *end, weir_grpc_call *call, const char *event);
} end;

typedef struct pair {
    end client, server;
    weir_time now;
} pair;

static void note(end *e, const char *fmt, ...) WEIR_PRINTF(2, 3);
static void note(end *e, const char *fmt, ...)
{
    size_t len = strlen(e->seen);
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->seen + len, sizeof e->seen - len, fmt, args);
    va_end(args);
}

static void act(end *e, weir_grpc_call *call, const char *event)
{
    if (e->act)
        e->act(e, call, event);
}

static void on_request(weir_grpc_call *call, void *user)
{
    end *e = user;
    e->call = call;
    note(e, "request %.*s;", WEIR_STR_ARGS(weir_grpc_call_path(call)));
    act(e, call, "request");
}

static void on_headers(weir_grpc_call *call, void *user)
{
    note(user, "headers;");
    act(user, call, "headers");
}

static void on_message(weir_grpc_call *call, weir_str bytes, void *user)
{
    end *e = user;
    e->received_bytes += bytes.len;
    if (bytes.len <= 32)
        note(e, "message %.*s;", WEIR_STR_ARGS(bytes));
    act(e, call, "message");
}

static void on_half_close(weir_grpc_call *call, void *user)
{
    note(user, "half-close;");
    act(user, call, "half-close");
}

static void on_writable(weir_grpc_call *call, void *user)
{
    ((end *)user)->writable++;
    act(user, call, "writable");
}

static void on_close(weir_grpc_call *call, const weir_status *status, void *user)
{
    end *e = user;
    note(e, "close %s%s%s;", weir_status_name(status->code), status->message.len ? " " : "",
         status->message.len ? status->message.ptr : "");
    act(e, call, "close");
    if (e->call == call)
        e->call = NULL;
}

static const weir_grpc_ops ops = {on_request,  on_headers, on_message, on_half_close,
                                  on_writable, on_close,   NULL,       NULL};

static void end_open(end *e, weir_h2_role role, const weir_grpc_opts *opts, weir_time now)
{
    weir_timers_init(&e->timers, now);
    assert_ok(weir_pool_new(&e->pool, NULL));
    assert_ok(weir_grpc_new(&e->grpc, role, &ops, e, e->pool, &e->timers, opts));
}

static pair *pair_open(const weir_grpc_opts *client, const weir_grpc_opts *server)
{
    pair *p = calloc(1, sizeof *p);
    p->now.us = WEIR_SECONDS(1000);
    end_open(&p->client, WEIR_H2_CLIENT, client, p->now);
    end_open(&p->server, WEIR_H2_SERVER, server, p->now);
    return p;
}

static void pair_close(pair *p)
{
    weir_grpc_free(p->client.grpc, "closed");
    weir_grpc_free(p->server.grpc, "closed");
    weir_pool_free(p->client.pool);
    weir_pool_free(p->server.pool);
    free(p);
}

/** Moves what one end says to the other. @return whether there was anything */
static bool carry(pair *p, end *from, end *to)
{
    weir_buf wire;
    weir_buf_init(&wire, from->pool);
    assert_ok(weir_grpc_pull(from->grpc, &wire, 1 << 20));
    bool any = weir_buf_len(&wire) > 0;
    while (weir_buf_len(&wire) > 0) {
        weir_str front = weir_buf_front(&wire);
        char *copy = malloc(front.len);
        memcpy(copy, front.ptr, front.len);
        weir_err err = weir_grpc_feed(to->grpc, p->now, copy, front.len);
        free(copy);
        assert_ok(err);
        weir_buf_retrieve(&wire, front.len);
    }
    return any;
}

static void settle(pair *p)
{
    for (int turns = 0; turns < 1000; turns++) {
        bool more = carry(p, &p->client, &p->server);
        if (!carry(p, &p->server, &p->client) && !more)
            return;
    }
    fail_msg("the two ends never fall silent");
}

static void pass_time(pair *p, int64_t us)
{
    p->now = weir_time_add(p->now, us);
    weir_timers_advance(&p->client.timers, p->now);
    weir_timers_advance(&p->server.timers, p->now);
    settle(p);
}

static weir_grpc_call *start(pair *p, weir_time deadline, const weir_metadata *metadata)
{
    weir_grpc_start begin = {
        .path = WEIR_STR("/s.S/M"),
        .authority = WEIR_STR("localhost"),
        .user_agent = WEIR_STR("test"),
        .deadline = deadline,
        .metadata = metadata,
    };
    weir_grpc_call *call = NULL;
    assert_ok(weir_grpc_call_start(&call, p->client.grpc, &begin));
    p->client.call = call;
    return call;
}

static void send(weir_grpc_call *call, const char *text)
{
    uint8_t *room = NULL;
    assert_ok(weir_grpc_send_begin(call, strlen(text), &room));
    memcpy(room, text, strlen(text));
    weir_grpc_send_end(call);
}

static void finish(weir_grpc_call *call, weir_status_code code, const char *text)
{
    assert_ok(weir_grpc_finish(call, &(weir_status){code, weir_str_from(text), {0}}));
}

/* The four kinds of call are one thing here: messages both ways, a half-close, a status. */

static void echo(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "message") == 0)
        send(call, "pong");
    if (strcmp(event, "half-close") == 0)
        finish(call, WEIR_STATUS_OK, "");
}

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

static void pause_at_first(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "headers") == 0)
        weir_grpc_pause(call);
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

TEST(grpc, draining_takes_calls_that_are_on_their_way_and_then_no_more)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = echo;
    settle(p);
    weir_grpc_drain(p->server.grpc);
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    assert_false(weir_grpc_is_open(p->client.grpc));
    weir_grpc_drain_end(p->server.grpc);
    settle(p);
    assert_false(weir_grpc_is_over(p->server.grpc));
    weir_grpc_half_close(call);
    settle(p);
    assert_string_equal(p->client.seen, "close OK;");
    assert_true(weir_grpc_is_over(p->server.grpc));
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

/* Every way to be wrong in a request's headers, with a bare HTTP/2 client. */

typedef struct answer {
    char status[8], grpc_status[8], message[256], body[256];
    bool closed;
} answer;

static void raw_header(weir_h2 *h2 WEIR_UNUSED, void *stream, weir_str name, weir_str value,
                       void *user WEIR_UNUSED)
{
    answer *a = stream;
    if (weir_str_eq(name, WEIR_STR(":status")))
        snprintf(a->status, sizeof a->status, "%.*s", WEIR_STR_ARGS(value));
    if (weir_str_eq(name, WEIR_STR("grpc-status")))
        snprintf(a->grpc_status, sizeof a->grpc_status, "%.*s", WEIR_STR_ARGS(value));
    if (weir_str_eq(name, WEIR_STR("grpc-message")))
        snprintf(a->message, sizeof a->message, "%.*s", WEIR_STR_ARGS(value));
}

static void raw_headers_end(weir_h2 *h2 WEIR_UNUSED, void *stream WEIR_UNUSED,
                            weir_h2_block block WEIR_UNUSED, bool too_large WEIR_UNUSED,
                            void *user WEIR_UNUSED)
{
}

static void raw_data(weir_h2 *h2 WEIR_UNUSED, void *stream, const uint8_t *data, size_t len,
                     void *user WEIR_UNUSED)
{
    answer *a = stream;
    snprintf(a->body, sizeof a->body, "%.*s", (int)len, (const char *)data);
}

static void raw_end(weir_h2 *h2 WEIR_UNUSED, void *stream WEIR_UNUSED, void *user WEIR_UNUSED) {}

static void raw_close(weir_h2 *h2 WEIR_UNUSED, void *stream, uint32_t code WEIR_UNUSED,
                      bool remote WEIR_UNUSED, void *user WEIR_UNUSED)
{
    ((answer *)stream)->closed = true;
}

static void raw_body(weir_h2 *h2 WEIR_UNUSED, void *stream WEIR_UNUSED, size_t max WEIR_UNUSED,
                     weir_h2_body *out, void *user WEIR_UNUSED)
{
    *out = (weir_h2_body){0, true, false};
}

static weir_err raw_body_write(weir_h2 *h2 WEIR_UNUSED, void *stream WEIR_UNUSED,
                               weir_buf *out WEIR_UNUSED, size_t len WEIR_UNUSED,
                               void *user WEIR_UNUSED)
{
    return WEIR_OK;
}

static const weir_h2_ops raw_ops = {
    .on_header = raw_header,
    .on_headers_end = raw_headers_end,
    .on_data = raw_data,
    .on_end = raw_end,
    .on_close = raw_close,
    .on_body = raw_body,
    .on_body_write = raw_body_write,
};

/** What the server answers to a request with exactly these headers. */
static answer ask(const weir_h2_header *headers, size_t count, const weir_grpc_opts *opts)
{
    end server = {.act = echo};
    weir_time now = {WEIR_SECONDS(1000)};
    end_open(&server, WEIR_H2_SERVER, opts, now);
    weir_h2 *client;
    assert_ok(weir_h2_new(&client, WEIR_H2_CLIENT, &raw_ops, NULL, NULL, NULL));
    answer a = {.closed = false};
    int32_t id;
    assert_ok(weir_h2_submit_request(client, headers, count, true, &a, &id));
    weir_buf wire;
    weir_buf_init(&wire, NULL);
    for (int turn = 0; turn < 10; turn++) {
        assert_ok(weir_h2_pull(client, &wire, 1 << 20));
        const char *bytes = weir_buf_pullup(&wire, weir_buf_len(&wire));
        assert_ok(weir_grpc_feed(server.grpc, now, bytes ? bytes : "", weir_buf_len(&wire)));
        weir_buf_clear(&wire);
        assert_ok(weir_grpc_pull(server.grpc, &wire, 1 << 20));
        bytes = weir_buf_pullup(&wire, weir_buf_len(&wire));
        assert_ok(weir_h2_feed(client, now, bytes ? bytes : "", weir_buf_len(&wire)));
        weir_buf_clear(&wire);
    }
    assert_true(a.closed);
    weir_h2_free(client);
    weir_grpc_free(server.grpc, "closed");
    weir_pool_free(server.pool);
    return a;
}

#define H(name, value)                                                                             \
    {                                                                                              \
        WEIR_STR(name), WEIR_STR(value), false                                                     \
    }

TEST(grpc, requests_that_are_not_grpc_are_answered_in_http)
{
    const weir_h2_header html[] = {H(":method", "POST"), H(":scheme", "http"),
                                   H(":path", "/s.S/M"), H(":authority", "a"),
                                   H("te", "trailers"),  H("content-type", "text/html")};
    answer a = ask(html, 6, NULL);
    assert_string_equal(a.status, "415");
    assert_string_equal(a.body, "gRPC is spoken here: content-type must be application/grpc\n");
    a = ask(html, 5, NULL);
    assert_string_equal(a.status, "415");
    const weir_h2_header get[] = {H(":method", "GET"), H(":scheme", "http"), H(":path", "/"),
                                  H(":authority", "a")};
    a = ask(get, 4, NULL);
    assert_string_equal(a.status, "405");
    assert_string_equal(a.body, "gRPC is spoken here: the method must be POST\n");
}

TEST(grpc, wrong_headers_end_with_the_status_of_the_specification)
{
    weir_h2_header headers[] = {H(":method", "POST"),   H(":scheme", "http"),
                                H(":path", "/s.S/M"),   H(":authority", "a"),
                                H("te", "trailers"),    H("content-type", "application/grpc+proto"),
                                H("grpc-timeout", "1S")};
    answer a = ask(headers, 7, NULL);
    assert_string_equal(a.grpc_status, "0");
    headers[6] = (weir_h2_header)H("grpc-timeout", "12x");
    a = ask(headers, 7, NULL);
    assert_string_equal(a.grpc_status, "13");
    assert_string_equal(a.message, "grpc-timeout is malformed");
    headers[6] = (weir_h2_header)H("grpc-encoding", "snappy");
    a = ask(headers, 7, NULL);
    assert_string_equal(a.grpc_status, "12");
    headers[6] = (weir_h2_header)H("x-bin", "a");
    a = ask(headers, 7, NULL);
    assert_string_equal(a.grpc_status, "13");
    headers[4] = (weir_h2_header)H("x-no-te", "trailers");
    a = ask(headers, 6, NULL);
    assert_string_equal(a.grpc_status, "13");
}

TEST(grpc, a_header_list_over_the_limit_is_resource_exhausted)
{
    weir_h2_header headers[] = {H(":method", "POST"),
                                H(":scheme", "http"),
                                H(":path", "/s.S/M"),
                                H(":authority", "a"),
                                H("te", "trailers"),
                                H("content-type", "application/grpc"),
                                H("x-long", "0123456789012345678901234567890123456789")};
    answer a = ask(headers, 7, &(weir_grpc_opts){.h2 = {.header_list_bytes = 350}});
    assert_string_equal(a.grpc_status, "8");
    a = ask(headers, 6, &(weir_grpc_opts){.h2 = {.header_list_bytes = 350}});
    assert_string_equal(a.grpc_status, "0");
}
