/* Completion queues: bounds, waiting, the descriptor, shutdown and early ends. What calls do
 * through them is in tests/apis. */
#include "test.h"

#include <poll.h>
#include <pthread.h>

#include "queue.h"
#include "rpc_fixture.h"

static const weir_status fine = {WEIR_STATUS_OK, {"", 0}, {"", 0}};
static const text hello = {.text = {"hello", 5}};

/* A client's queue and a server with callbacks: Chat echoes, Split says MANY large messages, Unary
 * is never answered. */

enum {
    MANY = 100,
    LARGE = 10000
};

static void echo(weir_call *call, const text *message, void *user WEIR_UNUSED)
{
    assert_ok(weir_call_send(call, message));
}

static void end(weir_call *call, void *user WEIR_UNUSED)
{
    weir_call_finish(call);
}

static void ignore(weir_call *call WEIR_UNUSED, const text *request WEIR_UNUSED,
                   void *user WEIR_UNUSED)
{
}

static void send_on(weir_call *call, void *user)
{
    static const char large[LARGE];
    int *sent = user;
    weir_err err = WEIR_OK;
    for (; *sent < MANY; (*sent)++)
        if ((err = weir_call_send(call, &(text){.text = {large, sizeof large}})))
            break;
    if (!err)
        weir_call_finish(call);
}

static void send_many(weir_call *call, const text *request WEIR_UNUSED, void *user)
{
    send_on(call, user);
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = ignore},
    [SPLIT] = {.open = send_many, .writable = send_on},
    [CHAT] = {.message = echo, .half_closed = end},
};

typedef struct fixture {
    rpc_fixture rpc;
    weir_queue *queue;
    int sent;
} fixture;

static void open_fixture(fixture *f, const weir_queue_opts *opts)
{
    f->sent = 0;
    rpc_fixture_open(&f->rpc, methods, &f->sent, NULL, 0, NULL, 0);
    assert_ok(weir_queue_new(&f->queue, opts));
}

static void close_fixture(fixture *f)
{
    weir_queue_free(f->queue);
    rpc_fixture_close(&f->rpc);
}

static weir_call_id start(fixture *f, int method, void *tag)
{
    weir_call_id id;
    assert_ok(weir_queue_start(f->queue, f->rpc.channel, &test_methods[method],
                               method == CHAT ? NULL : &hello, tag, NULL, &id));
    return id;
}

/** The next event is of that kind; it is given back. */
static weir_event expect(weir_queue *queue, weir_event_kind kind)
{
    weir_event event;
    assert_ok(weir_queue_next(queue, WEIR_SECONDS(30), &event));
    assert_int_equal(event.kind, kind);
    weir_event_fini(&event);
    return event;
}

static weir_status_code expect_closed(weir_queue *queue)
{
    return expect(queue, WEIR_EVENT_CLOSED).status.code;
}

