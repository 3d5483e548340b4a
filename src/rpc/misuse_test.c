/* What calls refuse, at either end, in their loop and by their id: an error, never a crash, and the
 * call goes on as if nothing had been asked. Blocking streams: stream_test.c; handlers that block:
 * blocking_test.c. */
#include "test.h"

#include "rpc_fixture.h"

static const weir_status fine = {WEIR_STATUS_OK, {"", 0}, {"", 0}};
static const text hello = {.text = {"hello", 5}};

static void open_fixture(rpc_fixture *f, const test_handler *methods, void *user)
{
    rpc_fixture_open(f, methods, user, NULL, 0, NULL, 0);
}

/* At a server, in the loop. */

static void reply_twice(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    assert_err(weir_call_half_close(call), WEIR_ESTATE);
    assert_ok(weir_call_reply(call, &hello));
    assert_err(weir_call_reply(call, &hello), WEIR_ESTATE);
    assert_err(weir_call_send(call, &hello), WEIR_ESTATE);
    assert_err(weir_call_finish(call), WEIR_ESTATE);
    assert_err(weir_call_fail(call, WEIR_STATUS_ABORTED, "no"), WEIR_ESTATE);
    assert_err(weir_call_add_header(call, WEIR_STR("k"), WEIR_STR("v")), WEIR_ESTATE);
    assert_err(weir_call_add_trailer(call, WEIR_STR("k"), WEIR_STR("v")), WEIR_ESTATE);
    assert_err(weir_call_send_headers(call), WEIR_ESTATE);
}

TEST(misuse, a_second_reply_is_refused)
{
    static const test_handler methods[METHODS] = {[UNARY] = {.open = reply_twice}};
    rpc_fixture f;
    open_fixture(&f, methods, NULL);
    rpc_fixture_expect(&f, "", NULL, "hello");
    rpc_fixture_close(&f);
}

static void send_twice(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_payload *payload;
    assert_ok(weir_payload_new(&payload, &text_type, &hello));
    assert_ok(weir_call_send(call, &hello));
    assert_err(weir_call_send(call, &hello), WEIR_ESTATE);
    assert_err(weir_call_send_payload(call, payload), WEIR_ESTATE);
    assert_err(weir_call_reply(call, &hello), WEIR_ESTATE);
    assert_ok(weir_call_finish(call));
    weir_payload_unref(payload);
}

TEST(misuse, a_second_message_where_one_is_expected_is_refused)
{
    static const test_handler methods[METHODS] = {[UNARY] = {.open = send_twice}};
    rpc_fixture f;
    open_fixture(&f, methods, NULL);
    rpc_fixture_expect(&f, "", NULL, "hello");
    rpc_fixture_close(&f);
}

static void header_too_late(weir_call *call, const text *request WEIR_UNUSED,
                            void *user WEIR_UNUSED)
{
    assert_ok(weir_call_add_header(call, WEIR_STR("k"), WEIR_STR("early")));
    assert_ok(weir_call_send(call, &hello));
    assert_err(weir_call_add_header(call, WEIR_STR("k"), WEIR_STR("late")), WEIR_ESTATE);
    assert_err(weir_call_set_compression(call, WEIR_COMPRESSION_GZIP), WEIR_ESTATE);
    assert_ok(weir_call_add_trailer(call, WEIR_STR("t"), WEIR_STR("still")));
    assert_ok(weir_call_finish(call));
    assert_err(weir_call_send(call, &hello), WEIR_ESTATE);
}

TEST(misuse, a_header_after_the_first_message_is_refused)
{
    static const test_handler methods[METHODS] = {[SPLIT] = {.open = header_too_late}};
    rpc_fixture f;
    open_fixture(&f, methods, NULL);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[SPLIT], &hello, NULL));
    assert_int_equal(weir_stream_finish(stream, f.mem).code, WEIR_STATUS_OK);
    assert_str(*weir_metadata_get(weir_stream_metadata(stream), WEIR_STR("k")), "early");
    assert_str(*weir_metadata_get(weir_stream_trailers(stream), WEIR_STR("t")), "still");
    weir_stream_free(stream);
    rpc_fixture_close(&f);
}

/* At a client, in the loop. */

static void echo(weir_call *call, const text *message, void *user WEIR_UNUSED)
{
    assert_ok(weir_call_send(call, message));
}

static void end(weir_call *call, void *user WEIR_UNUSED)
{
    weir_call_finish(call);
}

static void echo_split(weir_call *call, const text *request, void *user WEIR_UNUSED)
{
    assert_ok(weir_call_send(call, request));
    weir_call_finish(call);
}

static const test_handler echoes[METHODS] = {
    [SPLIT] = {.open = echo_split},
    [CHAT] = {.message = echo, .half_closed = end},
};

