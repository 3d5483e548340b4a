/* Handlers that block, over real sockets, called by blocking clients. */
#include "test.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "rpc_fixture.h"
#include "server_impl.h"

/* Handlers that do what they are told. */

typedef struct told {
    weir_latch entered; /* a handler is inside */
    weir_latch may_go;  /* and may leave */
    weir_latch left;    /* and does */
    atomic_int entries;
    _Atomic(weir_err) result;
} told;

static void told_init(told *t)
{
    memset(t, 0, sizeof *t);
    weir_latch_init(&t->entered, 1);
    weir_latch_init(&t->may_go, 1);
    weir_latch_init(&t->left, 1);
}

static weir_status unary(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)user;
    if (weir_str_eq(request->text, WEIR_STR("fail")))
        return weir_blocking_fail(call, WEIR_STATUS_NOT_FOUND, "no user %d", 7);
    if (weir_str_eq(request->text, WEIR_STR("details")))
        return (weir_status){WEIR_STATUS_ABORTED, WEIR_STR("with"), WEIR_STR("\x08\x0a")};
    reply->text = weir_blocking_printf(call, "hello %.*s", WEIR_STR_ARGS(request->text));
    return WEIR_BLOCKING_OK;
}

static weir_status collect(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)user;
    assert_null(request);
    weir_str all = WEIR_STR("");
    void *message;
    weir_err err;
    while ((err = weir_blocking_read(call, weir_blocking_arena(call), &message)) == WEIR_OK)
        all = weir_blocking_printf(call, "%.*s%.*s", WEIR_STR_ARGS(all),
                                   WEIR_STR_ARGS(((text *)message)->text));
    assert_err(err, WEIR_ECLOSED);
    reply->text = all;
    return WEIR_BLOCKING_OK;
}

static weir_status split(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)reply, (void)user;
    for (size_t i = 0; i < request->text.len; i++)
        assert_ok(
            weir_blocking_write(call, &(text){.text = weir_str_of(request->text.ptr + i, 1)}));
    return WEIR_BLOCKING_OK;
}

static weir_status chat(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)request, (void)reply, (void)user;
    weir_arena *mem = weir_arena_new();
    void *message;
    while (weir_blocking_read(call, mem, &message) == WEIR_OK) {
        if (weir_blocking_write(call, message))
            break;
        weir_arena_reset(mem);
    }
    weir_arena_free(mem);
    return WEIR_BLOCKING_OK;
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.blocking = unary},
    [COLLECT] = {.blocking = collect},
    [SPLIT] = {.blocking = split},
    [CHAT] = {.blocking = chat},
};

static void open_fixture(rpc_fixture *f, const test_handler *handlers, void *user,
                         const weir_server_opts *opts)
{
    test_server_open(&f->server, handlers, user, opts);
    f->channel = weir_channel_new(f->server.addr, NULL);
    f->mem = weir_arena_new();
}

TEST(blocking, a_unary_call_is_answered_by_a_worker)
{
    rpc_fixture f;
    open_fixture(&f, methods, NULL, NULL);
    rpc_fixture_expect(&f, "ann", NULL, "hello ann");
    text *reply;
    weir_status status = rpc_fixture_ask(&f, UNARY, "fail", NULL, &reply);
    assert_int_equal(status.code, WEIR_STATUS_NOT_FOUND);
    assert_string_equal(weir_status_text(&status), "no user 7");
    status = rpc_fixture_ask(&f, UNARY, "details", NULL, &reply);
    assert_int_equal(status.code, WEIR_STATUS_ABORTED);
    assert_true(weir_str_eq(status.details, WEIR_STR("\x08\x0a")));
    rpc_fixture_close(&f);
}

static weir_stream *open_stream(rpc_fixture *f, int method, const char *request,
                                const weir_call_opts *opts)
{
    weir_stream *stream;
    text asked = {.text = request ? weir_str_from(request) : WEIR_STR("")};
    assert_ok(weir_stream_open(&stream, f->channel, &test_methods[method], request ? &asked : NULL,
                               opts));
    return stream;
}

static void expect_read(rpc_fixture *f, weir_stream *stream, const char *expected)
{
    void *message;
    assert_ok(weir_stream_read(stream, f->mem, &message));
    assert_true(weir_str_eq(((text *)message)->text, weir_str_from(expected)));
}

