/* Bytes that no good peer sends, bytes in any pieces, and no memory. */
#include "h2_end.h"

static struct end *server;
static struct bytes wire;

static void finish(void)
{
    end_free(server);
    bytes_free(&wire);
}

TEST(h2_robust, a_client_of_http_1_is_told_apart)
{
    server = end_new(WEIR_H2_SERVER, NULL);
    bytes_add(&wire, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_non_null(strstr(weir_h2_error(server->h2), "does not speak HTTP/2"));
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    finish();
}

TEST(h2_robust, a_peer_of_tls_is_told_apart)
{
    server = end_new(WEIR_H2_SERVER, NULL);
    bytes_add(&wire, "\x16\x03\x01\x02\0\x01", 6);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_string_equal(weir_h2_error(server->h2), "the peer speaks TLS, this port is plaintext");
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    end_free(server);
    server = end_new(WEIR_H2_CLIENT, NULL);
    bytes_free(&wire);
    wire = (struct bytes){0};
    bytes_add(&wire, "\x15\x03\x03\0\x02\x02\x28", 7);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_string_equal(weir_h2_error(server->h2),
                        "the peer speaks TLS, this channel is plaintext");
    finish();
}

TEST(h2_robust, a_preface_that_goes_wrong_late_is_no_preface)
{
    server = end_new(WEIR_H2_SERVER, NULL);
    assert_ok(weir_h2_feed(server->h2, server->now, "PRI * HTTP/2.0\r\n", 16));
    assert_err(weir_h2_feed(server->h2, server->now, "\r\nXX", 4), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    finish();
}

TEST(h2_robust, a_server_of_http_1_is_told_apart)
{
    server = end_new(WEIR_H2_CLIENT, NULL);
    bytes_add(&wire, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_non_null(strstr(weir_h2_error(server->h2), "SETTINGS expected"));
    finish();
}

TEST(h2_robust, a_frame_larger_than_allowed_ends_the_connection)
{
    server = met_server(NULL);
    frame_request(&wire, 1, 0);
    frame_data(&wire, 1, 16385, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_string_equal(weir_h2_error(server->h2), "FRAME_SIZE_ERROR: too large frame size");
    assert_ends_with(server, WEIR_H2_FRAME_SIZE_ERROR);
    finish();
}

TEST(h2_robust, after_an_error_nothing_is_taken)
{
    server = met_server(NULL);
    frame_data(&wire, 0, 1, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    frame_request(&wire, 1, 0);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_string_equal(server->log, "");
    finish();
}

TEST(h2_robust, many_fields_are_too_many)
{
    char value[101] = {0};
    struct bytes block = {0};
    server = met_server(NULL);
    memset(value, 'v', 100);
    bytes_add(&block, HPACK_REQUEST, sizeof HPACK_REQUEST - 1);
    for (int i = 0; i < 840; i++)
        hpack_field(&block, "name", value);
    frame_block(&wire, 1, &block, 16384);
    assert_ok(end_take(server, &wire));
    assert_non_null(strstr(server->log, "headers 1 request too large\n"));
    server->log_len = 0;
    frame_request(&wire, 3, FLAG_END_STREAM);
    assert_ok(end_take(server, &wire));
    assert_true(end_call(server, 1)->open && !end_call(server, 1)->closed);
    assert_string_equal(server->log,
                        "open 3\n3 :method=POST\n3 :scheme=http\n3 :path=/a\n3 :authority=h\n"
                        "headers 3 request\nend 3\n");
    bytes_free(&block);
    finish();
}

/** A request that puts a field of 4000 bytes into the table and then names it `count` times. */
static void frame_bomb(uint32_t id, size_t count)
{
    static char value[4000];
    struct bytes block = {0};
    memset(value, 'v', sizeof value);
    bytes_add(&block, HPACK_REQUEST "\x40\1a\x7f\xa1\x1e", sizeof HPACK_REQUEST + 5);
    bytes_add(&block, value, sizeof value);
    for (size_t i = 0; i < count; i++)
        bytes_add(&block, "\xbe", 1);
    frame_block(&wire, id, &block, 16000);
    bytes_free(&block);
}

TEST(h2_robust, a_list_that_grows_from_nothing_costs_no_memory)
{
    weir_pool_stats before, after;
    server = met_server(NULL);
    weir_pool_get_stats(server->pool, &before);
    frame_bomb(1, 4000);
    assert_ok(end_take(server, &wire));
    weir_pool_get_stats(server->pool, &after);
    assert_non_null(strstr(server->log, "headers 1 request too large\n"));
    assert_true(after.used_bytes < before.used_bytes + (128 << 10));
    end_respond(server, 1, 1, true);
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    assert_true(end_call(server, 1)->closed);
    finish();
}

TEST(h2_robust, lists_that_grow_from_nothing_are_not_borne_for_ever)
{
    weir_err err = WEIR_OK;
    uint32_t id = 1;
    server = met_server(NULL);
    server->no_log = true;
    for (; err == WEIR_OK && id < 99; id += 2) {
        frame_bomb(id, 4000);
        err = end_take(server, &wire);
    }
    assert_err(err, WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_ENHANCE_YOUR_CALM);
    finish();
}

TEST(h2_robust, malformed_requests_are_reset_and_closed_once)
{
    static const char *const bad[][2] = {
        {"Upper", "case"},   {"transfer-encoding", "chunked"},
        {"te", "gzip"},      {":path", "/twice"},
        {":late", "pseudo"}, {"a", "line\nbreak"},
        {"a b", "c"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        server = met_server(NULL);
        frame_request_with(&wire, 1, bad[i][0], bad[i][1]);
        assert_ok(end_take(server, &wire));
        assert_ok(end_pull(server, &wire, SIZE_MAX));
        assert_true(end_call(server, 1)->closed);
        assert_int_equal(end_call(server, 1)->code, WEIR_H2_PROTOCOL_ERROR);
        assert_null(strstr(server->log, "headers"));
        finish();
    }
}

TEST(h2_robust, a_value_may_end_with_a_space)
{
    server = met_server(NULL);
    frame_request_with(&wire, 1, "grpc-message", "so ");
    assert_ok(end_take(server, &wire));
    assert_non_null(strstr(server->log, "1 grpc-message=so \nheaders 1 request\n"));
    finish();
}

TEST(h2_robust, a_push_ends_the_connection_of_a_client)
{
    server = end_new(WEIR_H2_CLIENT, NULL);
    struct call *call;
    assert_ok(end_request(server, (struct call){.finish = true}, &call));
    assert_ok(end_pull(server, &wire, SIZE_MAX));
    wire.len = 0;
    frame(&wire, FRAME_SETTINGS, 0, 0, NULL, 0);
    frame(&wire, FRAME_SETTINGS, FLAG_ACK, 0, NULL, 0);
    frame(&wire, FRAME_PUSH_PROMISE, FLAG_END_HEADERS, 1, "\0\0\0\2" HPACK_REQUEST,
          4 + sizeof HPACK_REQUEST - 1);
    assert_err(end_take(server, &wire), WEIR_EPROTO);
    assert_ends_with(server, WEIR_H2_PROTOCOL_ERROR);
    finish();
}

/** A conversation with most kinds of frames in it. */
static void conversation(struct bytes *b)
{
    struct bytes block = {0};
    client_hello(b);
    frame_request(b, 1, 0);
    frame_data(b, 1, 700, 0);
    frame(b, FRAME_DATA, FLAG_PADDED, 1, "\x02xyz\0", 6);
    frame_ping(b);
    frame(b, 0xbe, 0, 0, "unknown", 7);
    frame_setting(b, 4, 1000);
    frame_data(b, 1, 0, FLAG_END_STREAM);
    frame_request_with(b, 3, "Bad", "name");
    frame_priority(b, 5);
    bytes_add(&block, HPACK_REQUEST, sizeof HPACK_REQUEST - 1);
    hpack_field(&block, "key", "value of some length");
    frame_block(b, 5, &block, 9);
    frame_u32(b, FRAME_WINDOW_UPDATE, 5, 100);
    frame_u32(b, FRAME_RST_STREAM, 5, WEIR_H2_CANCEL);
    frame_request(b, 7, FLAG_END_STREAM);
    frame(b, FRAME_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0bye", 11);
    frame_data(b, 0, 1, 0);
    bytes_free(&block);
}

static weir_err feed_in_pieces(struct end *e, const struct bytes *b, size_t first, size_t piece)
{
    weir_err err = WEIR_OK;
    for (size_t at = 0; at < b->len && err == WEIR_OK;) {
        size_t want = at == 0 ? first : piece;
        size_t len = b->len - at < want ? b->len - at : want;
        err = weir_h2_feed(e->h2, e->now, b->at + at, len);
        at += len;
    }
    end_log_data(e);
    return err;
}

TEST(h2_robust, any_split_of_the_bytes_gives_the_same_events)
{
    conversation(&wire);
    struct end *whole = end_new(WEIR_H2_SERVER, NULL);
    assert_err(feed_in_pieces(whole, &wire, wire.len, wire.len), WEIR_EPROTO);
    assert_non_null(strstr(whole->log, "goaway 0 NO_ERROR bye\n"));
    for (size_t cut = 1; cut < wire.len; cut += cut < 400 || cut > 1000 ? 1 : 50) {
        const size_t pieces[] = {wire.len, cut % 64 + 1};
        for (size_t i = 0; i < 2; i++) {
            struct end *split = end_new(WEIR_H2_SERVER, NULL);
            assert_err(feed_in_pieces(split, &wire, cut, pieces[i]), WEIR_EPROTO);
            assert_string_equal(split->log, whole->log);
            assert_string_equal(weir_h2_error(split->h2), weir_h2_error(whole->h2));
            end_free(split);
        }
    }
    end_free(whole);
    bytes_free(&wire);
}

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

TEST(h2_robust, changed_bytes_never_harm)
{
    struct bytes good = {0};
    conversation(&good);
    for (int round = 0; round < 3000; round++) {
        server = end_new(round % 2 ? WEIR_H2_SERVER : WEIR_H2_CLIENT, NULL);
        size_t skip = round % 2 ? 0 : 24;
        wire.len = 0;
        bytes_add(&wire, good.at + skip, good.len - skip);
        for (int i = 0; i < 1 + round % 4; i++)
            wire.at[next_random() % wire.len] = (uint8_t)next_random();
        weir_err err = feed_in_pieces(server, &wire, 1 + next_random() % 500, 200);
        assert_true(err == WEIR_OK || err == WEIR_EPROTO);
        wire.len = 0;
        assert_true(end_pull(server, &wire, SIZE_MAX) != WEIR_ENOMEM);
        assert_true((err == WEIR_OK) == (weir_h2_error(server->h2)[0] == '\0'));
        end_free(server);
    }
    bytes_free(&good);
    bytes_free(&wire);
}

/** Both ends on one pool of `limit` bytes: a call with bodies both ways. */
static weir_err try_call(struct end *a, struct end *b, weir_pool *pool)
{
    struct call *call;
    weir_err err = end_try(a, WEIR_H2_CLIENT, NULL, pool);
    if (err == WEIR_OK)
        err = end_try(b, WEIR_H2_SERVER, NULL, pool);
    if (err == WEIR_OK)
        err = end_request(a, (struct call){.to_send = 40000, .finish = true}, &call);
    for (int turn = 0; turn < 6 && err == WEIR_OK; turn++) {
        struct bytes b1 = {0};
        struct end *from = turn % 2 ? b : a, *to = turn % 2 ? a : b;
        const weir_h2_header status = {WEIR_STR(":status"), WEIR_STR("200"), false};
        err = end_pull(from, &b1, SIZE_MAX);
        if (err == WEIR_OK)
            err = end_feed(to, &b1);
        bytes_free(&b1);
        *end_call(b, 1) = (struct call){
            .id = 1, .open = true, .to_send = 30000, .finish = true, .trailers = true};
        if (turn == 0 && err == WEIR_OK)
            err = weir_h2_submit_response(b->h2, 1, &status, 1, true);
    }
    return err;
}

TEST(h2_robust, no_memory_at_any_point_is_an_error_and_no_leak)
{
    struct end *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    weir_err err = WEIR_ENOMEM;
    int failures = 0;
    assert_true(a && b);
    for (size_t limit = 1024; err != WEIR_OK; limit += 64) {
        weir_pool *pool;
        memset(a, 0, sizeof *a);
        memset(b, 0, sizeof *b);
        assert_ok(weir_pool_new(&pool, &(weir_pool_opts){.limit_bytes = limit}));
        err = try_call(a, b, pool);
        /* Without memory to compress a request the library ends the connection by itself, and the
         * other end has nothing to answer. */
        assert_true(err == WEIR_OK || err == WEIR_ENOMEM || err == WEIR_ECLOSED);
        failures += err != WEIR_OK;
        weir_h2_free(a->h2);
        weir_h2_free(b->h2);
        weir_pool_free(pool);
    }
    assert_true(failures > 100);
    free(a);
    free(b);
}
