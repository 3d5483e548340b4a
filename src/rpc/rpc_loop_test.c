/* Server and channel in one loop of the caller's, with the callback interface: no thread at all. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "rpc_testing.h"

typedef struct one_loop {
    weir_loop *loop;
    weir_server *server;
    weir_channel *channel;
    weir_call_id id;
    weir_timer timer;
    char seen[1024];
    int to_send;
    int got;
} one_loop;

static void note(one_loop *o, const char *what)
{
    assert_true(strlen(o->seen) + strlen(what) + 2 < sizeof o->seen);
    strcat(o->seen, what);
    strcat(o->seen, ";");
}

/* The server: echoes, and says would-block as it comes. */

static void echo(weir_call *call, const text *request, void *user)
{
    (void)user;
    assert_ok(weir_call_send(call, &(text){.text = request->text}));
}

static void echo_end(weir_call *call, void *user)
{
    (void)user;
    assert_ok(weir_call_add_trailer(call, WEIR_STR("x-end"), WEIR_STR("yes")));
    weir_call_finish(call);
}

static void hello(weir_call *call, const text *request, void *user)
{
    (void)user;
    const weir_str *from = weir_metadata_get(weir_call_metadata(call), WEIR_STR("x-from"));
    text reply = {.text = weir_call_printf(call, "%.*s from %.*s", WEIR_STR_ARGS(request->text),
                                           WEIR_STR_ARGS(*from))};
    assert_ok(weir_call_add_header(call, WEIR_STR("x-loop"), WEIR_STR("one")));
    assert_true(weir_call_time_left_us(call) <= WEIR_SECONDS(5));
    assert_ok(weir_call_reply(call, &reply));
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = hello},
    [CHAT] = {.message = echo, .half_closed = echo_end},
};

/* The client's events. */

static void do_headers(weir_call *call, const void *events, void *user)
{
    (void)call;
    (void)events;
    note(user, "headers");
}

static void do_reply(weir_call *call, const void *reply, const void *events, void *user)
{
    (void)events;
    one_loop *o = user;
    const text *message = reply;
    o->got++;
    if (message->text.len < 100)
        note(o, "message");
    if (o->got == o->to_send)
        assert_ok(weir_call_half_close(call));
}

static void do_send_more(weir_call *call, const void *events, void *user)
{
    (void)call;
    (void)events;
    note(user, "writable");
}

static void stopped(void *user)
{
    weir_loop_quit(((one_loop *)user)->loop);
}

static void do_done(weir_call *call, const weir_status *status, const void *events, void *user)
{
    (void)events;
    one_loop *o = user;
    note(o, weir_status_name(status->code));
    if (weir_metadata_get(weir_call_trailers(call), WEIR_STR("x-end")))
        note(o, "x-end");
    weir_channel_free(o->channel);
    weir_server_stop(o->server, stopped, o);
}

static const weir_client_handler handler = {do_headers, do_reply, do_send_more, do_done};

static void open_loop(one_loop *o)
{
    char addr[WEIR_ADDR_TEXT_MAX];
    weir_why why;
    *o = (one_loop){.to_send = 2};
    assert_ok(weir_loop_new(&o->loop, &(weir_loop_opts){.poller = test_poller()}));
    o->server = weir_server_new(&(weir_server_opts){.single_loop = true});
    assert_ok(weir_server_add(o->server, &test_service, test_handlers, methods, o));
    assert_err(weir_server_add(o->server, &test_service, test_handlers, methods, o), WEIR_EEXIST);
    assert_ok(weir_server_start(o->server, o->loop, "127.0.0.1:0", &why));
    weir_addr_text(weir_server_addr(o->server), addr);
    o->channel = weir_channel_new(addr, &(weir_channel_opts){.loop = o->loop});
    assert_non_null(o->channel);
}

static void run_to_end(one_loop *o)
{
    assert_ok(weir_loop_run(o->loop));
    weir_server_free(o->server);
    weir_loop_free(o->loop);
}

TEST(rpc_loop, a_stream_with_callbacks_shares_the_loop_with_its_server)
{
    one_loop o;
    open_loop(&o);
    assert_ok(
        weir_call_start(o.channel, &test_methods[CHAT], NULL, &handler, NULL, &o, NULL, &o.id));
    assert_ok(weir_call_send_post(o.id, &text_type, &(text){.text = WEIR_STR("a")}));
    assert_ok(weir_call_send_post(o.id, &text_type, &(text){.text = WEIR_STR("b")}));
    run_to_end(&o);
    assert_string_equal(o.seen, "headers;message;message;OK;x-end;");
    assert_err(weir_call_send_post(o.id, &text_type, &(text){0}), WEIR_ECLOSED);
}