static void expect_end(rpc_fixture *f, weir_stream *stream, weir_status_code code)
{
    void *message;
    assert_err(weir_stream_read(stream, f->mem, &message), WEIR_ECLOSED);
    assert_int_equal(weir_stream_finish(stream, f->mem).code, code);
    weir_stream_free(stream);
}

TEST(blocking, streams_of_every_kind)
{
    rpc_fixture f;
    open_fixture(&f, methods, NULL, NULL);
    weir_stream *s = open_stream(&f, COLLECT, NULL, NULL);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_stream_write(s, &(text){.text = WEIR_STR("ab")}));
    assert_ok(weir_stream_half_close(s));
    expect_read(&f, s, "ababab");
    expect_end(&f, s, WEIR_STATUS_OK);

    s = open_stream(&f, COLLECT, NULL, NULL);
    assert_ok(weir_stream_half_close(s));
    expect_read(&f, s, "");
    expect_end(&f, s, WEIR_STATUS_OK);

    s = open_stream(&f, SPLIT, "xyz", NULL);
    expect_read(&f, s, "x");
    expect_read(&f, s, "y");
    expect_read(&f, s, "z");
    expect_end(&f, s, WEIR_STATUS_OK);

    s = open_stream(&f, CHAT, NULL, NULL);
    for (int i = 0; i < 100; i++) {
        assert_ok(weir_stream_write(s, &(text){.text = WEIR_STR("ping")}));
        expect_read(&f, s, "ping");
    }
    assert_ok(weir_stream_half_close(s));
    expect_end(&f, s, WEIR_STATUS_OK);
    rpc_fixture_close(&f);
}

enum {
    MANY = 2000,
    SIZE = 5000
};

static weir_status flood(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)request, (void)reply;
    char *bytes = calloc(1, SIZE);
    for (int i = 0; i < MANY; i++) {
        snprintf(bytes, SIZE, "%d", i);
        assert_ok(weir_blocking_write(call, &(text){.text = weir_str_of(bytes, SIZE)}));
        atomic_fetch_add(&((told *)user)->entries, 1);
    }
    free(bytes);
    return WEIR_BLOCKING_OK;
}

TEST(blocking, a_writer_waits_for_a_slow_reader)
{
    static const test_handler handlers[METHODS] = {[SPLIT] = {.blocking = flood}};
    told t;
    told_init(&t);
    rpc_fixture f;
    open_fixture(&f, handlers, &t, NULL);
    weir_stream *s = open_stream(&f, SPLIT, "", NULL);
    for (int i = 0; i < MANY; i++) {
        void *message;
        weir_arena_reset(f.mem);
        assert_ok(weir_stream_read(s, f.mem, &message));
        assert_int_equal(atoi(((text *)message)->text.ptr), i);
        if (i == 0) /* queues, windows and sockets are a small part of it all */
            assert_true(atomic_load(&t.entries) < MANY / 2);
    }
    expect_end(&f, s, WEIR_STATUS_OK);
    rpc_fixture_close(&f);
}

/* Metadata. */

static weir_status echo_metadata(weir_blocking_call *call, const text *request, text *reply,
                                 void *user)
{
    (void)request, (void)user;
    const weir_str *bin = weir_metadata_get(weir_blocking_metadata(call), WEIR_STR("x-bin"));
    assert_non_null(bin);
    assert_non_null(weir_metadata_get(weir_blocking_metadata(call), WEIR_STR("user-agent")));
    assert_ok(weir_blocking_add_header(call, WEIR_STR("h-bin"), *bin));
    assert_ok(weir_blocking_add_trailer(call, WEIR_STR("t"), WEIR_STR("trailer")));
    assert_err(weir_blocking_add_header(call, WEIR_STR("grpc-x"), WEIR_STR("")), WEIR_EINVAL);
    assert_ok(weir_blocking_send_headers(call));
    assert_err(weir_blocking_add_header(call, WEIR_STR("late"), WEIR_STR("")), WEIR_ESTATE);
    assert_int_equal(weir_blocking_peer(call).storage.ss_family, AF_INET);
    assert_true(weir_blocking_authority(call).len > 0);
    assert_int_equal(weir_blocking_identity(call).len, 0);
    assert_true(weir_blocking_time_left_us(call) > 0 &&
                weir_blocking_time_left_us(call) <= WEIR_SECONDS(60));
    assert_string_equal(weir_blocking_method(call)->name, "Split");
    assert_ok(weir_blocking_write(call, &(text){.text = WEIR_STR("one")}));
    (void)reply;
    return WEIR_BLOCKING_OK;
}

