/* How long messages live, and how large they may be. */
#include "test.h"

#include <stdlib.h>

#include "rpc_fixture.h"

enum {
    LIMIT = 20000
};

static char letters[2 * LIMIT + 1];

/** `len` letters. */
static weir_str text_of(size_t len)
{
    memset(letters, 'a', sizeof letters - 1);
    return weir_str_of(letters, len);
}

/* A request is answered later, when other messages have passed through the same connection. */

typedef struct late {
    weir_call *call;
    const text *request;
    weir_timer timer;
} late;

static void answer_late(weir_timer *timer, void *user)
{
    (void)timer;
    late *l = user;
    assert_ok(weir_call_reply(l->call, l->request));
}

static void keep_request(weir_call *call, const text *request, void *user)
{
    (void)user;
    late *l = weir_arena_zalloc(weir_call_arena(call), sizeof *l);
    *l = (late){.call = call, .request = request};
    weir_call_set_data(call, l);
    weir_loop_after(weir_call_loop(call), &l->timer, WEIR_MILLISECONDS(1), answer_late, l);
}

static void forget_request(weir_call *call, const weir_status *why, void *user)
{
    (void)why;
    (void)user;
    late *l = weir_call_data(call);
    weir_loop_cancel(weir_call_loop(call), &l->timer);
}

static void echo_back(weir_call *call, const text *request, void *user)
{
    (void)user;
    assert_ok(weir_call_send(call, request));
}

static void end_chat(weir_call *call, void *user)
{
    (void)user;
    weir_call_finish(call);
}

/** One byte over the limit is refused where it is sent. */
static void reply_too_large(weir_call *call, const text *request, void *user)
{
    (void)request;
    (void)user;
    assert_err(weir_call_send(call, &(text){.text = text_of(LIMIT + 1)}), WEIR_EMSGSIZE);
    assert_ok(weir_call_send(call, &(text){.text = text_of(LIMIT - 4)}));
    assert_ok(weir_call_finish(call));
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = keep_request, .closed = forget_request},
    [SPLIT] = {.open = reply_too_large},
    [CHAT] = {.message = echo_back, .half_closed = end_chat},
};

typedef struct fixture {
    test_server server;
    weir_channel *channel;
    weir_arena *mem;
} fixture;

static void open_fixture(fixture *f, const weir_server_opts *server,
                         const weir_channel_opts *channel)
{
    test_server_open(&f->server, methods, NULL, server);
    f->channel = weir_channel_new(f->server.addr, channel);
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

static weir_status ask(fixture *f, int method, weir_str request, weir_compression compression,
                       text **reply)
{
    void *got = NULL;
    weir_status status =
        weir_unary_call(f->channel, &test_methods[method], f->mem, &(text){.text = request}, &got,
                        &(weir_call_opts){.compression = compression});
    *reply = got;
    return status;
}

static void ask_often(fixture *f)
{
    fixture own = {.channel = f->channel, .mem = weir_arena_new()};
    for (int i = 0; i < 30; i++) {
        size_t len = (size_t)i * 600;
        text *reply;
        weir_status status = ask(&own, UNARY, text_of(len), (weir_compression)(i % 5), &reply);
        assert_string_equal(weir_status_text(&status), "OK");
        assert_int_equal(reply->text.len, len);
        assert_memory_equal(reply->text.ptr, letters, len);
    }
    weir_arena_free(own.mem);
}

TEST(message, the_strings_of_a_request_live_as_long_as_its_call)
{
    fixture f;
    text_of(0);
    open_fixture(&f, NULL, NULL);
    ask_often(&f);
    close_fixture(&f);
}

TEST(message, the_strings_of_a_reply_live_as_long_as_the_callers_memory)
{
    fixture f;
    open_fixture(&f, NULL, NULL);
    text *replies[10];
    for (int i = 0; i < 10; i++)
        ask(&f, UNARY, text_of(1000 + (size_t)i), (weir_compression)(i % 5), &replies[i]);
    weir_channel_free(f.channel);
    f.channel = NULL;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(replies[i]->text.len, 1000 + i);
        assert_memory_equal(replies[i]->text.ptr, letters, replies[i]->text.len);
    }
    close_fixture(&f);
}

/* A text of LIMIT - 4 bytes is a message of LIMIT. */

TEST(message, a_server_takes_requests_up_to_its_limit)
{
    fixture f;
    text *reply;
    open_fixture(&f, &(weir_server_opts){.max_receive_bytes = LIMIT}, NULL);
    weir_status status = ask(&f, UNARY, text_of(LIMIT - 4), 0, &reply);
    assert_string_equal(weir_status_text(&status), "OK");
    status = ask(&f, UNARY, text_of(LIMIT - 3), 0, &reply);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(status.message.ptr,
                        "a message of 20001 bytes is larger than the limit of 20000");
    status = ask(&f, UNARY, text_of(LIMIT - 3), WEIR_COMPRESSION_ZSTD, &reply);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    close_fixture(&f);
}

TEST(message, a_client_takes_replies_up_to_its_limit)
{
    fixture f;
    text *reply;
    open_fixture(&f, &(weir_server_opts){.compression = WEIR_COMPRESSION_GZIP},
                 &(weir_channel_opts){.max_receive_bytes = LIMIT});
    weir_status status = ask(&f, UNARY, text_of(LIMIT - 4), 0, &reply);
    assert_string_equal(weir_status_text(&status), "OK");
    status = ask(&f, UNARY, text_of(LIMIT - 3), 0, &reply);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(status.message.ptr,
                        "a gzip message is larger than the limit of 20000 bytes when decompressed");
    close_fixture(&f);
}

TEST(message, what_is_too_large_to_be_sent_is_told_to_the_sender)
{
    fixture f;
    text *reply;
    open_fixture(&f, &(weir_server_opts){.max_send_bytes = LIMIT},
                 &(weir_channel_opts){.max_send_bytes = LIMIT});
    weir_status status = ask(&f, UNARY, text_of(LIMIT - 3), 0, &reply);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[SPLIT], &(text){{0}, {0}}, NULL));
    void *message;
    assert_ok(weir_stream_read(stream, f.mem, &message));
    assert_int_equal(((text *)message)->text.len, LIMIT - 4);
    status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
    close_fixture(&f);
}
