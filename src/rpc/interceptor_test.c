/* Interceptors around real calls: order, early ends, holding, and what they may change. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "rpc_fixture.h"

/* What happened, in order, as one line. Written in one loop at a time. */
typedef struct trace {
    char text[2000];
    weir_latch closed; /* a server's `closed` is behind the client's */
} trace;

static void note(trace *t, const char *fmt, ...) WEIR_PRINTF(2, 3);

static void note(trace *t, const char *fmt, ...)
{
    size_t len = strlen(t->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(t->text + len, sizeof t->text - len, fmt, args);
    va_end(args);
}

/* An interceptor with a letter, which notes each step. */
typedef struct noter {
    trace *trace;
    char letter;
} noter;

static void note_open(weir_call *call, void *state, void *user)
{
    (void)call;
    noter *n = user;
    *(int *)state += 1;
    note(n->trace, "%copen ", n->letter);
}

static void note_headers(weir_call *call, void *state, void *user)
{
    (void)call, (void)state;
    noter *n = user;
    note(n->trace, "%cheaders ", n->letter);
}

static const void *note_received(weir_call *call, const void *message, void *state, void *user)
{
    (void)call;
    noter *n = user;
    *(int *)state += 1;
    note(n->trace, "%c<%.*s ", n->letter, WEIR_STR_ARGS(((const text *)message)->text));
    return message;
}

static const void *note_sending(weir_call *call, const void *message, void *state, void *user)
{
    (void)call;
    noter *n = user;
    *(int *)state += 1;
    note(n->trace, "%c>%.*s ", n->letter, WEIR_STR_ARGS(((const text *)message)->text));
    return message;
}

static void note_finish(weir_call *call, weir_status *status, void *state, void *user)
{
    (void)call, (void)state;
    noter *n = user;
    note(n->trace, "%cfinish=%d ", n->letter, status->code);
}

static void note_closed(weir_call *call, const weir_status *status, void *state, void *user)
{
    (void)call, (void)status;
    noter *n = user;
    note(n->trace, "%cclosed(%d) ", n->letter, *(int *)state);
    if (n->letter == 'a')
        weir_latch_down(&n->trace->closed);
}

static const weir_interceptor noting = {
    .name = "noting",
    .state_bytes = sizeof(int),
    .open = note_open,
    .headers = note_headers,
    .received = note_received,
    .sending = note_sending,
    .finish = note_finish,
    .closed = note_closed,
};

/* Handlers. */

static void unary(weir_call *call, const text *request, void *user)
{
    (void)user;
    const weir_str *who = weir_metadata_get(weir_call_metadata(call), WEIR_STR("who"));
    weir_str name = who ? *who : request->text;
    if (weir_str_eq(name, WEIR_STR("nobody")))
        weir_call_fail(call, WEIR_STATUS_NOT_FOUND, "no such name");
    else
        assert_ok(weir_call_reply(
            call, &(text){.text = weir_call_printf(call, "hello %.*s", WEIR_STR_ARGS(name))}));
}

static void chat(weir_call *call, const text *request, void *user)
{
    (void)user;
    weir_payload *payload;
    assert_ok(weir_payload_new(&payload, &text_type, request));
    assert_ok(weir_call_send_payload(call, payload));
    weir_payload_unref(payload);
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

static void open_fixture(rpc_fixture *f, const weir_interceptor_use *server, size_t server_count,
                         const weir_interceptor_use *client, size_t client_count)
{
    rpc_fixture_open(f, methods, NULL, server, server_count, client, client_count);
}

static void expect_failure(rpc_fixture *f, const char *request, weir_status_code code,
                           const char *expected)
{
    text *reply;
    weir_status status = rpc_fixture_ask(f, UNARY, request, NULL, &reply);
    assert_int_equal(status.code, code);
    assert_string_equal(weir_status_text(&status), expected);
}

static void read_chat(rpc_fixture *f, const char *const *sent, size_t count,
                      const char *const *expected, size_t expected_count)
{
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f->channel, &test_methods[CHAT], NULL, NULL));
    for (size_t i = 0; i < count; i++)
        assert_ok(weir_stream_write(stream, &(text){.text = weir_str_from(sent[i])}));
    assert_ok(weir_stream_half_close(stream));
    void *got;
    for (size_t i = 0; i < expected_count; i++) {
        assert_ok(weir_stream_read(stream, f->mem, &got));
        assert_true(weir_str_eq(((text *)got)->text, weir_str_from(expected[i])));
    }
    assert_err(weir_stream_read(stream, f->mem, &got), WEIR_ECLOSED);
    assert_int_equal(weir_stream_finish(stream, f->mem).code, WEIR_STATUS_OK);
    weir_stream_free(stream);
}