TEST(blocking, metadata_goes_both_ways)
{
    static const test_handler handlers[METHODS] = {[SPLIT] = {.blocking = echo_metadata}};
    rpc_fixture f;
    open_fixture(&f, handlers, NULL, NULL);
    weir_metadata metadata = {0};
    assert_ok(weir_metadata_add(&metadata, f.mem, WEIR_STR("x-bin"), WEIR_STR("\x00\xff\x01")));
    weir_stream *s = open_stream(&f, SPLIT, "", &(weir_call_opts){.metadata = &metadata});
    expect_read(&f, s, "one");
    const weir_str *header = weir_metadata_get(weir_stream_metadata(s), WEIR_STR("h-bin"));
    assert_true(header && weir_str_eq(*header, WEIR_STR("\x00\xff\x01")));
    assert_int_equal(weir_stream_finish(s, f.mem).code, WEIR_STATUS_OK);
    const weir_str *trailer = weir_metadata_get(weir_stream_trailers(s), WEIR_STR("t"));
    assert_true(trailer && weir_str_eq(*trailer, WEIR_STR("trailer")));
    weir_stream_free(s);
    rpc_fixture_close(&f);
}

/* Ends from outside. */

static weir_status wait_in_read(weir_blocking_call *call, const text *request, text *reply,
                                void *user)
{
    (void)request, (void)reply;
    told *t = user;
    weir_latch_down(&t->entered);
    void *message;
    atomic_store(&t->result, weir_blocking_read(call, weir_blocking_arena(call), &message));
    weir_latch_down(&t->left);
    return WEIR_BLOCKING_OK;
}

static weir_status wait_in_write(weir_blocking_call *call, const text *request, text *reply,
                                 void *user)
{
    (void)request, (void)reply;
    told *t = user;
    static const char much[SIZE];
    weir_latch_down(&t->entered);
    weir_err err = WEIR_OK;
    while (!err)
        err = weir_blocking_write(call, &(text){.text = weir_str_of(much, SIZE)});
    atomic_store(&t->result, err);
    weir_latch_down(&t->left);
    return WEIR_BLOCKING_OK;
}

static weir_status work_long(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)request;
    told *t = user;
    weir_latch_down(&t->entered);
    while (!weir_blocking_is_over(call))
        sched_yield();
    /* The call is gone; all of this is still good. */
    reply->text = weir_blocking_printf(call, "%s", "nobody reads this");
    assert_ok(weir_blocking_add_trailer(call, WEIR_STR("t"), WEIR_STR("x")));
    atomic_store(&t->result, WEIR_ECANCELED);
    weir_latch_down(&t->left);
    return WEIR_BLOCKING_OK;
}

/** How the client leaves a handler that waits. */
typedef enum leave_by {
    BY_CANCEL,
    BY_DEADLINE,
    BY_CONNECTION
} leave_by;

static void expect_leaves(const test_handler *handlers, int method, leave_by how)
{
    told t;
    told_init(&t);
    rpc_fixture f;
    open_fixture(&f, handlers, &t, NULL);
    /* The handler must have been entered by then, on a busy machine too. */
    weir_call_opts opts = {.timeout_us =
                               how == BY_DEADLINE ? WEIR_MILLISECONDS(500) : WEIR_SECONDS(60)};
    weir_stream *s = open_stream(&f, method, method == SPLIT ? "" : NULL, &opts);
    weir_latch_wait(&t.entered);
    if (how == BY_CANCEL)
        weir_stream_cancel(s);
    if (how == BY_CONNECTION) {
        weir_channel_free(f.channel);
        f.channel = NULL;
    }
    weir_latch_wait(&t.left);
    assert_int_equal(atomic_load(&t.result), WEIR_ECANCELED);
    weir_status_code code = weir_stream_finish(s, f.mem).code;
    assert_int_equal(code,
                     how == BY_DEADLINE ? WEIR_STATUS_DEADLINE_EXCEEDED : WEIR_STATUS_CANCELLED);
    weir_stream_free(s);
    rpc_fixture_close(&f);
}

TEST(blocking, a_reader_is_told_when_the_call_ends)
{
    static const test_handler handlers[METHODS] = {[CHAT] = {.blocking = wait_in_read}};
    expect_leaves(handlers, CHAT, BY_CANCEL);
    expect_leaves(handlers, CHAT, BY_DEADLINE);
    expect_leaves(handlers, CHAT, BY_CONNECTION);
}

