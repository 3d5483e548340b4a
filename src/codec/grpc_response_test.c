/* What a client makes of a server's frames, good ones and bad ones. */
#include "test.h"

#include "grpc_testing.h"
#include "h2_frames.h"

static struct bytes wire;

/** A header block of the only call: pairs of name and value, then NULL. */
static void headers(int flags, ...)
{
    struct bytes block = {0};
    va_list args;
    va_start(args, flags);
    for (const char *name; (name = va_arg(args, const char *));)
        hpack_field(&block, name, va_arg(args, const char *));
    va_end(args);
    frame(&wire, FRAME_HEADERS, FLAG_END_HEADERS | flags, 1, block.at, block.len);
    bytes_free(&block);
}

/** The headers of a good answer. */
static void good_headers(void)
{
    headers(0, ":status", "200", "content-type", "application/grpc", NULL);
}

static void message(int flags, uint8_t flag, const char *text)
{
    uint8_t framed[64];
    size_t len = strlen(text);
    weir_grpc_prefix(framed, false, (uint32_t)len);
    framed[0] = flag;
    memcpy(framed + WEIR_GRPC_PREFIX, text, len);
    frame(&wire, FRAME_DATA, flags, 1, framed, WEIR_GRPC_PREFIX + len);
}

static char metadata_seen[256];

static void write_down(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "headers") != 0)
        return;
    const weir_metadata *metadata = weir_grpc_call_metadata(call);
    for (size_t i = 0; i < metadata->len; i++) {
        size_t len = strlen(metadata_seen);
        snprintf(metadata_seen + len, sizeof metadata_seen - len, "%.*s=%.*s;",
                 WEIR_STR_ARGS(metadata->items[i].key), WEIR_STR_ARGS(metadata->items[i].value));
    }
}

/** Feeds `wire` to a client that has one call, and empties it. */
static void expect_from(bool one, const char *expected)
{
    struct bytes hello = {0};
    end client = {.act = write_down};
    weir_time now = {WEIR_SECONDS(1000)};
    metadata_seen[0] = '\0';
    end_open(&client, WEIR_H2_CLIENT, NULL, now);
    const weir_grpc_start begin = {.path = WEIR_STR("/s.S/M"),
                                   .authority = WEIR_STR("a"),
                                   .user_agent = WEIR_STR("t"),
                                   .deadline = weir_time_never()};
    weir_grpc_call *call = NULL;
    assert_ok(weir_grpc_call_start(&call, client.grpc, &begin));
    if (one)
        weir_grpc_expect_one(call);
    weir_buf out;
    weir_buf_init(&out, NULL);
    assert_ok(weir_grpc_pull(client.grpc, &out, 1 << 20));
    frame(&hello, FRAME_SETTINGS, 0, 0, NULL, 0);
    assert_ok(weir_grpc_feed(client.grpc, now, hello.at, hello.len));
    assert_ok(weir_grpc_feed(client.grpc, now, wire.at, wire.len));
    assert_ok(weir_grpc_pull(client.grpc, &out, 1 << 20));
    assert_string_equal(client.seen, expected);
    weir_buf_clear(&out);
    bytes_free(&hello);
    bytes_free(&wire);
    wire = (struct bytes){0};
    weir_grpc_free(client.grpc, "closed");
    weir_pool_free(client.pool);
}

static void expect(const char *expected)
{
    expect_from(false, expected);
}

TEST(grpc_response, an_answer_without_a_status_is_unknown)
{
    good_headers();
    message(0, 0, "hi");
    headers(FLAG_END_STREAM, "x", "y", NULL);
    expect("headers;message hi;close UNKNOWN the server sent no grpc-status;");
    good_headers();
    message(FLAG_END_STREAM, 0, "hi");
    expect("headers;message hi;close UNKNOWN the server sent no grpc-status;");
    headers(FLAG_END_STREAM, ":status", "200", "content-type", "application/grpc", NULL);
    expect("headers;close UNKNOWN the server sent no grpc-status;");
}

TEST(grpc_response, http_errors_are_mapped_unless_there_is_a_status)
{
    headers(FLAG_END_STREAM, ":status", "503", "content-type", "text/html", NULL);
    expect("close UNAVAILABLE the server answered with HTTP status 503;");
    headers(0, ":status", "404", "content-type", "text/html", NULL);
    message(FLAG_END_STREAM, '<', "html");
    expect("close UNIMPLEMENTED the server answered with HTTP status 404;");
    headers(FLAG_END_STREAM, ":status", "418", NULL);
    expect("close UNKNOWN the server answered with HTTP status 418;");
    headers(FLAG_END_STREAM, ":status", "500", "grpc-status", "5", "grpc-message", "no", NULL);
    expect("close NOT_FOUND no;");
    headers(FLAG_END_STREAM, ":status", "200", "content-type", "text/html", NULL);
    expect("close UNKNOWN the server's answer is not gRPC: its content-type is not "
           "application/grpc;");
}

TEST(grpc_response, trailers_only_end_a_call_and_bad_escapes_stay)
{
    headers(FLAG_END_STREAM, ":status", "200", "content-type", "application/grpc+proto",
            "grpc-status", "3", "grpc-message", "50%25 %zz %4", NULL);
    expect("close INVALID_ARGUMENT 50% %zz %4;");
}