TEST(interceptor, at_a_server_the_first_is_the_outermost)
{
    trace t = {0};
    weir_latch_init(&t.closed, 1);
    noter a = {&t, 'a'}, b = {&t, 'b'};
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&noting, &a}, {&noting, &b}}, 2, NULL, 0);
    rpc_fixture_expect(&f, "ann", NULL, "hello ann");
    weir_latch_wait(&t.closed);
    assert_string_equal(t.text, "aopen bopen a<ann b<ann b>hello ann a>hello ann "
                                "bfinish=0 afinish=0 bclosed(3) aclosed(3) ");
    rpc_fixture_close(&f);
}

TEST(interceptor, at_a_client_the_first_is_the_outermost)
{
    trace t = {0};
    weir_latch_init(&t.closed, 1);
    noter a = {&t, 'a'}, b = {&t, 'b'};
    rpc_fixture f;
    open_fixture(&f, NULL, 0, (weir_interceptor_use[]){{&noting, &a}, {&noting, &b}}, 2);
    rpc_fixture_expect(&f, "ann", NULL, "hello ann");
    weir_latch_wait(&t.closed);
    assert_string_equal(t.text, "aopen bopen a>ann b>ann bheaders aheaders b<hello ann a<hello ann "
                                "bfinish=0 afinish=0 bclosed(3) aclosed(3) ");
    rpc_fixture_close(&f);
}

TEST(interceptor, messages_of_streams_and_shared_ones_are_seen)
{
    trace t = {0}, u = {0};
    weir_latch_init(&t.closed, 1);
    weir_latch_init(&u.closed, 1);
    noter a = {&t, 'a'}, b = {&u, 'a'};
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&noting, &a}}, 1,
                 (weir_interceptor_use[]){{&noting, &b}}, 1);
    read_chat(&f, (const char *[]){"x", "y"}, 2, (const char *[]){"x", "y"}, 2);
    weir_latch_wait(&t.closed);
    weir_latch_wait(&u.closed);
    assert_string_equal(t.text, "aopen a<x a>x a<y a>y afinish=0 aclosed(5) ");
    assert_non_null(strstr(u.text, "a>x a>y "));
    assert_non_null(strstr(u.text, "a<x a<y afinish=0 aclosed(5) "));
    rpc_fixture_close(&f);
}

/* Early ends. */

static void refuse(weir_call *call, void *state, void *user)
{
    (void)state, (void)user;
    assert_ok(weir_call_fail(call, WEIR_STATUS_PERMISSION_DENIED, "not you"));
    assert_err(weir_call_add_header(call, WEIR_STR("late"), WEIR_STR("x")), WEIR_ESTATE);
}

static const weir_interceptor refusing = {.name = "refusing", .open = refuse};

TEST(interceptor, a_call_that_one_ends_goes_no_further_at_a_server)
{
    trace t = {0};
    weir_latch_init(&t.closed, 1);
    noter a = {&t, 'a'}, b = {&t, 'b'};
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&noting, &a}, {&refusing, NULL}, {&noting, &b}}, 3,
                 NULL, 0);
    expect_failure(&f, "ann", WEIR_STATUS_PERMISSION_DENIED, "not you");
    weir_latch_wait(&t.closed);
    assert_string_equal(t.text, "aopen afinish=7 aclosed(1) ");
    rpc_fixture_close(&f);
}