TEST(blocking, a_writer_is_told_when_the_call_ends)
{
    static const test_handler handlers[METHODS] = {[SPLIT] = {.blocking = wait_in_write}};
    expect_leaves(handlers, SPLIT, BY_CANCEL);
    expect_leaves(handlers, SPLIT, BY_DEADLINE);
    expect_leaves(handlers, SPLIT, BY_CONNECTION);
}

TEST(blocking, a_worker_that_works_outlives_its_call)
{
    static const test_handler handlers[METHODS] = {[CHAT] = {.blocking = work_long}};
    expect_leaves(handlers, CHAT, BY_CANCEL);
    expect_leaves(handlers, CHAT, BY_DEADLINE);
    expect_leaves(handlers, CHAT, BY_CONNECTION);
}

/* Bounds and the end of the server. */

static weir_status wait_for_leave(weir_blocking_call *call, const text *request, text *reply,
                                  void *user)
{
    (void)call, (void)request, (void)reply;
    told *t = user;
    if (atomic_fetch_add(&t->entries, 1) == 0)
        weir_latch_down(&t->entered);
    weir_latch_wait(&t->may_go);
    return WEIR_BLOCKING_OK;
}

static const test_handler waiting[METHODS] = {[UNARY] = {.blocking = wait_for_leave}};

typedef struct outcome {
    weir_latch done;
    atomic_int ok, exhausted;
} outcome;

static void count_outcome(const weir_status *status, const void *reply, void *user)
{
    (void)reply;
    outcome *o = user;
    atomic_fetch_add(status->code == WEIR_STATUS_OK ? &o->ok : &o->exhausted, 1);
    assert_true(status->code == WEIR_STATUS_OK || status->code == WEIR_STATUS_RESOURCE_EXHAUSTED);
    weir_latch_down(&o->done);
}

static void thunk(weir_fn done, const weir_status *status, const void *reply, void *user)
{
    ((void (*)(const weir_status *, const void *, void *))done)(status, reply, user);
}

static void start_call(rpc_fixture *f, outcome *o)
{
    assert_ok(weir_unary_start(f->channel, &test_methods[UNARY], &(text){0}, thunk,
                               (weir_fn)count_outcome, o, NULL));
}

TEST(blocking, calls_beyond_workers_and_queue_are_refused_at_once)
{
    told t;
    told_init(&t);
    rpc_fixture f;
    open_fixture(&f, waiting, &t, &(weir_server_opts){.workers = 1, .workers_queue = 2});
    outcome o = {0}, refused = {0};
    weir_latch_init(&o.done, 3);
    weir_latch_init(&refused.done, 5);
    start_call(&f, &o);
    weir_latch_wait(&t.entered); /* one runs: two more wait */
    start_call(&f, &o);
    start_call(&f, &o);
    for (int i = 0; i < 5; i++)
        start_call(&f, &refused);
    weir_latch_wait(&refused.done);
    assert_int_equal(atomic_load(&refused.exhausted), 5);
    weir_latch_down(&t.may_go);
    weir_latch_wait(&o.done);
    assert_int_equal(atomic_load(&o.ok), 3);
    rpc_fixture_close(&f);
}

/** A loop that is stuck for a while. */
typedef struct stuck_loop {
    weir_task task;
    weir_latch begun, may_end;
} stuck_loop;

static void be_stuck(weir_task *task, weir_err err)
{
    stuck_loop *s = WEIR_CONTAINER_OF(task, stuck_loop, task);
    assert_ok(err);
    weir_latch_down(&s->begun);
    weir_latch_wait(&s->may_end);
}

/** @return the time by which what was queued before has no time left */
static weir_time make_stuck(stuck_loop *s, weir_loop *loop, int64_t left_us)
{
    weir_latch_init(&s->begun, 1);
    weir_latch_init(&s->may_end, 1);
    weir_loop_post(loop, &s->task, be_stuck);
    weir_latch_wait(&s->begun);
    return weir_time_add(weir_time_now(), left_us);
}

