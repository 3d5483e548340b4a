/* Server and channel over real sockets: every kind of call through the blocking and the callback
 * interface. */
#include "test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc_testing.h"

/* Handlers that answer what they are told. */

static void unary(weir_call *call, const text *request, void *user)
{
    (void)user;
    if (weir_str_eq(request->text, WEIR_STR("fail"))) {
        weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "no user %d", 7);
        return;
    }
    if (weir_str_eq(request->text, WEIR_STR("silence")))
        return;
    text reply = {.text = weir_call_printf(call, "hello %.*s", WEIR_STR_ARGS(request->text))};
    assert_ok(weir_call_reply(call, &reply));
    assert_err(weir_call_reply(call, &reply), WEIR_ESTATE);
}

static void collect_message(weir_call *call, const text *request, void *user)
{
    (void)user;
    weir_str *all = weir_call_data(call);
    if (!all) {
        all = weir_arena_zalloc(weir_call_arena(call), sizeof *all);
        *all = WEIR_STR("");
        weir_call_set_data(call, all);
    }
    *all = weir_call_printf(call, "%.*s%.*s", WEIR_STR_ARGS(*all), WEIR_STR_ARGS(request->text));
}

static void collect_end(weir_call *call, void *user)
{
    (void)user;
    weir_str *all = weir_call_data(call);
    assert_ok(weir_call_reply(call, &(text){.text = all ? *all : WEIR_STR("nothing")}));
}

static void split(weir_call *call, const text *request, void *user)
{
    (void)user;
    for (size_t i = 0; i < request->text.len; i++)
        assert_ok(weir_call_send(call, &(text){.text = weir_str_of(request->text.ptr + i, 1)}));
    weir_call_finish(call);
}

static void chat(weir_call *call, const text *request, void *user)
{
    (void)user;
    assert_ok(weir_call_send(call, &(text){.text = request->text}));
}

static void chat_end(weir_call *call, void *user)
{
    (void)user;
    weir_call_finish(call);
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = unary},
    [COLLECT] = {.message = collect_message, .half_closed = collect_end},
    [SPLIT] = {.open = split},
    [CHAT] = {.message = chat, .half_closed = chat_end},
};

/* A server, a channel to it, and memory. */
typedef struct fixture {
    test_server server;
    weir_channel *channel;
    weir_arena *mem;
} fixture;

static void open_fixture(fixture *f, const weir_server_opts *opts)
{
    test_server_open(&f->server, methods, NULL, opts);
    f->channel = weir_channel_new(f->server.addr, NULL);
    f->mem = weir_arena_new();
    assert_non_null(f->channel);
}

static void close_fixture(fixture *f)
{
    weir_channel_free(f->channel);
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
}

static weir_status ask(fixture *f, const char *request, const char *expected)
{
    void *reply = NULL;
    weir_status status = weir_unary_call(f->channel, &test_methods[UNARY], f->mem,
                                         &(text){.text = weir_str_from(request)}, &reply, NULL);
    if (expected) {
        assert_string_equal(weir_status_text(&status), "OK");
        assert_true(weir_str_eq(((text *)reply)->text, weir_str_from(expected)));
    }
    return status;
}

TEST(rpc, a_blocking_call_is_answered)
{
    fixture f;
    open_fixture(&f, &(weir_server_opts){.loops = 2});
    ask(&f, "ann", "hello ann");
    ask(&f, "bob", "hello bob");
    close_fixture(&f);
}

TEST(rpc, an_error_arrives_with_code_and_text)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_status status = ask(&f, "fail", NULL);
    assert_int_equal(status.code, WEIR_STATUS_NOT_FOUND);
    assert_string_equal(weir_status_text(&status), "no user 7");
    close_fixture(&f);
}

TEST(rpc, a_method_that_is_not_served_is_unimplemented)
{
    fixture f;
    open_fixture(&f, NULL);
    void *reply;
    weir_status status =
        weir_unary_call(f.channel, &test_methods[MISSING], f.mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNIMPLEMENTED);
    assert_string_equal(weir_status_text(&status), "unknown method /test.Test/Missing");
    weir_method stray = {"X", "/no.Such/X", WEIR_METHOD_UNARY, &text_type, &text_type};
    status = weir_unary_call(f.channel, &stray, f.mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNIMPLEMENTED);
    assert_string_equal(weir_status_text(&status), "unknown service no.Such");
    close_fixture(&f);
}

