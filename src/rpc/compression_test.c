/* Compressed calls over real sockets: what programs set and what they are told. */
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "rpc_fixture.h"

enum {
    LONG = 4000,
    CALLS = 30
};

static weir_str long_text(void)
{
    static char bytes[LONG];
    memset(bytes, 'a', LONG);
    return weir_str_of(bytes, LONG);
}

/** Says how the request came, behind enough text for the reply to be compressed. */
static text describe(weir_call *call)
{
    weir_str about = weir_call_printf(
        call, "%s %s %.*s", weir_compression_name(weir_call_peer_compression(call)),
        weir_call_message_was_compressed(call) ? "compressed" : "plain", LONG, long_text().ptr);
    return (text){.text = about};
}

static void unary(weir_call *call, const text *request, void *user)
{
    const weir_compression *wanted = user;
    if (wanted) {
        assert_err(weir_call_set_compression(call, WEIR_COMPRESSION_DEFAULT), WEIR_EINVAL);
        assert_ok(weir_call_set_compression(call, *wanted));
        assert_int_equal(weir_call_compression(call), *wanted);
    }
    if (weir_str_eq(request->text, WEIR_STR("plain")))
        weir_call_set_message_compression(call, false);
    text reply = describe(call);
    assert_ok(weir_call_reply(call, &reply));
}

static void chat(weir_call *call, const text *request, void *user)
{
    (void)request;
    (void)user;
    text reply = describe(call);
    assert_ok(weir_call_send(call, &reply));
}

static void chat_end(weir_call *call, void *user)
{
    (void)user;
    weir_call_finish(call);
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = unary},
    [CHAT] = {.message = chat, .half_closed = chat_end},
};

/* What a client sees of replies, which the blocking calls do not show. */

static atomic_int compressed_replies;
static _Atomic(weir_compression) reply_encoding;

static const void *watch_received(weir_call *call, const void *message, void *state, void *user)
{
    (void)state;
    (void)user;
    if (weir_call_message_was_compressed(call))
        compressed_replies++;
    reply_encoding = weir_call_peer_compression(call);
    return message;
}

static const weir_interceptor watch = {.name = "watch", .received = watch_received};

typedef struct fixture {
    test_server server;
    weir_channel *channel;
    weir_arena *mem;
} fixture;

static void open_fixture(fixture *f, const weir_server_opts *server, weir_compression channel,
                         weir_compression *wanted)
{
    test_server_open(&f->server, methods, wanted, server);
    f->channel = weir_channel_new(
        f->server.addr, &(weir_channel_opts){.compression = channel,
                                             .interceptors = &(weir_interceptor_use){&watch, NULL},
                                             .interceptor_count = 1});
    f->mem = weir_arena_new();
    assert_non_null(f->channel);
    compressed_replies = 0;
}

static void close_fixture(fixture *f)
{
    weir_channel_free(f->channel);
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
}

static void expect(fixture *f, weir_str request, const weir_call_opts *opts, const char *expected)
{
    void *reply = NULL;
    weir_status status = weir_unary_call(f->channel, &test_methods[UNARY], f->mem,
                                         &(text){.text = request}, &reply, opts);
    assert_string_equal(weir_status_text(&status), "OK");
    assert_true(weir_str_starts(((text *)reply)->text, weir_str_from(expected)));
    assert_int_equal(((text *)reply)->text.len, strlen(expected) + 1 + LONG);
}

TEST(compression, nothing_is_compressed_that_nobody_wants)
{
    fixture f;
    open_fixture(&f, NULL, WEIR_COMPRESSION_DEFAULT, NULL);
    expect(&f, long_text(), NULL, "identity plain");
    assert_int_equal(compressed_replies, 0);
    assert_int_equal(reply_encoding, WEIR_COMPRESSION_IDENTITY);
    close_fixture(&f);
}

TEST(compression, a_call_chooses_instead_of_its_channel)
{
    fixture f;
    open_fixture(&f, NULL, WEIR_COMPRESSION_GZIP, NULL);
    expect(&f, long_text(), NULL, "gzip compressed");
    expect(&f, WEIR_STR("short"), NULL, "gzip plain");
    expect(&f, long_text(), &(weir_call_opts){.compression = WEIR_COMPRESSION_ZSTD},
           "zstd compressed");
    expect(&f, long_text(), &(weir_call_opts){.compression = WEIR_COMPRESSION_DEFLATE},
           "deflate compressed");
    expect(&f, long_text(), &(weir_call_opts){.compression = WEIR_COMPRESSION_IDENTITY},
           "identity plain");
    assert_int_equal(compressed_replies, 0);
    close_fixture(&f);
}

