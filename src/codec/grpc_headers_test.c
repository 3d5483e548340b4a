/* Every way to be wrong in a request's headers, with a bare HTTP/2 client. */
#include "test.h"

#include "grpc_testing.h"

typedef struct answer {
    char status[8], grpc_status[8], message[256], encoding[32], accepted[64], body[256];
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
    if (weir_str_eq(name, WEIR_STR("grpc-encoding")))
        snprintf(a->encoding, sizeof a->encoding, "%.*s", WEIR_STR_ARGS(value));
    if (weir_str_eq(name, WEIR_STR("grpc-accept-encoding")))
        snprintf(a->accepted, sizeof a->accepted, "%.*s", WEIR_STR_ARGS(value));
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

TEST(grpc_headers, requests_that_are_not_grpc_are_answered_in_http)
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

TEST(grpc_headers, wrong_headers_end_with_the_status_of_the_specification)
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
    assert_string_equal(a.accepted, "identity,deflate,gzip,zstd");
    assert_string_equal(a.message, "the grpc-encoding of the request is not supported: send one of "
                                   "identity,deflate,gzip,zstd");
    headers[6] = (weir_h2_header)H("x-bin", "a");
    a = ask(headers, 7, NULL);
    assert_string_equal(a.grpc_status, "13");
    headers[4] = (weir_h2_header)H("x-no-te", "trailers");
    a = ask(headers, 6, NULL);
    assert_string_equal(a.grpc_status, "13");
}

TEST(grpc_headers, a_header_list_over_the_limit_is_resource_exhausted)
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

/** The encoding of a server's answer that would like gzip. */
static const char *encoding_for(const char *accepted)
{
    static answer a;
    weir_h2_header headers[] = {H(":method", "POST"), H(":scheme", "http"),
                                H(":path", "/s.S/M"), H(":authority", "a"),
                                H("te", "trailers"),  H("content-type", "application/grpc"),
                                H("x", "y")};
    if (accepted)
        headers[6] =
            (weir_h2_header){WEIR_STR("grpc-accept-encoding"), weir_str_from(accepted), false};
    a = ask(headers, 7, &(weir_grpc_opts){.compression = WEIR_COMPRESSION_GZIP});
    assert_string_equal(a.grpc_status, "0");
    assert_string_equal(a.accepted, *a.encoding ? "identity,deflate,gzip,zstd" : "");
    return a.encoding;
}

TEST(grpc_headers, an_answer_is_compressed_only_with_what_the_client_takes)
{
    static const char *const takes[] = {
        "gzip", "identity,deflate,gzip", "identity, gzip ,br", ",,gzip", "gzip,", "gzip\t,x"};
    static const char *const takes_not[] = {
        NULL, "", "identity", "identity,deflate", "gzi", "GZIP", "gzipx", ",", "x-gzip"};
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
        assert_string_equal(encoding_for(takes[i]), "gzip");
    for (size_t i = 0; i < sizeof takes_not / sizeof *takes_not; i++)
        assert_string_equal(encoding_for(takes_not[i]), "");
}