TEST(rpc, a_call_without_an_answer_ends_at_its_deadline)
{
    fixture f;
    open_fixture(&f, NULL);
    void *reply;
    weir_status status = weir_unary_call(f.channel, &test_methods[UNARY], f.mem,
                                         &(text){.text = WEIR_STR("silence")}, &reply,
                                         &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(30)});
    assert_int_equal(status.code, WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_non_null(strstr(weir_status_text(&status), "no answer from 127.0.0.1:"));
    ask(&f, "still there", "hello still there");
    close_fixture(&f);
}

TEST(rpc, nobody_listening_is_unavailable_and_says_where)
{
    weir_channel *channel = weir_channel_new("127.0.0.1:1", NULL);
    weir_arena *mem = weir_arena_new();
    void *reply;
    weir_status status =
        weir_unary_call(channel, &test_methods[UNARY], mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "cannot connect to 127.0.0.1:1: "));
    weir_channel_free(channel);
    channel = weir_channel_new("not an address", NULL);
    status = weir_unary_call(channel, &test_methods[UNARY], mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    weir_channel_free(channel);
    weir_arena_free(mem);
}

static weir_str read_text(weir_stream *stream, weir_arena *mem)
{
    void *message;
    assert_ok(weir_stream_read(stream, mem, &message));
    return ((text *)message)->text;
}

TEST(rpc, a_client_stream_is_collected)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[COLLECT], NULL, NULL));
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("a")}));
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("b")}));
    assert_ok(weir_stream_half_close(stream));
    assert_err(weir_stream_write(stream, &(text){.text = WEIR_STR("c")}), WEIR_ESTATE);
    assert_str(read_text(stream, f.mem), "ab");
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
    close_fixture(&f);
}

TEST(rpc, a_server_stream_is_read_to_its_end)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[SPLIT],
                               &(text){.text = WEIR_STR("xyz")}, NULL));
    assert_str(read_text(stream, f.mem), "x");
    assert_str(read_text(stream, f.mem), "y");
    assert_str(read_text(stream, f.mem), "z");
    void *message;
    assert_err(weir_stream_read(stream, f.mem, &message), WEIR_ECLOSED);
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
    close_fixture(&f);
}

TEST(rpc, a_bidirectional_stream_takes_turns)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    for (int i = 0; i < 100; i++) {
        char line[16];
        snprintf(line, sizeof line, "line %d", i);
        assert_ok(weir_stream_write(stream, &(text){.text = weir_str_from(line)}));
        assert_true(weir_str_eq(read_text(stream, f.mem), weir_str_from(line)));
    }
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
    close_fixture(&f);
}

TEST(rpc, a_stream_that_is_freed_early_is_cancelled)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("a")}));
    weir_stream_cancel(stream);
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_int_equal(status.code, WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    weir_stream_free(stream);
    ask(&f, "x", "hello x");
    close_fixture(&f);
}

/* Asynchronous calls. */

typedef struct tally {
    weir_latch done;
    atomic_int good, bad;
} tally;

typedef void (*answered_fn)(const weir_status *status, const text *reply, void *user);

static void thunk(weir_fn done, const weir_status *status, const void *reply, void *user)
{
    ((answered_fn)done)(status, reply, user);
}

static void answered(const weir_status *status, const text *reply, void *user)
{
    tally *t = user;
    if (status->code == WEIR_STATUS_OK && weir_str_eq(reply->text, WEIR_STR("hello async")))
        atomic_fetch_add(&t->good, 1);
    else
        atomic_fetch_add(&t->bad, 1);
    weir_latch_down(&t->done);
}

TEST(rpc, a_thousand_calls_at_once_queue_behind_the_servers_limit)
{
    fixture f;
    open_fixture(&f, &(weir_server_opts){.max_streams = 10});
    tally t = {.good = 0};
    weir_latch_init(&t.done, 1000);
    for (int i = 0; i < 1000; i++)
        assert_ok(weir_unary_start(f.channel, &test_methods[UNARY],
                                   &(text){.text = WEIR_STR("async")}, thunk, (weir_fn)answered, &t,
                                   NULL));
    weir_latch_wait(&t.done);
    assert_int_equal(t.good, 1000);
    assert_int_equal(t.bad, 0);
    weir_latch_fini(&t.done);
    close_fixture(&f);
}