TEST(compression, a_server_compresses_what_its_options_say)
{
    fixture f;
    open_fixture(&f, &(weir_server_opts){.compression = WEIR_COMPRESSION_ZSTD},
                 WEIR_COMPRESSION_DEFAULT, NULL);
    expect(&f, long_text(), NULL, "identity plain");
    assert_int_equal(compressed_replies, 1);
    assert_int_equal(reply_encoding, WEIR_COMPRESSION_ZSTD);
    expect(&f, WEIR_STR("plain"), NULL, "identity plain");
    assert_int_equal(compressed_replies, 1);
    close_fixture(&f);
}

TEST(compression, a_handler_chooses_for_its_call)
{
    fixture f;
    weir_compression wanted = WEIR_COMPRESSION_GZIP;
    open_fixture(&f, NULL, WEIR_COMPRESSION_DEFAULT, &wanted);
    expect(&f, long_text(), NULL, "identity plain");
    assert_int_equal(compressed_replies, 1);
    assert_int_equal(reply_encoding, WEIR_COMPRESSION_GZIP);
    close_fixture(&f);
}

TEST(compression, a_blocking_stream_sends_single_messages_as_they_are)
{
    static const char *const expected[] = {"gzip compressed", "gzip plain", "gzip compressed"};
    fixture f;
    open_fixture(&f, NULL, WEIR_COMPRESSION_GZIP, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    for (int i = 0; i < 3; i++) {
        weir_stream_set_message_compression(stream, i != 1);
        assert_ok(weir_stream_write(stream, &(text){.text = long_text()}));
        void *reply;
        assert_ok(weir_stream_read(stream, f.mem, &reply));
        assert_true(weir_str_starts(((text *)reply)->text, weir_str_from(expected[i])));
    }
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_int_equal(status.code, WEIR_STATUS_OK);
    weir_stream_free(stream);
    close_fixture(&f);
}

/* A payload for calls of every encoding, at several servers' loops and clients. */

static weir_payload *shared_payload;

static void send_shared(weir_call *call, const text *request, void *user)
{
    (void)user;
    weir_compression wanted = weir_compression_from_name(request->text);
    assert_ok(weir_call_set_compression(call, wanted));
    assert_ok(weir_call_send_payload(call, shared_payload));
    assert_ok(weir_call_finish(call));
}

static const test_handler shared_methods[METHODS] = {[SPLIT] = {.open = send_shared}};

static void read_shared(fixture *f, const char *encoding)
{
    void *reply;
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f->channel, &test_methods[SPLIT],
                               &(text){.text = weir_str_from(encoding)}, NULL));
    assert_ok(weir_stream_read(stream, f->mem, &reply));
    assert_int_equal(((text *)reply)->text.len, LONG);
    assert_memory_equal(((text *)reply)->text.ptr, long_text().ptr, LONG);
    weir_status status = weir_stream_finish(stream, f->mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
}

static void open_shared(fixture *f, bool compression)
{
    text message = {.text = long_text()};
    assert_ok(weir_payload_new(&shared_payload, &text_type, &message));
    weir_payload_set_compression(shared_payload, compression);
    test_server_open(&f->server, shared_methods, NULL, &(weir_server_opts){.loops = 3});
    f->mem = weir_arena_new();
    compressed_replies = 0;
}

static void close_shared(fixture *f)
{
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
    weir_payload_unref(shared_payload);
}

TEST(compression, a_payload_is_shared_by_calls_of_every_encoding)
{
    static const char *const encodings[] = {"gzip", "identity", "zstd", "deflate"};
    fixture f;
    open_shared(&f, true);
    for (int i = 0; i < CALLS; i++) { /* each on a connection of its own, in another loop */
        f.channel = weir_channel_new(
            f.server.addr,
            &(weir_channel_opts){.interceptors = &(weir_interceptor_use){&watch, NULL},
                                 .interceptor_count = 1});
        read_shared(&f, encodings[i % 4]);
        weir_channel_free(f.channel);
    }
    assert_int_equal(compressed_replies, CALLS - (CALLS + 2) / 4);
    close_shared(&f);
}

TEST(compression, a_payload_that_is_compressed_already_is_sent_as_it_is)
{
    fixture f;
    open_shared(&f, false);
    f.channel = weir_channel_new(
        f.server.addr, &(weir_channel_opts){.interceptors = &(weir_interceptor_use){&watch, NULL},
                                            .interceptor_count = 1});
    read_shared(&f, "gzip");
    assert_int_equal(compressed_replies, 0);
    assert_int_equal(reply_encoding, WEIR_COMPRESSION_GZIP);
    weir_channel_free(f.channel);
    close_shared(&f);
}

/* Callbacks in the loop. */

static void late_compression(weir_call *call, void *state, void *user)
{
    (void)state;
    (void)user;
    assert_int_equal(weir_call_compression(call), WEIR_COMPRESSION_IDENTITY);
    assert_ok(weir_call_set_compression(call, WEIR_COMPRESSION_ZSTD));
    assert_int_equal(weir_call_compression(call), WEIR_COMPRESSION_ZSTD);
}