static void expect_late(const weir_status *status, const void *reply, void *user)
{
    (void)reply;
    assert_int_equal(status->code, WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_latch_down(user);
}

TEST(blocking, a_call_without_time_left_is_not_run_even_if_its_loop_is_late)
{
    const int64_t limit_us = WEIR_MILLISECONDS(500);
    told t;
    told_init(&t);
    rpc_fixture f;
    open_fixture(&f, waiting, &t, &(weir_server_opts){.workers = 1, .single_loop = true});
    outcome first = {0};
    weir_latch_init(&first.done, 1);
    start_call(&f, &first);
    weir_latch_wait(&t.entered);
    weir_latch late;
    weir_latch_init(&late, 1);
    assert_ok(weir_unary_start(f.channel, &test_methods[UNARY], &(text){0}, thunk,
                               (weir_fn)expect_late, &late,
                               &(weir_call_opts){.timeout_us = limit_us}));
    weir__blocking_pool *pool = &f.server.server->blocking;
    while (weir_workers_queued(pool->workers) == 0)
        sched_yield();
    stuck_loop stuck;
    /* With room for a client whose clock, that of its loop's turn, is behind. */
    weir_time over = make_stuck(&stuck, weir_loop_thread_loop(f.server.thread), 5 * limit_us);
    while (weir_time_before(weir_time_now(), over))
        sched_yield();
    weir_latch_down(&t.may_go);
    while (atomic_load(&pool->running) > 1) /* the server's own */
        sched_yield();
    assert_int_equal(atomic_load(&t.entries), 1);
    weir_latch_down(&stuck.may_end);
    weir_latch_wait(&late);
    weir_latch_wait(&first.done);
    rpc_fixture_close(&f);
}

TEST(blocking, a_graceful_stop_lets_handlers_finish)
{
    told t;
    told_init(&t);
    rpc_fixture f;
    open_fixture(&f, waiting, &t, NULL);
    outcome o = {0};
    weir_latch_init(&o.done, 1);
    start_call(&f, &o);
    weir_latch_wait(&t.entered);
    test_server_stop(&f.server);
    weir_latch_down(&t.may_go);
    weir_latch_wait(&o.done);
    assert_int_equal(atomic_load(&o.ok), 1);
    test_server_join(&f.server);
    weir_channel_free(f.channel);
    weir_arena_free(f.mem);
}

static weir_status never_asks(weir_blocking_call *call, const text *request, text *reply,
                              void *user)
{
    (void)call, (void)request, (void)reply;
    told *t = user;
    weir_latch_down(&t->entered);
    weir_latch_wait(&t->may_go);
    atomic_store(&t->result, WEIR_ESTATE); /* the program's memory must still be there */
    return WEIR_BLOCKING_OK;
}

TEST(blocking, a_stop_waits_for_a_handler_whose_call_has_ended)
{
    static const test_handler handlers[METHODS] = {[UNARY] = {.blocking = never_asks}};
    told *t = malloc(sizeof *t);
    told_init(t);
    rpc_fixture f;
    open_fixture(&f, handlers, t, &(weir_server_opts){.drain_us = WEIR_MILLISECONDS(1)});
    text *reply;
    weir_status status = rpc_fixture_ask(
        &f, UNARY, "", &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(500)}, &reply);
    assert_int_equal(status.code, WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_channel_free(f.channel);
    weir_arena_free(f.mem);
    test_server_stop(&f.server);
    weir_latch_down(&t->may_go);
    test_server_join(&f.server);
    assert_int_equal(atomic_load(&t->result), WEIR_ESTATE);
    free(t);
}

/* Misuse. */

static weir_status misuse(weir_blocking_call *call, const text *request, text *reply, void *user)
{
    (void)request, (void)user;
    void *message;
    assert_err(weir_blocking_write(call, reply), WEIR_ESTATE);
    assert_err(weir_blocking_read(call, weir_blocking_arena(call), &message), WEIR_ECLOSED);
    reply->text = WEIR_STR("fine");
    return WEIR_BLOCKING_OK;
}

TEST(blocking, misuse_is_an_error)
{
    static const test_handler handlers[METHODS] = {[UNARY] = {.blocking = misuse}};
    rpc_fixture f;
    open_fixture(&f, handlers, NULL, NULL);
    rpc_fixture_expect(&f, "", NULL, "fine");
    rpc_fixture_close(&f);
}

static bool always(const void *served)
{
    (void)served;
    return true;
}

TEST(blocking, a_method_is_served_in_one_way)
{
    weir_handler both[METHODS];
    memcpy(both, test_handlers, sizeof both);
    both[UNARY].present = both[UNARY].blocks = always;
    weir_server *server = weir_server_new(NULL);
    assert_err(weir_server_add(server, &test_service, both, methods, NULL), WEIR_EINVAL);
    weir_server_free(server);
}
