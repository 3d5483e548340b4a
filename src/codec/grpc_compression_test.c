/* Compressed calls between two engines, and what is wrong with those of a peer. */
#include "test.h"

#include "grpc_testing.h"

enum {
    LONG = 5000
};

static const char *long_text(void)
{
    static char text[LONG + 1];
    memset(text, 'a', LONG);
    return text;
}

/** Writes down how each message came. */
static void note_flag(end *e, weir_grpc_call *call, const char *event)
{
    if (strcmp(event, "message") == 0)
        note(e, "%s;", weir_grpc_call_message_was_compressed(call) ? "compressed" : "plain");
}

/** Notes, and answers each message with a long one. */
static void note_and_answer(end *e, weir_grpc_call *call, const char *event)
{
    note_flag(e, call, event);
    if (strcmp(event, "message") == 0)
        send(call, long_text());
    if (strcmp(event, "half-close") == 0)
        finish(call, WEIR_STATUS_OK, "");
}

static pair *open_noting(const weir_grpc_opts *server)
{
    pair *p = pair_open(NULL, server);
    p->client.act = note_flag;
    p->server.act = note_and_answer;
    return p;
}

static weir_grpc_call *start_with(pair *p, weir_compression compression)
{
    weir_grpc_start begin = {
        .path = WEIR_STR("/s.S/M"),
        .authority = WEIR_STR("localhost"),
        .user_agent = WEIR_STR("test"),
        .deadline = weir_time_never(),
        .compression = compression,
    };
    weir_grpc_call *call = NULL;
    assert_ok(weir_grpc_call_start(&call, p->client.grpc, &begin));
    p->client.call = call;
    return call;
}

TEST(grpc_compression, each_end_has_its_own_encoding)
{
    static const weir_compression all[] = {WEIR_COMPRESSION_DEFLATE, WEIR_COMPRESSION_GZIP,
                                           WEIR_COMPRESSION_ZSTD, WEIR_COMPRESSION_IDENTITY};
    for (int i = 0; i < 4; i++) {
        pair *p = open_noting(&(weir_grpc_opts){.compression = all[(i + 1) % 4]});
        weir_grpc_call *call = start_with(p, all[i]);
        assert_int_equal(weir_grpc_call_compression(call), all[i]);
        send(call, long_text());
        settle(p);
        assert_string_equal(p->server.seen, all[i] == WEIR_COMPRESSION_IDENTITY
                                                ? "request /s.S/M;plain;"
                                                : "request /s.S/M;compressed;");
        assert_int_equal(p->server.received_bytes, LONG);
        assert_int_equal(p->client.received_bytes, LONG);
        assert_int_equal(weir_grpc_call_peer_compression(call), all[(i + 1) % 4]);
        assert_int_equal(weir_grpc_call_peer_compression(p->server.call), all[i]);
        weir_grpc_half_close(call);
        settle(p);
        assert_string_equal(p->client.seen, all[i] == WEIR_COMPRESSION_ZSTD
                                                ? "headers;plain;close OK;"
                                                : "headers;compressed;close OK;");
        pair_close(p);
    }
}

TEST(grpc_compression, a_message_may_be_sent_as_it_is_in_a_compressed_call)
{
    pair *p = open_noting(NULL);
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    send(call, long_text());
    weir_grpc_call_set_message_compression(call, false);
    assert_int_equal(weir_grpc_call_next_compression(call), WEIR_COMPRESSION_IDENTITY);
    assert_int_equal(weir_grpc_call_compression(call), WEIR_COMPRESSION_GZIP);
    send(call, long_text());
    weir_grpc_call_set_message_compression(call, true);
    send(call, long_text());
    settle(p);
    assert_string_equal(p->server.seen, "request /s.S/M;compressed;plain;compressed;");
    assert_string_equal(p->client.seen, "headers;plain;plain;plain;");
    pair_close(p);
}

TEST(grpc_compression, messages_that_would_not_gain_are_sent_as_they_are)
{
    static char small[WEIR_COMPRESS_MIN_BYTES + 1], noise[1001];
    memset(small, 'a', WEIR_COMPRESS_MIN_BYTES - 1);
    unsigned x = 1;
    for (int i = 0; i < 1000; i++)
        noise[i] = (char)((x = x * 1103515245 + 12345) % 65521 % 255 + 1);
    pair *p = open_noting(NULL);
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    send(call, small);
    send(call, noise);
    small[WEIR_COMPRESS_MIN_BYTES - 1] = 'a';
    send(call, small);
    settle(p);
    assert_string_equal(p->server.seen, "request /s.S/M;plain;plain;compressed;");
    pair_close(p);
}