static bool is_readable(weir_queue *queue, int timeout_ms)
{
    struct pollfd wait = {.fd = weir_queue_descriptor(queue), .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

TEST(queue, an_empty_queue_is_waited_for_as_long_as_one_likes)
{
    fixture f;
    weir_event event;
    open_fixture(&f, NULL);
    assert_err(weir_queue_next(f.queue, 0, &event), WEIR_ETIMEDOUT);
    assert_err(weir_queue_next(f.queue, 1000, &event), WEIR_ETIMEDOUT);
    weir_call_cancel_post(start(&f, UNARY, NULL));
    assert_int_equal(expect_closed(f.queue), WEIR_STATUS_CANCELLED);
    close_fixture(&f);
}

TEST(queue, its_descriptor_is_readable_while_events_wait)
{
    fixture f;
    open_fixture(&f, NULL);
    assert_false(is_readable(f.queue, 0));
    weir_call_cancel_post(start(&f, UNARY, NULL));
    assert_true(is_readable(f.queue, 30000));
    assert_true(is_readable(f.queue, 0));
    expect_closed(f.queue);
    assert_false(is_readable(f.queue, 0));
    weir_queue_shutdown(f.queue);
    assert_true(is_readable(f.queue, 0));
    close_fixture(&f);
}

TEST(queue, a_descriptor_that_is_asked_for_late_knows_of_what_waits)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_call_id id = start(&f, CHAT, NULL);
    assert_ok(weir_call_send_post(id, &text_type, &hello));
    expect(f.queue, WEIR_EVENT_HEADERS);
    weir_event message;
    assert_ok(weir_queue_next(f.queue, WEIR_SECONDS(30), &message));
    weir_call_cancel_post(id);
    while (weir_call_cancel_post(id) != WEIR_ECLOSED)
        ; /* the loop turns */
    weir_event_fini(&message);
    assert_true(is_readable(f.queue, 30000));
    assert_int_equal(expect_closed(f.queue), WEIR_STATUS_CANCELLED);
    close_fixture(&f);
}

static size_t waiting_bytes(const weir_event *event, bool *paused)
{
    weir__queue_call *call = event->queued->call;
    pthread_mutex_lock(&call->queue->lock);
    size_t bytes = call->queued_bytes;
    *paused = call->paused;
    pthread_mutex_unlock(&call->queue->lock);
    return bytes;
}

/** There and back on the same connection, so that whatever was on its way has come. */
static void round_trips(fixture *f, int count)
{
    weir_stream *stream;
    void *message;
    assert_ok(weir_stream_open(&stream, f->rpc.channel, &test_methods[CHAT], NULL, NULL));
    for (int i = 0; i < count; i++) {
        assert_ok(weir_stream_write(stream, &hello));
        assert_ok(weir_stream_read(stream, f->rpc.mem, &message));
    }
    weir_stream_free(stream);
}

TEST(queue, a_call_whose_messages_are_not_taken_is_paused)
{
    fixture f;
    weir_event first, event;
    bool paused = false;
    open_fixture(&f, &(weir_queue_opts){.call_bytes = 3 * LARGE});
    start(&f, SPLIT, NULL);
    assert_ok(weir_queue_next(f.queue, WEIR_SECONDS(30), &first));
    while (!paused)
        waiting_bytes(&first, &paused);
    round_trips(&f, 20);
    assert_true(waiting_bytes(&first, &paused) < 4 * (size_t)LARGE);
    weir_event_fini(&first);
    int got = 0;
    do {
        assert_ok(weir_queue_next(f.queue, WEIR_SECONDS(30), &event));
        got += event.kind == WEIR_EVENT_MESSAGE;
        weir_event_fini(&event);
    } while (event.kind != WEIR_EVENT_CLOSED);
    assert_int_equal(got, MANY);
    assert_int_equal(event.status.code, WEIR_STATUS_OK);
    close_fixture(&f);
}

TEST(queue, an_event_has_its_calls_tag)
{
    fixture f;
    int first, second;
    open_fixture(&f, NULL);
    weir_call_id id = start(&f, CHAT, &first);
    assert_ok(weir_call_send_post(id, &text_type, &hello));
    weir_event event;
    assert_ok(weir_queue_next(f.queue, WEIR_SECONDS(30), &event));
    assert_ptr_equal(event.tag, &first);
    weir_event_set_tag(&event, &second);
    weir_event_fini(&event);
    weir_event_fini(&event); /* repeatable */
    assert_ptr_equal(expect(f.queue, WEIR_EVENT_MESSAGE).tag, &second);
    assert_ok(weir_call_half_close_post(id));
    assert_ptr_equal(expect(f.queue, WEIR_EVENT_CLOSED).tag, &second);
    close_fixture(&f);
}

/* Shutdown */

TEST(queue, a_shutdown_lets_calls_finish_and_starts_none)
{
    fixture f;
    weir_event event;
    weir_call_id id;
    open_fixture(&f, NULL);
    id = start(&f, CHAT, NULL);
    weir_queue_shutdown(f.queue);
    weir_queue_shutdown(f.queue);
    assert_err(
        weir_queue_start(f.queue, f.rpc.channel, &test_methods[CHAT], NULL, NULL, NULL, NULL),
        WEIR_ECLOSED);
    assert_ok(weir_call_send_post(id, &text_type, &hello));
    assert_ok(weir_call_half_close_post(id));
    expect(f.queue, WEIR_EVENT_HEADERS);
    expect(f.queue, WEIR_EVENT_MESSAGE);
    assert_int_equal(expect_closed(f.queue), WEIR_STATUS_OK);
    assert_err(weir_queue_next(f.queue, -1, &event), WEIR_ECLOSED);
    assert_err(weir_queue_next(f.queue, 0, &event), WEIR_ECLOSED);
    close_fixture(&f);
}

static void *wait_for_end(void *queue)
{
    weir_event event;
    while (weir_queue_next(queue, -1, &event) == WEIR_OK)
        weir_event_fini(&event);
    return NULL;
}

TEST(queue, every_thread_that_waits_hears_of_the_end)
{
    for (int with_call = 0; with_call < 2; with_call++) {
        fixture f;
        pthread_t threads[4];
        weir_call_id id = {0};
        open_fixture(&f, NULL);
        if (with_call)
            id = start(&f, UNARY, NULL);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_end, f.queue), 0);
        weir_queue_shutdown(f.queue);
        weir_call_cancel_post(id);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        close_fixture(&f);
    }
}

static void nothing(weir_call *call WEIR_UNUSED, void *user WEIR_UNUSED) {}

TEST(queue, a_queue_that_is_freed_cancels_its_calls)
{
    fixture f;
    open_fixture(&f, NULL);
    weir_call_id ids[3] = {start(&f, UNARY, NULL), start(&f, CHAT, NULL), start(&f, SPLIT, NULL)};
    expect(f.queue, WEIR_EVENT_HEADERS);
    weir_queue_free(f.queue);
    for (int i = 0; i < 3; i++)
        while (weir_call_run_post(ids[i], nothing, NULL) != WEIR_ECLOSED)
            ;
    rpc_fixture_close(&f.rpc);
    weir_queue_free(NULL);
}