TEST(rpc, freeing_a_channel_ends_its_calls_once)
{
    fixture f;
    open_fixture(&f, NULL);
    tally t = {.good = 0};
    weir_latch_init(&t.done, 20);
    for (int i = 0; i < 20; i++)
        assert_ok(weir_unary_start(f.channel, &test_methods[UNARY],
                                   &(text){.text = WEIR_STR("silence")}, thunk, (weir_fn)answered,
                                   &t, NULL));
    weir_channel_free(f.channel);
    weir_latch_wait(&t.done);
    assert_int_equal(t.bad, 20);
    f.channel = NULL;
    close_fixture(&f);
    weir_latch_fini(&t.done);
}

/* Calls by id, from other threads. */

typedef struct subscription {
    weir_latch opened, closed;
    weir_call_id id;
    atomic_int writable;
} subscription;

static void sub_open(weir_call *call, const text *request, void *user)
{
    (void)request;
    subscription *s = user;
    s->id = weir_call_id_of(call);
    weir_latch_down(&s->opened);
}

static void sub_writable(weir_call *call, void *user)
{
    (void)call;
    atomic_fetch_add(&((subscription *)user)->writable, 1);
}

static void sub_closed(weir_call *call, const weir_status *why, void *user)
{
    (void)call;
    (void)why;
    weir_latch_down(&((subscription *)user)->closed);
}

static const test_handler sub_methods[METHODS] = {
    [SPLIT] = {.open = sub_open, .writable = sub_writable, .closed = sub_closed},
};

static void open_subscription(fixture *f, subscription *s, weir_stream **stream)
{
    weir_latch_init(&s->opened, 1);
    weir_latch_init(&s->closed, 1);
    test_server_open(&f->server, sub_methods, s, NULL);
    f->channel = weir_channel_new(f->server.addr, NULL);
    f->mem = weir_arena_new();
    assert_ok(weir_stream_open(stream, f->channel, &test_methods[SPLIT], &(text){0}, NULL));
    weir_latch_wait(&s->opened);
}

TEST(rpc, messages_posted_by_id_arrive_in_order)
{
    fixture f;
    subscription s = {.writable = 0};
    weir_stream *stream;
    open_subscription(&f, &s, &stream);
    for (int i = 0; i < 500; i++) {
        char line[16];
        snprintf(line, sizeof line, "%d", i);
        assert_ok(weir_call_send_post(s.id, &text_type, &(text){.text = weir_str_from(line)}));
    }
    assert_ok(
        weir_call_finish_post(s.id, &(weir_status){WEIR_STATUS_ABORTED, WEIR_STR("so"), {0}}));
    for (int i = 0; i < 500; i++) {
        char line[16];
        snprintf(line, sizeof line, "%d", i);
        assert_true(weir_str_eq(read_text(stream, f.mem), weir_str_from(line)));
    }
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_int_equal(status.code, WEIR_STATUS_ABORTED);
    assert_string_equal(weir_status_text(&status), "so");
    weir_latch_wait(&s.closed);
    assert_err(weir_call_send_post(s.id, &text_type, &(text){0}), WEIR_ECLOSED);
    assert_err(weir_call_cancel_post(s.id), WEIR_ECLOSED);
    weir_stream_free(stream);
    close_fixture(&f);
}

TEST(rpc, a_reader_that_stops_makes_posts_would_block_and_reading_on_frees_them)
{
    fixture f;
    subscription s = {.writable = 0};
    weir_stream *stream;
    open_subscription(&f, &s, &stream);
    static char big[10000];
    memset(big, 'x', sizeof big);
    text message = {.text = weir_str_of(big, sizeof big)};
    int taken = 0;
    weir_err err;
    /* The windows and queues between us and the reader fill up, and then it says so. */
    for (int refused = 0; refused < 3;) {
        err = weir_call_send_post(s.id, &text_type, &message);
        taken += !err;
        refused = err ? refused + 1 : 0;
        if (err) {
            assert_err(err, WEIR_EAGAIN);
            weir_latch pause;
            weir_latch_init(&pause, 1);
            weir_latch_wait_until(&pause, weir_time_add(weir_time_now(), WEIR_MILLISECONDS(20)));
            weir_latch_fini(&pause);
        }
        assert_true(taken < 1000);
    }
    for (int i = 0; i < taken; i++) {
        assert_int_equal(read_text(stream, f.mem).len, sizeof big);
        weir_arena_reset(f.mem);
    }
    assert_ok(weir_call_send_post(s.id, &text_type, &message));
    assert_int_equal(read_text(stream, f.mem).len, sizeof big);
    assert_true(atomic_load(&s.writable) > 0);
    weir_stream_free(stream);
    weir_latch_wait(&s.closed);
    close_fixture(&f);
}