TEST(rpc_loop, sending_before_there_is_a_connection_waits_for_writable)
{
    one_loop o;
    open_loop(&o);
    assert_ok(
        weir_call_start(o.channel, &test_methods[CHAT], NULL, &handler, NULL, &o, NULL, &o.id));
    assert_ok(weir_loop_run_once(o.loop, 0));
    weir_call *call = weir_call_get(o.loop, o.id);
    assert_non_null(call);
    assert_int_equal(weir_call_peer(call).len, 0);
    assert_err(weir_call_send(call, &(text){0}), WEIR_EAGAIN);
    assert_ok(weir_call_half_close(call));
    assert_err(weir_call_half_close(call), WEIR_ESTATE);
    run_to_end(&o);
    assert_string_equal(o.seen, "writable;OK;x-end;");
}

TEST(rpc_loop, a_call_that_is_cancelled_before_it_connects_ends_once)
{
    one_loop o;
    open_loop(&o);
    assert_ok(
        weir_call_start(o.channel, &test_methods[CHAT], NULL, &handler, NULL, &o, NULL, &o.id));
    assert_ok(weir_call_cancel_post(o.id));
    assert_ok(weir_call_cancel_post(o.id));
    run_to_end(&o);
    assert_string_equal(o.seen, "CANCELLED;");
}

static void only_note(weir_call *call, const weir_status *status, const void *events, void *user)
{
    (void)call;
    (void)events;
    note(user, weir_status_name(status->code));
}

TEST(rpc_loop, a_call_may_be_cancelled_in_the_turn_in_which_its_channel_is_freed)
{
    static const weir_client_handler noting = {do_headers, do_reply, do_send_more, only_note};
    one_loop o;
    open_loop(&o);
    assert_ok(
        weir_call_start(o.channel, &test_methods[CHAT], NULL, &noting, NULL, &o, NULL, &o.id));
    assert_ok(weir_call_cancel_post(o.id));
    weir_channel_free(o.channel);
    assert_ok(weir_loop_run_once(o.loop, 0));
    assert_string_equal(o.seen, "CANCELLED;");
    weir_server_stop(o.server, stopped, &o);
    run_to_end(&o);
}

typedef void (*done_fn)(const weir_status *status, const text *reply, void *user);

static void thunk(weir_fn done, const weir_status *status, const void *reply, void *user)
{
    ((done_fn)done)(status, reply, user);
}

static void answered(const weir_status *status, const text *reply, void *user)
{
    one_loop *o = user;
    note(o, weir_status_text(status));
    assert_str(reply->text, "hello from test");
    weir_channel_free(o->channel);
    weir_server_stop(o->server, stopped, o);
}

TEST(rpc_loop, an_asynchronous_call_carries_metadata_and_a_deadline)
{
    one_loop o;
    open_loop(&o);
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    weir_metadata metadata = {0};
    assert_ok(weir_metadata_add(&metadata, &mem, WEIR_STR("x-from"), WEIR_STR("test")));
    weir_call_opts opts = {.timeout_us = WEIR_SECONDS(5), .metadata = &metadata};
    assert_ok(weir_unary_start(o.channel, &test_methods[UNARY], &(text){.text = WEIR_STR("hello")},
                               thunk, (weir_fn)answered, &o, &opts));
    weir_arena_fini(&mem);
    run_to_end(&o);
    assert_string_equal(o.seen, "OK;");
}

TEST(rpc_loop, a_blocking_call_in_the_loop_itself_is_refused)
{
    one_loop o;
    open_loop(&o);
    weir_arena *mem = weir_arena_new();
    void *reply;
    assert_ok(weir_loop_run_once(o.loop, 0));
    weir_status status =
        weir_unary_call(o.channel, &test_methods[UNARY], mem, &(text){0}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_FAILED_PRECONDITION);
    weir_arena_free(mem);
    weir_channel_free(o.channel);
    weir_server_stop(o.server, stopped, &o);
    run_to_end(&o);
}

static void deadline_done(weir_call *call, const weir_status *status, const void *events,
                          void *user)
{
    assert_non_null(strstr(weir_status_text(status), "127.0.0.1:1"));
    do_done(call, status, events, user);
}

TEST(rpc_loop, wait_for_ready_waits_until_the_deadline_and_says_why)
{
    static const weir_client_handler waiting = {do_headers, do_reply, do_send_more, deadline_done};
    one_loop o;
    open_loop(&o);
    weir_channel_free(o.channel);
    o.channel = weir_channel_new("127.0.0.1:1", &(weir_channel_opts){.loop = o.loop});
    weir_call_opts opts = {.timeout_us = WEIR_MILLISECONDS(40), .wait_for_ready = true};
    assert_ok(
        weir_call_start(o.channel, &test_methods[CHAT], NULL, &waiting, NULL, &o, &opts, &o.id));
    run_to_end(&o);
    assert_string_equal(o.seen, "DEADLINE_EXCEEDED;");
}