typedef struct talk {
    bool streams;
    int messages;
    weir_status_code code;
    weir_latch done;
} talk;

static void refuse_what_servers_do(weir_call *call)
{
    assert_err(weir_call_reply(call, &hello), WEIR_ESTATE);
    assert_err(weir_call_finish(call), WEIR_EINVAL);
    assert_err(weir_call_send_headers(call), WEIR_ESTATE);
    assert_err(weir_call_add_trailer(call, WEIR_STR("k"), WEIR_STR("v")), WEIR_ESTATE);
    assert_err(weir_call_add_header(call, WEIR_STR("k"), WEIR_STR("v")), WEIR_ESTATE);
}

static void on_headers(weir_call *call WEIR_UNUSED, const void *events WEIR_UNUSED,
                       void *user WEIR_UNUSED)
{
}

static void on_message(weir_call *call, const void *reply WEIR_UNUSED,
                       const void *events WEIR_UNUSED, void *user)
{
    talk *t = user;
    t->messages++;
    refuse_what_servers_do(call);
    if (t->streams)
        assert_ok(weir_call_half_close(call));
    assert_err(weir_call_half_close(call), WEIR_ESTATE);
    assert_err(weir_call_send(call, &hello), WEIR_ESTATE);
}

static void on_writable(weir_call *call WEIR_UNUSED, const void *events WEIR_UNUSED,
                        void *user WEIR_UNUSED)
{
}

static void on_closed(weir_call *call, const weir_status *status, const void *events WEIR_UNUSED,
                      void *user)
{
    talk *t = user;
    t->code = status->code;
    assert_err(weir_call_send(call, &hello), WEIR_ESTATE);
    weir_latch_down(&t->done);
}

static const weir_client_handler handler = {on_headers, on_message, on_writable, on_closed};

static void talk_once(int method, bool streams)
{
    rpc_fixture f;
    open_fixture(&f, echoes, NULL);
    talk t = {.streams = streams};
    weir_latch_init(&t.done, 1);
    weir_call_id id;
    assert_ok(weir_call_start(f.channel, &test_methods[method], streams ? NULL : &hello, &handler,
                              NULL, &t, NULL, &id));
    if (streams)
        assert_ok(weir_call_send_post(id, &text_type, &hello));
    weir_latch_wait(&t.done);
    assert_int_equal(t.code, WEIR_STATUS_OK);
    assert_int_equal(t.messages, 1);
    weir_latch_fini(&t.done);
    rpc_fixture_close(&f);
}

TEST(misuse, a_client_sends_nothing_after_its_half_close)
{
    talk_once(CHAT, true);
}

TEST(misuse, a_client_that_does_not_stream_sends_one_request)
{
    talk_once(SPLIT, false);
}

/* By id, from any thread: what is posted after the end is refused at once, not in the loop. */

typedef struct served {
    weir_latch opened, closed;
    weir_call_id id;
} served;

static void on_open(weir_call *call, const text *request WEIR_UNUSED, void *user)
{
    served *s = user;
    s->id = weir_call_id_of(call);
    weir_latch_down(&s->opened);
}

static void on_served(weir_call *call WEIR_UNUSED, const weir_status *why WEIR_UNUSED, void *user)
{
    weir_latch_down(&((served *)user)->closed);
}

static const test_handler waits[METHODS] = {
    [UNARY] = {.open = on_open, .closed = on_served},
    [SPLIT] = {.open = on_open, .closed = on_served},
    [CHAT] = {.open = on_open, .closed = on_served},
};

static weir_stream *open_served(rpc_fixture *f, served *s, int method)
{
    weir_latch_init(&s->opened, 1);
    weir_latch_init(&s->closed, 1);
    open_fixture(f, waits, s);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f->channel, &test_methods[method],
                               method == CHAT ? NULL : &hello, NULL));
    weir_latch_wait(&s->opened);
    return stream;
}

static void close_served(rpc_fixture *f, served *s, weir_stream *stream)
{
    weir_latch_wait(&s->closed);
    assert_err(weir_call_send_post(s->id, &text_type, &hello), WEIR_ECLOSED);
    assert_err(weir_call_reply_post(s->id, &text_type, &hello), WEIR_ECLOSED);
    assert_err(weir_call_finish_post(s->id, &fine), WEIR_ECLOSED);
    assert_err(weir_call_half_close_post(s->id), WEIR_ECLOSED);
    weir_stream_free(stream);
    weir_latch_fini(&s->opened);
    weir_latch_fini(&s->closed);
    rpc_fixture_close(f);
}

/** Keeps the loop busy, so that what is posted meanwhile has not happened. */
typedef struct stall {
    weir_latch begun, may_go;
} stall;

static void wait_here(weir_call *call WEIR_UNUSED, void *user)
{
    stall *s = user;
    weir_latch_down(&s->begun);
    weir_latch_wait(&s->may_go);
}