TEST(interceptor, a_call_that_one_ends_goes_no_further_at_a_client)
{
    trace t = {0}, s = {0};
    weir_latch_init(&t.closed, 1);
    noter a = {&t, 'a'}, b = {&t, 'b'}, server = {&s, 's'};
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&noting, &server}}, 1,
                 (weir_interceptor_use[]){{&noting, &a}, {&refusing, NULL}, {&noting, &b}}, 3);
    expect_failure(&f, "ann", WEIR_STATUS_PERMISSION_DENIED, "not you");
    weir_latch_wait(&t.closed);
    assert_string_equal(t.text, "aopen afinish=7 aclosed(1) ");
    rpc_fixture_close(&f);
    assert_string_equal(s.text, "");
}

/* Metadata. */

static void add_who(weir_call *call, void *state, void *user)
{
    (void)state;
    assert_ok(weir_call_add_header(call, WEIR_STR("who"), weir_str_from(user)));
}

static const weir_interceptor adding = {.name = "adding", .open = add_who};

TEST(interceptor, a_client_adds_to_the_request)
{
    rpc_fixture f;
    open_fixture(&f, NULL, 0, (weir_interceptor_use[]){{&adding, "bob"}}, 1);
    rpc_fixture_expect(&f, "ann", NULL, "hello bob");
    rpc_fixture_close(&f);
}

static void rewrite_who(weir_call *call, void *state, void *user)
{
    (void)state;
    weir_metadata *metadata = weir_call_edit_metadata(call);
    assert_int_equal(weir_metadata_remove(metadata, WEIR_STR("who")), 1);
    assert_ok(
        weir_metadata_add(metadata, weir_call_arena(call), WEIR_STR("who"), weir_str_from(user)));
}

static const weir_interceptor rewriting = {.name = "rewriting", .open = rewrite_who};

TEST(interceptor, a_server_changes_what_the_handler_sees)
{
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&rewriting, "carl"}}, 1,
                 (weir_interceptor_use[]){{&adding, "bob"}}, 1);
    rpc_fixture_expect(&f, "ann", NULL, "hello carl");
    rpc_fixture_close(&f);
}

TEST(interceptor, a_client_changes_what_it_sends)
{
    rpc_fixture f;
    open_fixture(&f, NULL, 0, (weir_interceptor_use[]){{&adding, "bob"}, {&rewriting, "dora"}}, 2);
    rpc_fixture_expect(&f, "ann", NULL, "hello dora");
    rpc_fixture_close(&f);
}

/* Messages and the status. */

static const void *decorate(weir_call *call, const void *message, void *state, void *user)
{
    (void)state;
    weir_str old = ((const text *)message)->text;
    if (weir_str_eq(old, WEIR_STR("drop")))
        return NULL;
    text *other = weir_arena_zalloc(weir_call_arena(call), sizeof *other);
    other->text = weir_call_printf(call, "%s%.*s", (const char *)user, WEIR_STR_ARGS(old));
    return other;
}

static const weir_interceptor decorating_in = {.name = "in", .received = decorate};
static const weir_interceptor decorating_out = {.name = "out", .sending = decorate};

TEST(interceptor, messages_are_replaced_on_every_way)
{
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&decorating_in, "1"}, {&decorating_out, "2"}}, 2,
                 (weir_interceptor_use[]){{&decorating_in, "3"}, {&decorating_out, "4"}}, 2);
    rpc_fixture_expect(&f, "ann", NULL, "32hello 14ann");
    read_chat(&f, (const char *[]){"x", "drop", "y"}, 3, (const char *[]){"3214x", "3214y"}, 2);
    rpc_fixture_close(&f);
}

TEST(interceptor, a_dropped_request_or_reply_ends_the_call)
{
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&decorating_in, ""}}, 1, NULL, 0);
    expect_failure(&f, "drop", WEIR_STATUS_INTERNAL, "an interceptor dropped the request");
    rpc_fixture_close(&f);
}