static const weir_interceptor chooser = {.name = "chooser", .open = late_compression};

TEST(compression, an_interceptor_of_a_client_chooses_for_its_calls)
{
    rpc_fixture f;
    rpc_fixture_open(&f, methods, NULL, NULL, 0, &(weir_interceptor_use){&chooser, NULL}, 1);
    text *reply;
    static char request[LONG + 1];
    memset(request, 'a', LONG);
    weir_status status = rpc_fixture_ask(&f, UNARY, request, NULL, &reply);
    assert_string_equal(weir_status_text(&status), "OK");
    assert_true(weir_str_starts(reply->text, WEIR_STR("zstd compressed")));
    rpc_fixture_close(&f);
}

TEST(compression, the_limit_of_a_message_is_on_its_size_after_decompression)
{
    fixture f;
    open_fixture(&f, &(weir_server_opts){.max_receive_bytes = LONG}, WEIR_COMPRESSION_GZIP, NULL);
    void *reply;
    weir_status status = weir_unary_call(f.channel, &test_methods[UNARY], f.mem,
                                         &(text){.text = long_text()}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(status.message.ptr,
                        "a gzip message is larger than the limit of 4000 bytes when decompressed");
    expect(&f, weir_str_of(long_text().ptr, LONG - 3), NULL, "gzip compressed");
    close_fixture(&f);
}

TEST(compression, what_a_client_may_send_is_measured_before_compression)
{
    fixture f;
    test_server_open(&f.server, methods, NULL, NULL);
    f.channel =
        weir_channel_new(f.server.addr, &(weir_channel_opts){.compression = WEIR_COMPRESSION_GZIP,
                                                             .max_send_bytes = LONG});
    f.mem = weir_arena_new();
    void *reply;
    weir_status status = weir_unary_call(f.channel, &test_methods[UNARY], f.mem,
                                         &(text){.text = long_text()}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[CHAT], NULL, NULL));
    assert_ok(weir_stream_write(stream, &(text){.text = WEIR_STR("fine")}));
    assert_ok(weir_stream_read(stream, f.mem, &reply));
    weir_stream_free(stream);
    close_fixture(&f);
}

/* Handlers that block. */

static weir_status block_unary(weir_blocking_call *call, const text *request, text *reply,
                               void *user)
{
    (void)user;
    assert_err(weir_blocking_set_compression(call, WEIR_COMPRESSION_DEFAULT), WEIR_EINVAL);
    assert_ok(weir_blocking_set_compression(call, WEIR_COMPRESSION_DEFLATE));
    weir_blocking_set_message_compression(call, !weir_str_eq(request->text, WEIR_STR("plain")));
    reply->text = long_text();
    return WEIR_BLOCKING_OK;
}

/** Every second message is compressed. */
static weir_status block_split(weir_blocking_call *call, const text *request, text *reply,
                               void *user)
{
    (void)request, (void)reply, (void)user;
    assert_ok(weir_blocking_set_compression(call, WEIR_COMPRESSION_GZIP));
    for (int i = 0; i < 10; i++) {
        weir_blocking_set_message_compression(call, i % 2);
        assert_ok(weir_blocking_write(call, &(text){.text = long_text()}));
        assert_err(weir_blocking_set_compression(call, WEIR_COMPRESSION_GZIP), WEIR_ESTATE);
    }
    return WEIR_BLOCKING_OK;
}

static const test_handler blocking_methods[METHODS] = {
    [UNARY] = {.blocking = block_unary}, [SPLIT] = {.blocking = block_split}};

TEST(compression, a_handler_that_blocks_chooses_too)
{
    fixture f;
    test_server_open(&f.server, blocking_methods, NULL, NULL);
    f.channel = weir_channel_new(
        f.server.addr, &(weir_channel_opts){.interceptors = &(weir_interceptor_use){&watch, NULL},
                                            .interceptor_count = 1});
    f.mem = weir_arena_new();
    compressed_replies = 0;
    void *reply;
    static const char *const requests[] = {"", "plain", "again"};
    for (int i = 0; i < 3; i++) {
        weir_status status =
            weir_unary_call(f.channel, &test_methods[UNARY], f.mem,
                            &(text){.text = weir_str_from(requests[i])}, &reply, NULL);
        assert_string_equal(weir_status_text(&status), "OK");
        assert_int_equal(reply_encoding, WEIR_COMPRESSION_DEFLATE);
    }
    assert_int_equal(compressed_replies, 2);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[SPLIT], &(text){{0}, {0}}, NULL));
    for (int i = 0; i < 10; i++)
        assert_ok(weir_stream_read(stream, f.mem, &reply));
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_string_equal(weir_status_text(&status), "OK");
    weir_stream_free(stream);
    assert_int_equal(compressed_replies, 2 + 5);
    close_fixture(&f);
}
