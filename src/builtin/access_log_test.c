#include "test.h"

#include <stdio.h>

#include "rpc_fixture.h"
#include <weir/builtin/access_log.h>

static void answer(weir_call *call, const text *request, void *user)
{
    (void)user;
    weir_call_set_identity(call, WEIR_STR("ann"));
    if (request->text.len > 0)
        weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "no such room");
    else
        assert_ok(weir_call_reply(call, &(text){0}));
}

static const test_handler methods[METHODS] = {[UNARY] = {.open = answer}};

/** Lines of the log; the writer's thread fills it. */
typedef struct lines {
    char text[4000];
} lines;

static void take_lines(const char *bytes, size_t len, void *user)
{
    lines *l = user;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%.*s", (int)len, bytes);
}

/** Two calls: one is answered, one fails. */
static void make_calls(lines *l, weir_access_log_opts *server, bool at_client)
{
    *l = (lines){0};
    assert_ok(weir_log_start(
        &(weir_log_opts){.sink = take_lines, .sink_user = l, .level = WEIR_LOG_LEVEL_INFO}));
    rpc_fixture f;
    weir_interceptor_use use[] = {{&weir_access_log, server}};
    rpc_fixture_open(&f, methods, NULL, use, !at_client, use, at_client);
    rpc_fixture_expect(&f, "", NULL, "");
    text *reply;
    assert_int_equal(rpc_fixture_ask(&f, UNARY, "x", NULL, &reply).code, WEIR_STATUS_NOT_FOUND);
    rpc_fixture_close(&f);
    weir_log_stop();
}

TEST(access_log, every_call_leaves_a_line_at_a_server)
{
    lines l;
    make_calls(&l, NULL, false);
    assert_non_null(strstr(l.text, " INFO "));
    assert_non_null(strstr(l.text, "127.0.0.1:"));
    assert_non_null(strstr(l.text, " ann /test.Test/Unary OK "));
    assert_non_null(strstr(l.text, " ann /test.Test/Unary NOT_FOUND "));
    assert_non_null(strstr(l.text, " us: no such room\n"));
}

TEST(access_log, and_at_a_client)
{
    lines l;
    make_calls(&l, NULL, true);
    assert_non_null(strstr(l.text, "127.0.0.1:"));
    assert_non_null(strstr(l.text, " - /test.Test/Unary OK "));
    assert_non_null(strstr(l.text, " - /test.Test/Unary NOT_FOUND "));
}

TEST(access_log, fast_ones_may_be_left_out_and_failures_marked)
{
    lines l;
    make_calls(&l,
               &(weir_access_log_opts){.slower_us = WEIR_SECONDS(3600), .failures_at_warn = true},
               false);
    assert_null(strstr(l.text, " OK "));
    assert_non_null(strstr(l.text, " WARN "));
    assert_non_null(strstr(l.text, " NOT_FOUND "));
}