TEST(grpc_response, numbers_that_are_no_status_are_unknown)
{
    static const char *const numbers[] = {"17", "99999", "-1", "abc", ""};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        good_headers();
        headers(FLAG_END_STREAM, "grpc-status", numbers[i], NULL);
        expect("headers;close UNKNOWN;");
    }
}

TEST(grpc_response, informational_answers_come_before_the_real_one)
{
    headers(0, ":status", "103", "link", "x", NULL);
    headers(0, ":status", "100", NULL);
    good_headers();
    message(0, 0, "hi");
    headers(FLAG_END_STREAM, "grpc-status", "0", NULL);
    expect("headers;message hi;close OK;");
    assert_string_equal(metadata_seen, "");
}

TEST(grpc_response, a_status_counts_although_we_have_not_ended)
{
    good_headers();
    headers(FLAG_END_STREAM, "grpc-status", "10", "grpc-message", "enough", NULL);
    frame_u32(&wire, FRAME_RST_STREAM, 1, WEIR_H2_NO_ERROR);
    expect("headers;close ABORTED enough;");
}

TEST(grpc_response, codes_of_rst_stream_are_mapped)
{
    static const struct {
        uint32_t code;
        const char *expected;
    } rows[] = {
        {WEIR_H2_NO_ERROR, "headers;close INTERNAL stream reset by the server: NO_ERROR;"},
        {WEIR_H2_REFUSED_STREAM,
         "headers;close UNAVAILABLE stream reset by the server: REFUSED_STREAM;"},
        {WEIR_H2_CANCEL, "headers;close CANCELLED stream reset by the server: CANCEL;"},
        {WEIR_H2_ENHANCE_YOUR_CALM,
         "headers;close RESOURCE_EXHAUSTED stream reset by the server: ENHANCE_YOUR_CALM;"},
        {WEIR_H2_INADEQUATE_SECURITY,
         "headers;close PERMISSION_DENIED stream reset by the server: INADEQUATE_SECURITY;"},
        {WEIR_H2_INTERNAL_ERROR,
         "headers;close INTERNAL stream reset by the server: INTERNAL_ERROR;"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        good_headers();
        frame_u32(&wire, FRAME_RST_STREAM, 1, rows[i].code);
        expect(rows[i].expected);
    }
}

TEST(grpc_response, binary_values_may_be_padded_joined_or_empty)
{
    headers(0, ":status", "200", "content-type", "application/grpc", "a-bin", "YQ==", "b-bin", "YQ",
            "c-bin", "YQ==,Yg, Yw", "d-bin", "", "e", "x,y", NULL);
    headers(FLAG_END_STREAM, "grpc-status", "0", NULL);
    expect("headers;close OK;");
    assert_string_equal(metadata_seen, "a-bin=a;b-bin=a;c-bin=a;c-bin=b;c-bin=c;d-bin=;e=x,y;");
    headers(0, ":status", "200", "content-type", "application/grpc", "a-bin", "Y", NULL);
    expect("close INTERNAL a \"-bin\" metadata value is not base64;");
}

TEST(grpc_response, one_reply_is_one)
{
    good_headers();
    message(0, 0, "1");
    message(0, 0, "2");
    expect_from(true, "headers;message 1;close UNIMPLEMENTED cardinality violation: a second "
                      "message where one was expected;");
    good_headers();
    headers(FLAG_END_STREAM, "grpc-status", "0", NULL);
    expect_from(true, "headers;close UNIMPLEMENTED cardinality violation: status OK without a "
                      "message;");
}

TEST(grpc_response, names_of_uppercase_letters_end_the_call)
{
    headers(0, ":status", "200", "content-type", "application/grpc", "Upper", "x", NULL);
    expect("close INTERNAL stream reset by the client's protocol check: PROTOCOL_ERROR;");
}

/* Compression. */

static void expect_flag(const char *encoding, uint8_t flag, const char *expected)
{
    if (encoding)
        headers(0, ":status", "200", "content-type", "application/grpc", "grpc-encoding", encoding,
                NULL);
    else
        good_headers();
    message(0, flag, "hi");
    expect(expected);
}

TEST(grpc_response, the_flag_counts_and_not_the_name_of_the_encoding)
{
    expect_flag(NULL, 0, "headers;message hi;");
    expect_flag("identity", 0, "headers;message hi;");
    expect_flag("gzip", 0, "headers;message hi;");
    expect_flag("snappy", 0, "headers;message hi;");
    expect_flag(NULL, 1,
                "headers;close INTERNAL a message is marked as compressed without a "
                "grpc-encoding;");
    expect_flag("identity", 1,
                "headers;close INTERNAL a message is marked as compressed without a "
                "grpc-encoding;");
    expect_flag("snappy", 1,
                "headers;close INTERNAL a message is compressed in a way that was not offered;");
    expect_flag("gzip", 1,
                "headers;close INTERNAL the gzip data of a message is corrupt, or needs more "
                "memory than weir gives it;");
    expect_flag("gzip", 2, "headers;close INTERNAL a message begins with the invalid flag byte 2;");
}