static void stall_begin(stall *s, weir_call_id id)
{
    weir_latch_init(&s->begun, 1);
    weir_latch_init(&s->may_go, 1);
    assert_ok(weir_call_run_post(id, wait_here, s));
    weir_latch_wait(&s->begun);
}

static void expect_over(weir_call_id id)
{
    assert_err(weir_call_send_post(id, &text_type, &hello), WEIR_ESTATE);
    assert_err(weir_call_reply_post(id, &text_type, &hello), WEIR_ESTATE);
    assert_err(weir_call_finish_post(id, &fine), WEIR_ESTATE);
    assert_err(weir_call_half_close_post(id), WEIR_ESTATE);
}

TEST(misuse, posts_after_a_posted_finish_are_refused)
{
    rpc_fixture f;
    served s;
    stall busy;
    weir_stream *stream = open_served(&f, &s, SPLIT);
    assert_err(weir_call_half_close_post(s.id), WEIR_ESTATE);
    stall_begin(&busy, s.id);
    assert_ok(weir_call_send_post(s.id, &text_type, &hello));
    assert_ok(weir_call_finish_post(s.id, &fine));
    expect_over(s.id);
    weir_latch_down(&busy.may_go);
    void *message;
    assert_ok(weir_stream_read(stream, f.mem, &message));
    assert_err(weir_stream_read(stream, f.mem, &message), WEIR_ECLOSED);
    assert_int_equal(weir_stream_finish(stream, f.mem).code, WEIR_STATUS_OK);
    close_served(&f, &s, stream);
}

TEST(misuse, posts_after_a_posted_reply_are_refused)
{
    rpc_fixture f;
    served s;
    stall busy;
    weir_stream *stream = open_served(&f, &s, UNARY);
    stall_begin(&busy, s.id);
    assert_ok(weir_call_reply_post(s.id, &text_type, &hello));
    expect_over(s.id);
    weir_latch_down(&busy.may_go);
    assert_int_equal(weir_stream_finish(stream, f.mem).code, WEIR_STATUS_OK);
    close_served(&f, &s, stream);
}

TEST(misuse, a_clients_posts_after_its_half_close_are_refused)
{
    rpc_fixture f;
    open_fixture(&f, echoes, NULL);
    weir_queue *queue;
    weir_event event;
    weir_call_id id;
    assert_ok(weir_queue_new(&queue, NULL));
    assert_ok(weir_queue_start(queue, f.channel, &test_methods[CHAT], NULL, NULL, NULL, &id));
    assert_err(weir_call_reply_post(id, &text_type, &hello), WEIR_ESTATE);
    assert_ok(weir_call_half_close_post(id));
    weir_err second = weir_call_half_close_post(id),
             late = weir_call_send_post(id, &text_type, &hello);
    assert_true(second == WEIR_ESTATE || second == WEIR_ECLOSED);
    assert_true(late == WEIR_ESTATE || late == WEIR_ECLOSED);
    do {
        assert_ok(weir_queue_next(queue, -1, &event));
        weir_event_fini(&event);
    } while (event.kind != WEIR_EVENT_CLOSED);
    assert_int_equal(event.status.code, WEIR_STATUS_OK);
    weir_queue_free(queue);
    rpc_fixture_close(&f);
}

/* Posted messages that the call cannot take end it: one that is lost in a stream would be worse. */

static void expect_ended(const weir_server_opts *opts, const weir_message *type,
                         const text *message, weir_status_code code, const char *expected)
{
    rpc_fixture f;
    served s;
    weir_latch_init(&s.opened, 1);
    weir_latch_init(&s.closed, 1);
    test_server_open(&f.server, waits, &s, opts);
    f.channel = weir_channel_new(f.server.addr, NULL);
    f.mem = weir_arena_new();
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, f.channel, &test_methods[SPLIT], &hello, NULL));
    weir_latch_wait(&s.opened);
    assert_ok(weir_call_send_post(s.id, type, message));
    weir_status status = weir_stream_finish(stream, f.mem);
    assert_int_equal(status.code, code);
    assert_string_equal(weir_status_text(&status), expected);
    close_served(&f, &s, stream);
}

TEST(misuse, a_posted_message_that_is_too_large_ends_the_call)
{
    expect_ended(&(weir_server_opts){.max_send_bytes = 3}, &text_type, &hello,
                 WEIR_STATUS_RESOURCE_EXHAUSTED,
                 "a posted message: larger than the limit that was set");
}

TEST(misuse, a_posted_message_of_another_type_ends_the_call)
{
    static weir_message other;
    other = text_type;
    expect_ended(NULL, &other, &hello, WEIR_STATUS_INTERNAL,
                 "a posted message: its type is not the one that this end of the method sends");
}