static void soften(weir_call *call, weir_status *status, void *state, void *user)
{
    (void)state;
    if (status->code != WEIR_STATUS_NOT_FOUND)
        return;
    status->code = WEIR_STATUS_OUT_OF_RANGE;
    status->message =
        weir_call_printf(call, "%s: %.*s", (const char *)user, WEIR_STR_ARGS(status->message));
}

static const weir_interceptor softening = {.name = "softening", .finish = soften};

TEST(interceptor, the_status_is_changed_at_a_server_or_a_client)
{
    rpc_fixture f;
    open_fixture(&f, (weir_interceptor_use[]){{&softening, "s"}}, 1, NULL, 0);
    expect_failure(&f, "nobody", WEIR_STATUS_OUT_OF_RANGE, "s: no such name");
    rpc_fixture_close(&f);
    open_fixture(&f, NULL, 0, (weir_interceptor_use[]){{&softening, "c"}}, 1);
    expect_failure(&f, "nobody", WEIR_STATUS_OUT_OF_RANGE, "c: no such name");
    rpc_fixture_close(&f);
}

/* Holding. */

static void *decide(void *argument)
{
    weir_call_id *id = argument;
    assert_ok(weir_call_proceed_post(*id));
    free(id);
    return NULL;
}

/** Asks another thread, which answers when it likes. */
static void hold(weir_call *call, void *state, void *user)
{
    (void)user;
    if ((*(int *)state)++ == 2)
        return;
    weir_call_id *id = malloc(sizeof *id);
    *id = weir_call_id_of(call);
    weir_call_hold(call);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, decide, id), 0);
    pthread_detach(thread);
}

static const weir_interceptor holding = {
    .name = "holding", .state_bytes = sizeof(int), .open = hold};

TEST(interceptor, a_held_call_goes_on_when_another_thread_says_so)
{
    rpc_fixture f;
    weir_interceptor_use twice[] = {{&holding, NULL}, {&holding, NULL}};
    open_fixture(&f, twice, 2, twice, 2);
    for (int i = 0; i < 20; i++)
        rpc_fixture_expect(&f, "ann", NULL, "hello ann");
    read_chat(&f, (const char *[]){"x", "y"}, 2, (const char *[]){"x", "y"}, 2);
    read_chat(&f, NULL, 0, NULL, 0);
    rpc_fixture_close(&f);
}

static void hold_for_ever(weir_call *call, void *state, void *user)
{
    (void)state;
    weir_call_hold(call);
    if (user)
        weir_latch_down(user);
}

static const weir_interceptor stuck = {.name = "stuck", .open = hold_for_ever};

TEST(interceptor, a_held_call_ends_with_its_deadline)
{
    for (int side = 0; side < 2; side++) {
        rpc_fixture f;
        weir_interceptor_use use[] = {{&stuck, NULL}};
        open_fixture(&f, use, side == 0, use, side == 1);
        text *reply;
        weir_status status = rpc_fixture_ask(
            &f, UNARY, "ann", &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(30)}, &reply);
        assert_int_equal(status.code, WEIR_STATUS_DEADLINE_EXCEEDED);
        rpc_fixture_close(&f);
    }
}

static void ended(const weir_status *status, const void *reply, void *user)
{
    (void)reply;
    *(weir_status_code *)user = status->code;
}

static void thunk(weir_fn done, const weir_status *status, const void *reply, void *user)
{
    ((void (*)(const weir_status *, const void *, void *))done)(status, reply, user);
}

TEST(interceptor, a_held_call_ends_with_its_channel)
{
    rpc_fixture f;
    weir_latch held;
    weir_latch_init(&held, 1);
    weir_status_code code = WEIR_STATUS_OK;
    open_fixture(&f, NULL, 0, (weir_interceptor_use[]){{&stuck, &held}}, 1);
    assert_ok(weir_unary_start(f.channel, &test_methods[UNARY], &(text){0}, thunk, (weir_fn)ended,
                               &code, NULL));
    weir_latch_wait(&held);
    rpc_fixture_close(&f);
    assert_int_equal(code, WEIR_STATUS_CANCELLED);
}