TEST(grpc_compression, what_waits_to_be_sent_takes_as_much_memory_as_it_is_counted)
{
    pair *p = pair_open(NULL, NULL);
    weir_pool_stats before, after;
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    settle(p);
    send(call, long_text());
    settle(p);
    weir_pool_get_stats(p->client.pool, &before);
    for (int i = 0; i < 10; i++)
        send(call, long_text());
    weir_pool_get_stats(p->client.pool, &after);
    assert_true(weir_grpc_call_unsent(call) < 1000);
    assert_true(after.used_bytes - before.used_bytes < 2000);
    pair_close(p);
}

static void choose_zstd(end *e, weir_grpc_call *call, const char *event)
{
    if (strcmp(event, "request") == 0) {
        assert_err(weir_grpc_call_set_compression(call, (weir_compression)9), WEIR_EINVAL);
        assert_err(weir_grpc_call_set_compression(call, WEIR_COMPRESSION_DEFAULT), WEIR_EINVAL);
        assert_ok(weir_grpc_call_set_compression(call, WEIR_COMPRESSION_GZIP));
        assert_ok(weir_grpc_call_set_compression(call, WEIR_COMPRESSION_ZSTD));
    }
    note_and_answer(e, call, event);
    if (strcmp(event, "message") == 0)
        assert_err(weir_grpc_call_set_compression(call, WEIR_COMPRESSION_GZIP), WEIR_ESTATE);
}

TEST(grpc_compression, a_server_chooses_before_its_headers_are_sent)
{
    pair *p = open_noting(NULL);
    p->server.act = choose_zstd;
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_DEFAULT);
    assert_err(weir_grpc_call_set_compression(call, WEIR_COMPRESSION_GZIP), WEIR_ESTATE);
    send(call, "hello");
    settle(p);
    assert_string_equal(p->client.seen, "headers;compressed;");
    assert_int_equal(weir_grpc_call_peer_compression(call), WEIR_COMPRESSION_ZSTD);
    pair_close(p);
}

/** As settle(), for what a client says, a byte at a time. */
static void trickle(pair *p)
{
    weir_buf wire;
    weir_buf_init(&wire, NULL);
    assert_ok(weir_grpc_pull(p->client.grpc, &wire, 1 << 20));
    while (weir_buf_len(&wire) > 0) {
        assert_ok(weir_grpc_feed(p->server.grpc, p->now, weir_buf_front(&wire).ptr, 1));
        weir_buf_retrieve(&wire, 1);
    }
    settle(p);
}

TEST(grpc_compression, messages_may_come_in_pieces)
{
    pair *p = open_noting(NULL);
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    send(call, long_text());
    send(call, "short");
    send(call, long_text());
    trickle(p);
    assert_string_equal(p->server.seen,
                        "request /s.S/M;compressed;message short;plain;compressed;");
    pair_close(p);
}

/* One message: it lives as long as the call, in whatever way it came. */

static weir_str kept;

static void keep_message(weir_grpc_call *call, weir_str bytes, void *user)
{
    (void)call;
    (void)user;
    kept = bytes;
}

static void expect_and_check(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "request") == 0)
        weir_grpc_expect_one(call);
    if (strcmp(event, "half-close") == 0) {
        assert_int_equal(kept.len, LONG);
        assert_memory_equal(kept.ptr, long_text(), LONG);
        finish(call, WEIR_STATUS_OK, "");
    }
}

static void send_one(bool compressed, bool pieces)
{
    weir_grpc_ops keeping = ops;
    keeping.on_message = keep_message;
    pair *p = pair_open(NULL, NULL);
    weir_grpc_free(p->server.grpc, "");
    assert_ok(weir_grpc_new(&p->server.grpc, WEIR_H2_SERVER, &keeping, &p->server, p->server.pool,
                            &p->server.timers, NULL));
    p->server.act = expect_and_check;
    kept = WEIR_STR("");
    weir_grpc_call *call =
        start_with(p, compressed ? WEIR_COMPRESSION_GZIP : WEIR_COMPRESSION_IDENTITY);
    send(call, long_text());
    if (pieces)
        trickle(p);
    weir_grpc_half_close(call);
    settle(p);
    assert_string_equal(p->client.seen, "close OK;");
    pair_close(p);
}

TEST(grpc_compression, one_message_lives_as_long_as_its_call)
{
    for (int i = 0; i < 4; i++)
        send_one(i & 1, i & 2);
}

TEST(grpc_compression, a_second_message_is_refused_before_it_is_decompressed)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = expect_and_check;
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    send(call, long_text());
    send(call, long_text());
    settle(p);
    assert_string_equal(p->client.seen, "close UNIMPLEMENTED cardinality violation: a second "
                                        "message where one was expected;");
    pair_close(p);
}