/* Peers that say nothing. */

static int connect_raw(const char *addr)
{
    weir_addr to;
    assert_ok(weir_addr_parse(&to, addr, NULL));
    int fd = socket(to.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to.storage, to.len), 0);
    return fd;
}

TEST(rpc, a_client_that_never_speaks_loses_its_connection)
{
    fixture f;
    open_fixture(&f, &(weir_server_opts){.handshake_us = WEIR_MILLISECONDS(30)});
    ask(&f, "ann", "hello ann");
    int fd = connect_raw(f.server.addr);
    char bytes[256];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        continue;
    close(fd);
    ask(&f, "still here", "hello still here");
    weir_server_stats stats;
    weir_server_get_stats(f.server.server, &stats);
    assert_int_equal(stats.connections, 1);
    close_fixture(&f);
}

TEST(rpc, a_server_that_never_speaks_is_unavailable)
{
    weir_addr addr;
    assert_ok(weir_addr_parse(&addr, "127.0.0.1:0", NULL));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr.storage, &addr.len), 0);
    char text_form[WEIR_ADDR_TEXT_MAX];
    weir_channel *channel =
        weir_channel_new(weir_addr_text(&addr, text_form),
                         &(weir_channel_opts){.connect_us = WEIR_MILLISECONDS(30)});
    weir_arena *mem = weir_arena_new();
    void *reply;
    weir_status status =
        weir_unary_call(channel, &test_methods[UNARY], mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "does not speak HTTP/2"));
    weir_channel_free(channel);
    weir_arena_free(mem);
    close(fd);
}

/* Stopping. */

TEST(rpc, a_stop_lets_running_calls_finish_and_takes_no_new_ones)
{
    fixture f;
    subscription s = {.writable = 0};
    weir_stream *stream;
    open_subscription(&f, &s, &stream);
    test_server_stop(&f.server);
    assert_ok(weir_call_send_post(s.id, &text_type, &(text){.text = WEIR_STR("last")}));
    assert_str(read_text(stream, f.mem), "last");
    assert_ok(weir_call_finish_post(s.id, &(weir_status){WEIR_STATUS_OK, {0}, {0}}));
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    test_server_join(&f.server);
    weir_stream_free(stream);
    weir_channel_free(f.channel);
    weir_arena_free(f.mem);
}

TEST(rpc, a_stop_ends_calls_that_do_not_finish_with_unavailable)
{
    fixture f;
    test_server_open(&f.server, methods, NULL,
                     &(weir_server_opts){.drain_us = WEIR_MILLISECONDS(50)});
    f.channel = weir_channel_new(f.server.addr, NULL);
    f.mem = weir_arena_new();
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("a")}));
    assert_str(read_text(stream, f.mem), "a");
    test_server_stop(&f.server);
    test_server_join(&f.server);
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    assert_string_equal(weir_status_text(&status), "the server is shutting down");
    weir_stream_free(stream);
    weir_channel_free(f.channel);
    weir_arena_free(f.mem);
}

TEST(rpc, a_channel_connects_again_after_its_server_came_back)
{
    fixture f;
    open_fixture(&f, NULL);
    ask(&f, "one", "hello one");
    char addr[WEIR_ADDR_TEXT_MAX];
    strcpy(addr, f.server.addr);
    test_server_stop(&f.server);
    test_server_join(&f.server);
    weir_channel_free(f.channel);
    f.channel = weir_channel_new(addr, &(weir_channel_opts){.backoff_us = WEIR_MILLISECONDS(10)});
    weir_status status = ask(&f, "two", NULL);
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);

    /* The same port again: wait for ready must find it. */
    test_server_open_at(&f.server, addr, methods, NULL, NULL);
    void *reply;
    status =
        weir_unary_call(f.channel, &test_methods[UNARY], f.mem, &(text){.text = WEIR_STR("three")},
                        &reply, &(weir_call_opts){.wait_for_ready = true});
    assert_string_equal(weir_status_text(&status), "OK");
    close_fixture(&f);
}
