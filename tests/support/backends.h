/**
 * @file
 * For tests of channels with several backends: servers whose unary method does as it is told.
 */
#ifndef WEIR_BACKENDS_H
#define WEIR_BACKENDS_H

#include "rpc_testing.h"

#include <stdatomic.h>
#include <stdio.h>

enum {
    BACKENDS_MAX = 8
};

/** What a backend does with calls; any thread may change it. */
typedef struct backend {
    test_server server;
    int number;
    atomic_int asked;     /**< calls that have come */
    atomic_int fail_next; /**< so many fail with `code`; negative: all */
    atomic_int code;
    atomic_int hold;      /**< calls are not answered */
    atomic_int cancelled; /**< held calls that were given up */
    atomic_int attempts;  /**< what "grpc-previous-rpc-attempts" last said; -1: nothing */
    const char *pushback; /**< trailer of failures; NULL: none */
} backend;

typedef struct backends {
    backend all[BACKENDS_MAX];
    int count;
    char targets[BACKENDS_MAX * (WEIR_ADDR_TEXT_MAX + 1) + 16]; /**< "static:///A,B" */
    weir_channel *channel;
    weir_arena *mem;
} backends;

static void backend_unary(weir_call *call, const text *request WEIR_UNUSED, void *user)
{
    backend *b = user;
    const weir_str *before =
        weir_metadata_get(weir_call_metadata(call), WEIR_STR("grpc-previous-rpc-attempts"));
    atomic_store(&b->attempts, before && before->len == 1 ? before->ptr[0] - '0' : -1);
    atomic_fetch_add(&b->asked, 1);
    if (atomic_load(&b->hold))
        return;
    int left = atomic_load(&b->fail_next);
    if (left != 0) {
        if (left > 0)
            atomic_fetch_sub(&b->fail_next, 1);
        if (b->pushback)
            assert_ok(weir_call_add_trailer(call, WEIR_STR("grpc-retry-pushback-ms"),
                                            weir_str_from(b->pushback)));
        weir_call_fail(call, (weir_status_code)atomic_load(&b->code), "backend %d fails",
                       b->number);
        return;
    }
    assert_ok(weir_call_reply(call, &(text){.text = weir_call_printf(call, "%d", b->number)}));
}

static void backend_closed(weir_call *call WEIR_UNUSED, const weir_status *why, void *user)
{
    backend *b = user;
    if (why->code == WEIR_STATUS_CANCELLED)
        atomic_fetch_add(&b->cancelled, 1);
}

static const test_handler backend_methods[METHODS] = {
    [UNARY] = {.open = backend_unary, .closed = backend_closed},
};

static inline void backend_start(backend *b, const char *addr)
{
    test_server_open_at(&b->server, addr, backend_methods, b, NULL);
}

static inline void backend_stop(backend *b)
{
    test_server_stop(&b->server);
    test_server_join(&b->server);
}

static inline void backends_start(backends *bs, int count)
{
    memset(bs, 0, sizeof *bs);
    bs->count = count;
    bs->mem = weir_arena_new();
    size_t len = (size_t)snprintf(bs->targets, sizeof bs->targets, "static:///");
    for (int i = 0; i < count; i++) {
        backend *b = &bs->all[i];
        b->number = i;
        atomic_store(&b->code, WEIR_STATUS_UNAVAILABLE);
        backend_start(b, "127.0.0.1:0");
        len += (size_t)snprintf(bs->targets + len, sizeof bs->targets - len, "%s%s",
                                i > 0 ? "," : "", b->server.addr);
    }
}

static inline void backends_open(backends *bs, const weir_channel_opts *opts)
{
    bs->channel = weir_channel_new(bs->targets, opts);
    assert_non_null(bs->channel);
}

static inline void backends_close(backends *bs)
{
    weir_channel_free(bs->channel);
    for (int i = 0; i < bs->count; i++)
        if (bs->all[i].server.thread)
            backend_stop(&bs->all[i]);
    weir_arena_free(bs->mem);
}

/** Calls once. @return the number of who answered, or minus the status code */
static inline int backends_ask(backends *bs, const weir_call_opts *opts, weir_status *status)
{
    void *got = NULL;
    weir_status st = weir_unary_call(bs->channel, &test_methods[UNARY], bs->mem,
                                     &(text){.text = WEIR_STR("?")}, &got, opts);
    if (status)
        *status = st;
    return st.code == WEIR_STATUS_OK ? ((text *)got)->text.ptr[0] - '0' : -(int)st.code;
}

/** Calls until each of the first `count` has answered: their connections are there. */
static inline void backends_await(backends *bs, int count)
{
    unsigned seen = 0;
    while (seen != (1u << count) - 1) {
        int who = backends_ask(bs, &(weir_call_opts){.wait_for_ready = true}, NULL);
        if (who >= 0)
            seen |= 1u << who;
    }
}

#endif
