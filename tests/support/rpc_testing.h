/**
 * @file
 * For tests of this layer: a message and a service written by hand, as protoc-gen-weir would, and a
 * server in a thread of its own.
 */
#ifndef WEIR_RPC_TESTING_H
#define WEIR_RPC_TESTING_H

#include "poller_test.h"

#include <stddef.h>
#include <weir/rpc/rpc.h>

/** message Text { string text = 1; } */
typedef struct text {
    weir_str text;
    weir_unknown unknown;
} text;

static const weir_field text_fields[] = {{
    .name = "text",
    .json_name = "text",
    .number = 1,
    .offset = offsetof(text, text),
    .kind = WEIR_KIND_STRING,
    .shape = WEIR_SHAPE_IMPLICIT,
}};

static const weir_message text_type = {
    .name = "test.Text",
    .fields = text_fields,
    .field_count = 1,
    .dense = 1,
    .size = sizeof(text),
    .unknown = offsetof(text, unknown),
};

enum {
    UNARY,
    COLLECT,
    SPLIT,
    CHAT,
    MISSING,
    METHODS
};

static const weir_method test_methods[METHODS] = {
    {"Unary", "/test.Test/Unary", WEIR_METHOD_UNARY, &text_type, &text_type},
    {"Collect", "/test.Test/Collect", WEIR_METHOD_CLIENT_STREAMING, &text_type, &text_type},
    {"Split", "/test.Test/Split", WEIR_METHOD_SERVER_STREAMING, &text_type, &text_type},
    {"Chat", "/test.Test/Chat", WEIR_METHOD_BIDI_STREAMING, &text_type, &text_type},
    {"Missing", "/test.Test/Missing", WEIR_METHOD_UNARY, &text_type, &text_type},
};

static const weir_service test_service = {"test.Test", test_methods, METHODS, NULL};

/** How one method is served; the handlers of a test are an array of these. */
typedef struct test_handler {
    void (*open)(weir_call *call, const text *request, void *user);
    void (*message)(weir_call *call, const text *request, void *user);
    void (*half_closed)(weir_call *call, void *user);
    void (*writable)(weir_call *call, void *user);
    void (*closed)(weir_call *call, const weir_status *why, void *user);
    /** Instead of all these, on a worker. */
    weir_status (*blocking)(weir_blocking_call *call, const text *request, text *reply, void *user);
} test_handler;

static const test_handler *handler_of(weir_call *call, const void *methods)
{
    return (const test_handler *)methods + (weir_call_method(call) - test_methods);
}

/* Of each method: whether it is served, and how. */
#define TEST_METHOD(method)                                                                        \
    static bool blocks_##method(const void *methods)                                               \
    {                                                                                              \
        return methods && ((const test_handler *)methods)[method].blocking;                        \
    }                                                                                              \
    static bool present_##method(const void *methods)                                              \
    {                                                                                              \
        return method != MISSING && methods && !blocks_##method(methods);                          \
    }                                                                                              \
    static weir_status run_##method(weir_blocking_call *call, const void *request, void *reply,    \
                                    const void *methods, void *user)                               \
    {                                                                                              \
        return ((const test_handler *)methods)[method].blocking(call, request, reply, user);       \
    }

TEST_METHOD(UNARY)
TEST_METHOD(COLLECT)
TEST_METHOD(SPLIT)
TEST_METHOD(CHAT)
TEST_METHOD(MISSING)

static void do_open(weir_call *call, const void *request, const void *methods, void *user)
{
    if (handler_of(call, methods)->open)
        handler_of(call, methods)->open(call, request, user);
}

static void do_message(weir_call *call, const void *request, const void *methods, void *user)
{
    if (handler_of(call, methods)->message)
        handler_of(call, methods)->message(call, request, user);
}

static void do_half_closed(weir_call *call, const void *methods, void *user)
{
    if (handler_of(call, methods)->half_closed)
        handler_of(call, methods)->half_closed(call, user);
}

static void do_writable(weir_call *call, const void *methods, void *user)
{
    if (handler_of(call, methods)->writable)
        handler_of(call, methods)->writable(call, user);
}

static void do_closed(weir_call *call, const weir_status *why, const void *methods, void *user)
{
    if (handler_of(call, methods)->closed)
        handler_of(call, methods)->closed(call, why, user);
}

