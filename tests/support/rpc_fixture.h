/**
 * @file
 * For tests of calls: a server that answers, with interceptors, and a channel to it with others.
 */
#ifndef WEIR_RPC_FIXTURE_H
#define WEIR_RPC_FIXTURE_H

#include "rpc_testing.h"

typedef struct rpc_fixture {
    test_server server;
    weir_channel *channel;
    weir_arena *mem;
} rpc_fixture;

static inline void rpc_fixture_open(rpc_fixture *f, const test_handler *methods, void *user,
                                    const weir_interceptor_use *server, size_t server_count,
                                    const weir_interceptor_use *client, size_t client_count)
{
    test_server_open_with(&f->server, methods, user, NULL, server, server_count);
    f->channel =
        weir_channel_new(f->server.addr, &(weir_channel_opts){.interceptors = client,
                                                              .interceptor_count = client_count});
    f->mem = weir_arena_new();
    assert_non_null(f->channel);
    assert_non_null(f->mem);
}

static inline void rpc_fixture_close(rpc_fixture *f)
{
    weir_channel_free(f->channel);
    weir_arena_free(f->mem);
    test_server_stop(&f->server);
    test_server_join(&f->server);
}

static inline weir_status rpc_fixture_ask(rpc_fixture *f, int method, const char *request,
                                          const weir_call_opts *opts, text **reply)
{
    void *got = NULL;
    weir_status status = weir_unary_call(f->channel, &test_methods[method], f->mem,
                                         &(text){.text = weir_str_from(request)}, &got, opts);
    *reply = got;
    return status;
}

/** The unary method answers so. */
static inline void rpc_fixture_expect(rpc_fixture *f, const char *request,
                                      const weir_call_opts *opts, const char *expected)
{
    text *reply;
    weir_status status = rpc_fixture_ask(f, UNARY, request, opts, &reply);
    assert_string_equal(weir_status_text(&status), "OK");
    assert_true(weir_str_eq(reply->text, weir_str_from(expected)));
}

/** Or fails so; the text only begins so. */
static inline void rpc_fixture_refused(rpc_fixture *f, int method, const weir_call_opts *opts,
                                       weir_status_code code, const char *expected)
{
    text *reply;
    weir_status status = rpc_fixture_ask(f, method, "", opts, &reply);
    assert_int_equal(status.code, code);
    if (!weir_str_starts(status.message, weir_str_from(expected)))
        assert_string_equal(status.message.ptr, expected);
}

#endif