static void pause_each(end *e, weir_grpc_call *call, const char *event)
{
    note_flag(e, call, event);
    if (strcmp(event, "message") == 0)
        weir_grpc_pause(call);
}

TEST(grpc_compression, held_messages_are_decompressed_when_they_are_taken)
{
    pair *p = open_noting(NULL);
    p->server.act = pause_each;
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_ZSTD);
    for (int i = 0; i < 3; i++)
        send(call, long_text());
    settle(p);
    assert_string_equal(p->server.seen, "request /s.S/M;compressed;");
    weir_grpc_resume(p->server.call);
    weir_grpc_resume(p->server.call);
    assert_string_equal(p->server.seen, "request /s.S/M;compressed;compressed;compressed;");
    pair_close(p);
}

/* Wrong messages. */

/** A client's message, flag set, with these bytes in a gzip call. */
static void expect_refused(const void *bytes, size_t len, const weir_grpc_opts *opts,
                           const char *expected)
{
    static uint8_t framed[1 << 16];
    pair *p = pair_open(NULL, opts);
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    weir_grpc_prefix(framed, true, (uint32_t)len);
    memcpy(framed + WEIR_GRPC_PREFIX, bytes, len);
    assert_ok(weir_grpc_send_framed(call, framed, WEIR_GRPC_PREFIX + len, NULL, NULL));
    settle(p);
    assert_string_equal(p->client.seen, expected);
    pair_close(p);
}

TEST(grpc_compression, bad_data_ends_the_call_with_a_text)
{
    pair *p = pair_open(NULL, NULL);
    weir_compressors *compressors = NULL;
    assert_ok(weir_compressors_new(&compressors, &p->client.timers));
    uint8_t gzip[100];
    size_t len;
    assert_ok(weir_compress(compressors, WEIR_COMPRESSION_GZIP, weir_str_from(long_text()), gzip,
                            sizeof gzip, &len));
    weir_compressors_free(compressors);
    pair_close(p);

    expect_refused(gzip, len - 1, NULL, "close INTERNAL the gzip data of a message is cut off;");
    expect_refused("", 0, NULL, "close INTERNAL the gzip data of a message is cut off;");
    gzip[len] = 0;
    expect_refused(gzip, len + 1, NULL,
                   "close INTERNAL the gzip data of a message is followed by other bytes;");
    expect_refused("plain text", 10, NULL,
                   "close INTERNAL the gzip data of a message is corrupt, or needs more memory "
                   "than weir gives it;");
    expect_refused(gzip, len, &(weir_grpc_opts){.max_receive_bytes = LONG - 1},
                   "close RESOURCE_EXHAUSTED a gzip message is larger than the limit of 4999 bytes "
                   "when decompressed;");
    expect_refused(
        gzip, 12, &(weir_grpc_opts){.max_receive_bytes = 10},
        "close RESOURCE_EXHAUSTED a message of 12 bytes is larger than the limit of 10;");
}

TEST(grpc_compression, the_limit_of_sending_is_on_the_message_before_compression)
{
    pair *p = pair_open(&(weir_grpc_opts){.max_send_bytes = LONG}, NULL);
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_GZIP);
    uint8_t *room;
    assert_err(weir_grpc_send_begin(call, LONG + 1, &room), WEIR_EMSGSIZE);
    assert_err(weir_grpc_send_check(call, LONG + 1), WEIR_EMSGSIZE);
    assert_ok(weir_grpc_send_check(call, LONG));
    send(call, long_text());
    settle(p);
    assert_int_equal(p->server.received_bytes, LONG);
    pair_close(p);
}

TEST(grpc_compression, many_tiny_compressed_messages_need_one_context)
{
    enum {
        COUNT = 5000
    };
    static const uint8_t framed[] = {1, 0, 0, 0, 9, 0x78, 0x9c, 0x4b, 4, 0, 0, 0x62, 0, 0x62};
    weir_timers timers;
    weir_timers_init(&timers, (weir_time){WEIR_SECONDS(1000)});
    weir_compressors *shared = NULL;
    assert_ok(weir_compressors_new(&shared, &timers));
    pair *p = pair_open(NULL, &(weir_grpc_opts){.compressors = shared});
    weir_grpc_call *call = start_with(p, WEIR_COMPRESSION_DEFLATE);
    for (int i = 0; i < COUNT; i++)
        assert_ok(weir_grpc_send_framed(call, framed, sizeof framed, NULL, NULL));
    settle(p);
    assert_int_equal(p->server.received_bytes, COUNT);
    assert_int_equal(weir_compressors_contexts(shared), 1);
    weir_compressors_free(shared);
    pair_close(p);
}