#define TEST_HANDLER(method)                                                                       \
    {                                                                                              \
        present_##method, do_open, do_message, do_half_closed, do_writable, do_closed, NULL,       \
            blocks_##method, run_##method                                                          \
    }

static const weir_handler test_handlers[METHODS] = {
    TEST_HANDLER(UNARY), TEST_HANDLER(COLLECT), TEST_HANDLER(SPLIT),
    TEST_HANDLER(CHAT),  TEST_HANDLER(MISSING),
};

/** A server that runs, with its accepting loop in a thread. */
typedef struct test_server {
    weir_loop_thread *thread;
    weir_server *server;
    weir_task task;
    weir_latch done;
    char addr[WEIR_ADDR_TEXT_MAX];
} test_server;

static void test_server_stopped(void *user)
{
    weir_latch_down(&((test_server *)user)->done);
}

static void test_server_do_stop(weir_task *task, weir_err err)
{
    test_server *ts = WEIR_CONTAINER_OF(task, test_server, task);
    assert_ok(err);
    weir_server_stop(ts->server, test_server_stopped, ts);
}

static void test_server_do_start(weir_task *task, weir_err err)
{
    test_server *ts = WEIR_CONTAINER_OF(task, test_server, task);
    weir_why why;
    assert_ok(err);
    assert_ok(weir_server_start(ts->server, weir_loop_thread_loop(ts->thread), ts->addr, &why));
    weir_addr_text(weir_server_addr(ts->server), ts->addr);
    weir_latch_down(&ts->done);
}

/** Starts what has been set up. */
static inline void test_server_go(test_server *ts)
{
    assert_ok(weir_loop_thread_start(&ts->thread, &(weir_loop_opts){.poller = test_poller()}));
    weir_latch_init(&ts->done, 1);
    weir_loop_post(weir_loop_thread_loop(ts->thread), &ts->task, test_server_do_start);
    weir_latch_wait(&ts->done);
    weir_latch_fini(&ts->done);
}

/** Without services. */
static inline void test_server_prepare_nothing(test_server *ts, const char *addr,
                                               const weir_server_opts *opts)
{
    weir_server_opts own = opts ? *opts : (weir_server_opts){0};
    own.poller = test_poller();
    *ts = (test_server){.server = weir_server_new(&own)};
    strcpy(ts->addr, addr);
    assert_non_null(ts->server);
}

static inline void test_server_prepare(test_server *ts, const char *addr,
                                       const test_handler *methods, void *user,
                                       const weir_server_opts *opts)
{
    test_server_prepare_nothing(ts, addr, opts);
    assert_ok(weir_server_add(ts->server, &test_service, test_handlers, methods, user));
}

static inline void test_server_open_at(test_server *ts, const char *addr,
                                       const test_handler *methods, void *user,
                                       const weir_server_opts *opts)
{
    test_server_prepare(ts, addr, methods, user, opts);
    test_server_go(ts);
}

static inline void test_server_open(test_server *ts, const test_handler *methods, void *user,
                                    const weir_server_opts *opts)
{
    test_server_open_at(ts, "127.0.0.1:0", methods, user, opts);
}

/** With interceptors, outermost first. */
static inline void test_server_open_with(test_server *ts, const test_handler *methods, void *user,
                                         const weir_server_opts *opts,
                                         const weir_interceptor_use *interceptors, size_t count)
{
    test_server_prepare(ts, "127.0.0.1:0", methods, user, opts);
    for (size_t i = 0; i < count; i++)
        assert_ok(
            weir_server_intercept(ts->server, interceptors[i].interceptor, interceptors[i].user));
    test_server_go(ts);
}

/** Begins the graceful stop. */
static inline void test_server_stop(test_server *ts)
{
    weir_latch_init(&ts->done, 1);
    weir_loop_post(weir_loop_thread_loop(ts->thread), &ts->task, test_server_do_stop);
}

/** Waits for its end and frees. */
static inline void test_server_join(test_server *ts)
{
    weir_latch_wait(&ts->done);
    weir_latch_fini(&ts->done);
    weir_loop_thread_stop(ts->thread);
    weir_server_free(ts->server);
}

#endif