TEST(queue, a_start_that_fails_leaves_nothing_behind)
{
    fixture f;
    weir_event event;
    open_fixture(&f, NULL);
    weir_metadata bad = {.items = (weir_metadata_entry[]){{WEIR_STR("Grpc-x"), WEIR_STR("")}},
                         .len = 1};
    assert_err(weir_queue_start(f.queue, f.rpc.channel, &test_methods[CHAT], NULL, NULL,
                                &(weir_call_opts){.metadata = &bad}, NULL),
               WEIR_EINVAL);
    weir_queue_shutdown(f.queue);
    assert_err(weir_queue_next(f.queue, -1, &event), WEIR_ECLOSED);
    close_fixture(&f);
}

/* A server's queue, and clients that block. */

typedef struct served {
    test_server server;
    weir_queue *queue;
    weir_channel *channel;
    weir_arena *mem;
} served;

static void open_served(served *s, const weir_queue_opts *opts)
{
    assert_ok(weir_queue_new(&s->queue, opts));
    test_server_prepare_nothing(&s->server, "127.0.0.1:0", NULL);
    assert_ok(weir_queue_serve(s->queue, s->server.server, &test_service, NULL));
    test_server_go(&s->server);
    s->channel = weir_channel_new(s->server.addr, NULL);
    s->mem = weir_arena_new();
}

static void close_served(served *s)
{
    weir_channel_free(s->channel);
    test_server_stop(&s->server);
    test_server_join(&s->server);
    weir_queue_free(s->queue);
    weir_arena_free(s->mem);
}

static weir_stream *talk(const served *s)
{
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, s->channel, &test_methods[CHAT], NULL, NULL));
    return stream;
}

static weir_status finish(const served *s, weir_stream *stream)
{
    weir_status status = weir_stream_finish(stream, s->mem);
    weir_stream_free(stream);
    return status;
}

TEST(queue, more_calls_than_a_queue_takes_end_with_resource_exhausted)
{
    served s;
    open_served(&s, &(weir_queue_opts){.max_calls = 1});
    weir_stream *first = talk(&s), *second;
    weir_call_id id = expect(s.queue, WEIR_EVENT_CALL).id;
    second = talk(&s);
    for (int i = 0; i < 10; i++) /* it may be over before the last */
        assert_true(weir_stream_write(second, &hello) != WEIR_ESTATE);
    weir_status status = finish(&s, second);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_string_equal(weir_status_text(&status), "too many calls at once (max_calls)");
    assert_ok(weir_call_finish_post(id, &fine));
    assert_int_equal(finish(&s, first).code, WEIR_STATUS_OK);
    weir_event event;
    do {
        assert_ok(weir_queue_next(s.queue, WEIR_SECONDS(30), &event));
        weir_event_fini(&event);
    } while (event.kind != WEIR_EVENT_CLOSED);
    first = talk(&s); /* there is room again */
    id = expect(s.queue, WEIR_EVENT_CALL).id;
    assert_ok(weir_call_finish_post(id, &fine));
    assert_int_equal(finish(&s, first).code, WEIR_STATUS_OK);
    close_served(&s);
}

TEST(queue, a_shut_queue_takes_no_calls)
{
    served s;
    open_served(&s, NULL);
    weir_queue_shutdown(s.queue);
    assert_int_equal(finish(&s, talk(&s)).code, WEIR_STATUS_UNAVAILABLE);
    close_served(&s);
}

static void set_data(weir_call *call, void *user)
{
    if (call)
        weir_call_set_data(call, user);
}

TEST(queue, a_call_has_a_pointer_of_the_programs_all_the_same)
{
    served s;
    int data;
    open_served(&s, NULL);
    weir_stream *stream = talk(&s);
    weir_call_id id = expect(s.queue, WEIR_EVENT_CALL).id;
    assert_ok(weir_call_run_post(id, set_data, &data));
    assert_ok(weir_stream_write(stream, &hello));
    expect(s.queue, WEIR_EVENT_MESSAGE);
    assert_ok(weir_call_finish_post(id, &fine));
    assert_int_equal(finish(&s, stream).code, WEIR_STATUS_OK);
    close_served(&s);
}

TEST(queue, a_client_that_goes_is_an_event)
{
    served s;
    open_served(&s, NULL);
    weir_stream *stream = talk(&s);
    weir_call_id id = expect(s.queue, WEIR_EVENT_CALL).id;
    weir_stream_free(stream);
    assert_int_equal(expect_closed(s.queue), WEIR_STATUS_CANCELLED);
    assert_err(weir_call_send_post(id, &text_type, &hello), WEIR_ECLOSED);
    close_served(&s);
}
