#include "test.h"

#include "grpc_testing.h"

TEST(status, every_code_has_a_name_and_others_are_unknown)
{
    static const char *const names[] = {"OK",
                                        "CANCELLED",
                                        "UNKNOWN",
                                        "INVALID_ARGUMENT",
                                        "DEADLINE_EXCEEDED",
                                        "NOT_FOUND",
                                        "ALREADY_EXISTS",
                                        "PERMISSION_DENIED",
                                        "RESOURCE_EXHAUSTED",
                                        "FAILED_PRECONDITION",
                                        "ABORTED",
                                        "OUT_OF_RANGE",
                                        "UNIMPLEMENTED",
                                        "INTERNAL",
                                        "UNAVAILABLE",
                                        "DATA_LOSS",
                                        "UNAUTHENTICATED"};
    for (int i = 0; i < 17; i++)
        assert_string_equal(weir_status_name((weir_status_code)i), names[i]);
    assert_string_equal(weir_status_name((weir_status_code)17), "UNKNOWN");
    assert_string_equal(weir_status_name((weir_status_code)-1), "UNKNOWN");
}

/* grpc/doc/http-grpc-status-mapping.md */
TEST(status, http_codes_map_as_specified)
{
    static const struct {
        int http;
        weir_status_code code;
    } rows[] = {{400, WEIR_STATUS_INTERNAL},          {401, WEIR_STATUS_UNAUTHENTICATED},
                {403, WEIR_STATUS_PERMISSION_DENIED}, {404, WEIR_STATUS_UNIMPLEMENTED},
                {429, WEIR_STATUS_UNAVAILABLE},       {502, WEIR_STATUS_UNAVAILABLE},
                {503, WEIR_STATUS_UNAVAILABLE},       {504, WEIR_STATUS_UNAVAILABLE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(weir_status_from_http(rows[i].http), rows[i].code);
    static const int others[] = {-1, 0, 204, 301, 402, 405, 415, 431, 500, 501, 505, 999};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(weir_status_from_http(others[i]), WEIR_STATUS_UNKNOWN);
}

/* PROTOCOL-HTTP2 "Errors"; STREAM_CLOSED has no mapping there. */
TEST(status, codes_of_rst_stream_map_as_specified)
{
    for (uint32_t code = 0; code < 20; code++) {
        weir_status_code expected =
            code == WEIR_H2_REFUSED_STREAM        ? WEIR_STATUS_UNAVAILABLE
            : code == WEIR_H2_CANCEL              ? WEIR_STATUS_CANCELLED
            : code == WEIR_H2_ENHANCE_YOUR_CALM   ? WEIR_STATUS_RESOURCE_EXHAUSTED
            : code == WEIR_H2_INADEQUATE_SECURITY ? WEIR_STATUS_PERMISSION_DENIED
            : code == WEIR_H2_STREAM_CLOSED       ? WEIR_STATUS_UNKNOWN
                                                  : WEIR_STATUS_INTERNAL;
        assert_int_equal(weir_status_from_h2(code), expected);
    }
}

/* On the wire: each code, with a text and details. */

static weir_status asked;
static char got_details[32];

static void end_as_asked(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "half-close") == 0)
        assert_ok(weir_grpc_finish(call, &asked));
}

static void keep_details(weir_grpc_call *call, const weir_status *status, void *user)
{
    snprintf(got_details, sizeof got_details, "%.*s", WEIR_STR_ARGS(status->details));
    on_close(call, status, user);
}

static void expect_status(int code, const char *expected, const char *details)
{
    weir_grpc_ops keeping = ops;
    keeping.on_close = keep_details;
    pair *p = pair_open(NULL, NULL);
    weir_grpc_free(p->client.grpc, "");
    assert_ok(weir_grpc_new(&p->client.grpc, WEIR_H2_CLIENT, &keeping, &p->client, p->client.pool,
                            &p->client.timers, NULL));
    p->server.act = end_as_asked;
    asked = (weir_status){(weir_status_code)code, WEIR_STR("100% of \xe2\x98\xba\n"),
                          WEIR_STR("some\1bytes")};
    weir_grpc_half_close(start(p, weir_time_never(), NULL));
    settle(p);
    assert_string_equal(p->client.seen, expected);
    assert_string_equal(got_details, details);
    pair_close(p);
}

TEST(status, every_code_arrives_with_its_text_and_details)
{
    char expected[100];
    for (int code = 0; code < 17; code++) {
        snprintf(expected, sizeof expected, "close %s 100%% of \xe2\x98\xba\n;",
                 weir_status_name((weir_status_code)code));
        expect_status(code, expected, "some\1bytes");
    }
    expect_status(17, "close UNKNOWN 100% of \xe2\x98\xba\n;", "some\1bytes");
    expect_status(-1, "close UNKNOWN 100% of \xe2\x98\xba\n;", "some\1bytes");
}
