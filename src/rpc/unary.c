/* Calls with one request and one reply: asynchronous, and blocking. */
#include "cancellation.h"
#include "channel_impl.h"

/* Asynchronous. */

typedef struct async_call {
    weir_unary_thunk thunk;
    weir_fn done;
    void *user;
    void *reply;
    weir_metadata *headers, *trailers; /* NULL: not wanted */
} async_call;

static void ignore(weir_call *call WEIR_UNUSED, void *user WEIR_UNUSED) {}

static void async_message(weir_call *call, weir_str bytes, void *user)
{
    async_call *async = user;
    if (!weir__call_decode(call, bytes, call->arena, 0, &async->reply))
        async->reply = NULL;
}

static void async_closed(weir_call *call, const weir_status *status, void *user)
{
    async_call *async = user;
    if (async->headers)
        *async->headers = *weir_call_metadata(call);
    if (async->trailers)
        *async->trailers = *weir_call_trailers(call);
    async->thunk(async->done, status, status->code == WEIR_STATUS_OK ? async->reply : NULL,
                 async->user);
}

static const weir__client_ops async_ops = {ignore, async_message, ignore, async_closed};

weir_err weir_unary_start(weir_channel *channel, const weir_method *method, const void *request,
                          weir_unary_thunk thunk, weir_fn done, void *user,
                          const weir_call_opts *opts)
{
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &async_ops, NULL, opts);
    if (err)
        return err;
    async_call *async = weir_arena_zalloc(&cc->arena, sizeof *async);
    if (!async) {
        weir__client_call_drop(cc);
        return WEIR_ENOMEM;
    }
    *async = (async_call){.thunk = thunk, .done = done, .user = user};
    if (opts) {
        async->headers = opts->reply_headers;
        async->trailers = opts->reply_trailers;
    }
    cc->user = async;
    weir__client_call_go(cc);
    return WEIR_OK;
}

/* Blocking: the caller's memory is written by the loop while the caller waits. */

typedef struct waiter {
    weir_latch done;
    weir_arena *mem;
    void *reply;
    weir_status status;
    weir_metadata *headers, *trailers; /* NULL: not wanted */
} waiter;

static void waiter_message(weir_call *call, weir_str bytes, void *user)
{
    waiter *w = user;
    if (!weir__call_decode(call, bytes, w->mem, WEIR_DECODE_COPY, &w->reply))
        w->reply = NULL;
}

/** Rather none than half of it. */
static void copy_metadata(waiter *w, weir_metadata *to, const weir_metadata *from)
{
    if (to && weir_metadata_append(to, w->mem, from))
        *to = (weir_metadata){0};
}

static void waiter_headers(weir_call *call, void *user)
{
    waiter *w = user;
    copy_metadata(w, w->headers, weir_call_metadata(call));
}

static void waiter_closed(weir_call *call, const weir_status *status, void *user)
{
    waiter *w = user;
    copy_metadata(w, w->trailers, weir_call_trailers(call));
    w->status = (weir_status){status->code, weir_arena_copy(w->mem, status->message),
                              weir_arena_copy(w->mem, status->details)};
    weir_latch_down(&w->done);
}

static const weir__client_ops waiter_ops = {waiter_headers, waiter_message, ignore, waiter_closed};

static weir_status not_started(weir_err err)
{
    weir_status_code code = (weir_status_code)weir_err_status(err);
    return (weir_status){code, weir_str_from(weir_err_text(err)), {0}};
}

static weir_status refuse(const char *why)
{
    return (weir_status){WEIR_STATUS_FAILED_PRECONDITION, weir_str_from(why), {0}};
}

static void call_and_wait(weir__client_call *cc, waiter *w)
{
    weir_latch_init(&w->done, 1);
    weir__client_call_go(cc);
    weir_latch_wait(&w->done);
    weir_latch_fini(&w->done);
}

weir_status weir_unary_call(weir_channel *channel, const weir_method *method, weir_arena *mem,
                            const void *request, void **reply, const weir_call_opts *opts)
{
    if (weir__channel_would_deadlock(channel))
        return refuse("a blocking call inside the channel's loop would wait for itself");
    waiter w = {.mem = mem};
    weir_cancellation *cancellation = NULL;
    if (opts) {
        w.headers = opts->reply_headers;
        w.trailers = opts->reply_trailers;
        cancellation = opts->cancellation;
    }
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &waiter_ops, &w, opts);
    if (err)
        return not_started(err);
    err = weir__cancellation_begin(cancellation, cc->call.id);
    if (err) {
        weir__client_call_drop(cc);
        return err == WEIR_ESTATE ? refuse("another call has this cancellation") : not_started(err);
    }
    call_and_wait(cc, &w);
    weir__cancellation_end(cancellation);
    if (w.status.code == WEIR_STATUS_OK)
        *reply = w.reply;
    return w.status;
}
