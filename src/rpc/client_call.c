/* A call at a client, from its making to its end. */
#include <stdio.h>
#include <stdlib.h>

#include "channel_impl.h"

#define DEFAULT_TIMEOUT_US WEIR_SECONDS(60)

static weir__client_call *of(weir_call *call)
{
    return WEIR_CONTAINER_OF(call, weir__client_call, call);
}

static void free_call(weir__client_call *cc)
{
    while (cc->early_first) {
        weir__early *early = cc->early_first;
        cc->early_first = early->next;
        early->release(early->user);
    }
    weir_arena_fini(&cc->arena);
    free(cc);
}

/** Tells the end, once, and frees. */
static void end_call(weir__client_call *cc, const weir_status *status)
{
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    weir__channel_forget(cc->channel, cc);
    weir_status said = *status;
    if (cc->call.chain) {
        weir__intercept_finish(&cc->call, &said);
        weir__intercept_closed(&cc->call, &said);
    }
    cc->ops->closed(&cc->call, &said, cc->user);
    weir__call_unregister(&cc->call);
    free_call(cc);
}

void weir__client_call_end(weir__client_call *cc, weir_status_code code, const char *message)
{
    end_call(cc, &(weir_status){code, weir_str_from(message), {0}});
}

/* Events of the engine. */

static void on_headers(weir_call *call)
{
    if (call->chain)
        weir__intercept_headers(call);
    of(call)->ops->headers(call, of(call)->user);
}

/** Decodes for the interceptors; what they replace is encoded again. */
static void show_message(weir_call *call, weir_str bytes)
{
    weir__client_call *cc = of(call);
    weir_arena *scratch = &call->link->scratch;
    weir_payload *other = NULL;
    void *message;
    if (!weir__call_decode(call, bytes, scratch, 0, &message))
        return;
    const void *shown = weir__intercept_received(call, message);
    if (shown && shown != message) {
        if (weir_payload_new(&other, call->receives, shown))
            return weir_call_cancel(call);
        bytes = weir_payload_bytes(other);
        if (cc->expect_one)
            bytes = weir_arena_copy(call->arena, bytes);
    }
    weir_arena_reset(scratch);
    if (shown)
        cc->ops->message(call, bytes, cc->user);
    else if (cc->expect_one)
        weir_call_fail(call, WEIR_STATUS_INTERNAL, "an interceptor dropped the reply");
    weir_payload_unref(other);
}

static void on_message(weir_call *call, weir_str bytes)
{
    if (weir__call_sees_received(call))
        show_message(call, bytes);
    else
        of(call)->ops->message(call, bytes, of(call)->user);
}

static void on_writable(weir_call *call)
{
    of(call)->ops->writable(call, of(call)->user);
}

/** Ends that this side decided get a text that names the peer and the time. */
static void on_close(weir_call *call, const weir_status *status)
{
    weir__client_call *cc = of(call);
    weir_status said = *status;
    if (status->code == WEIR_STATUS_DEADLINE_EXCEEDED &&
        weir_str_eq(status->message, WEIR_STR("deadline exceeded"))) {
        weir_str text = weir_arena_printf(&cc->arena, "no answer from %s before the deadline",
                                          cc->channel->addr_text);
        if (text.ptr)
            said.message = text;
    }
    end_call(cc, &said);
}

static void no_half_close(weir_call *call WEIR_UNUSED) {}

/* While it waits for a connection. */

static weir_err wait_writable(weir_call *call)
{
    weir__client_call *cc = of(call);
    if (cc->half_close || cc->cancelled)
        return WEIR_ESTATE;
    cc->wants_writable = true;
    return WEIR_EAGAIN;
}

static weir_err half_close_early(weir_call *call)
{
    weir__client_call *cc = of(call);
    if (cc->half_close)
        return WEIR_ESTATE;
    cc->half_close = true;
    return WEIR_OK;
}

static void on_cancelled(weir_deferred *work)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(work, weir__client_call, cancel);
    end_call(cc, &cc->early);
}

/** The end comes with the end of the turn, not inside the user's own call. */
static void end_early(weir__client_call *cc, const weir_status *status)
{
    if (cc->cancelled)
        return;
    cc->cancelled = true;
    cc->early = (weir_status){status->code, weir_arena_copy(&cc->arena, status->message),
                              weir_arena_copy(&cc->arena, status->details)};
    weir__channel_forget(cc->channel, cc);
    cc->cancel.fn = on_cancelled;
    weir_loop_defer(cc->call.loop, &cc->cancel);
}

static void cancel_early(weir_call *call)
{
    end_early(of(call), &(weir_status){WEIR_STATUS_CANCELLED, WEIR_STR("cancelled"), {0}});
}

static bool has_ended(weir_call *call)
{
    return of(call)->cancelled;
}

/** The caller, or an interceptor, ends it as if the server had. */
static weir_err finish(weir_call *call, const weir_status *status)
{
    if (status->code == WEIR_STATUS_OK)
        return WEIR_EINVAL;
    if (!call->wire) {
        end_early(of(call), status);
        return WEIR_OK;
    }
    weir_grpc_end_call(call->wire, status->code, weir_status_text(status));
    weir__link_wake(call->link);
    return WEIR_OK;
}

static weir_err add_header(weir_call *call, weir_str key, weir_str value)
{
    weir__client_call *cc = of(call);
    if (call->wire || cc->cancelled)
        return WEIR_ESTATE;
    return weir_metadata_add(&cc->metadata, &cc->arena, key, value);
}

static weir_metadata *edit_metadata(weir_call *call)
{
    return call->wire ? weir_grpc_call_edit_metadata(call->wire) : &of(call)->metadata;
}

/** The interceptors have let it through. */
static void proceed(weir_call *call)
{
    weir__client_call *cc = of(call);
    weir_list_remove(&cc->node);
    if (cc->cancelled)
        return;
    if (weir__intercept_open(call))
        weir__channel_place(cc->channel, cc);
    else if (call->held)
        weir_list_append(&cc->channel->held, &cc->node);
}

static weir_err send_early(weir_call *call, weir_str framed, weir_buf_release_fn release,
                           void *user)
{
    weir__client_call *cc = of(call);
    if (cc->half_close || cc->cancelled)
        return WEIR_ESTATE;
    weir__early *early = weir_arena_alloc(&cc->arena, sizeof *early);
    if (!early)
        return WEIR_ENOMEM;
    *early = (weir__early){NULL, framed, release, user};
    if (cc->early_first)
        cc->early_last->next = early;
    else
        cc->early_first = early;
    cc->early_last = early;
    return WEIR_OK;
}

static const weir__call_ops client_call_ops = {
    .headers = on_headers,
    .message = on_message,
    .half_close = no_half_close,
    .writable = on_writable,
    .close = on_close,
    .add_header = add_header,
    .edit_metadata = edit_metadata,
    .finish = finish,
    .has_ended = has_ended,
    .proceed = proceed,
    .wait_writable = wait_writable,
    .half_close_early = half_close_early,
    .cancel_early = cancel_early,
    .send_early = send_early,
};

/* The start. */

static weir_err copy_metadata(weir__client_call *cc, const weir_metadata *metadata)
{
    for (size_t i = 0; metadata && i < metadata->len; i++) {
        weir_err err = weir_metadata_add(&cc->metadata, &cc->arena, metadata->items[i].key,
                                         metadata->items[i].value);
        if (err)
            return err;
    }
    return WEIR_OK;
}

static void release_payload(void *user)
{
    weir_payload_unref(user);
}

static weir_err add_request(weir__client_call *cc, const void *request)
{
    weir_payload *payload;
    weir_err err = weir_payload_new(&payload, cc->call.sends, request);
    if (err)
        return err;
    weir_str framed = weir__payload_framed(payload);
    size_t limit = cc->channel->opts.max_send_bytes;
    err = limit && framed.len - WEIR_GRPC_PREFIX > limit
              ? WEIR_EMSGSIZE
              : send_early(&cc->call, framed, release_payload, payload);
    if (err)
        weir_payload_unref(payload);
    cc->half_close = true;
    return err;
}

static weir_time deadline_of(const weir_channel *channel, const weir_call_opts *opts)
{
    int64_t timeout_us = opts && opts->timeout_us ? opts->timeout_us : channel->opts.timeout_us;
    if (timeout_us == 0)
        timeout_us = DEFAULT_TIMEOUT_US;
    return timeout_us < 0 ? weir_time_never() : weir_time_add(weir_time_now(), timeout_us);
}

weir_err weir__client_call_new(weir__client_call **out, weir_channel *channel,
                               const weir_method *method, const void *request,
                               const weir__client_ops *ops, void *user, const weir_call_opts *opts)
{
    weir__client_call *cc = calloc(1, sizeof *cc);
    if (!cc)
        return WEIR_ENOMEM;
    weir_arena_init(&cc->arena, NULL, channel->grpc.call_bytes);
    cc->channel = channel;
    cc->ops = ops;
    cc->user = user;
    cc->wait_for_ready = opts && opts->wait_for_ready;
    cc->expect_one =
        method->kind == WEIR_METHOD_UNARY || method->kind == WEIR_METHOD_CLIENT_STREAMING;
    cc->call.ops = &client_call_ops;
    cc->call.loop = channel->loop;
    cc->call.method = method;
    cc->call.sends = method->request;
    cc->call.receives = method->reply;
    cc->call.arena = &cc->arena;
    cc->call.chain = channel->chain.count ? &channel->chain : NULL;
    cc->call.deadline = deadline_of(channel, opts);
    weir_err err = copy_metadata(cc, opts ? opts->metadata : NULL);
    if (!err && request)
        err = add_request(cc, request);
    if (!err)
        err = weir__call_register(&cc->call, (uint32_t)channel->grpc.send_high_water);
    if (err) {
        free_call(cc);
        return err;
    }
    *out = cc;
    return WEIR_OK;
}

void weir__client_call_drop(weir__client_call *cc)
{
    weir__call_unregister(&cc->call);
    free_call(cc);
}

static void on_expiry(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(timer, weir__client_call, expiry);
    char text[sizeof cc->channel->why.text + 64];
    snprintf(text, sizeof text, "no connection before the deadline: %s", cc->channel->why.text);
    weir__client_call_end(cc, WEIR_STATUS_DEADLINE_EXCEEDED, text);
}

static void start(weir_task *task, weir_err err)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(task, weir__client_call, start);
    if (err) {
        weir__client_call_end(cc, WEIR_STATUS_CANCELLED, "the channel's loop has ended");
        return;
    }
    if (cc->call.deadline.us != WEIR_TIME_NEVER_US)
        weir_timers_add(weir_loop_timers(cc->call.loop), &cc->expiry, cc->call.deadline, on_expiry,
                        NULL);
    proceed(&cc->call);
}

void weir__client_call_go(weir__client_call *cc)
{
    weir_loop_post(cc->call.loop, &cc->start, start);
}

/** What was said before there was a connection. */
static void send_all_early(weir__client_call *cc)
{
    while (cc->early_first) {
        weir__early *early = cc->early_first;
        cc->early_first = early->next;
        weir_err err =
            weir__call_send_framed(&cc->call, early->framed, early->release, early->user);
        if (err) {
            weir_grpc_end_call(cc->call.wire, (weir_status_code)weir_err_status(err),
                               weir_err_text(err));
        }
    }
    if (cc->half_close)
        weir_grpc_half_close(cc->call.wire);
}

weir_err weir__client_call_attach(weir__client_call *cc, weir__link *link)
{
    weir_channel *channel = cc->channel;
    weir_grpc_start begin = {
        .path = weir_str_from(cc->call.method->path),
        .authority = weir_str_from(channel->authority),
        .user_agent = weir_str_from(channel->user_agent),
        .deadline = cc->call.deadline,
        .metadata = &cc->metadata,
        .owner = &cc->call,
    };
    weir_grpc_call *wire;
    weir_err err = weir_grpc_call_start(&wire, link->grpc, &begin);
    if (err)
        return err;
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    cc->call.link = link;
    cc->call.wire = wire;
    if (cc->expect_one)
        weir_grpc_expect_one(wire);
    send_all_early(cc);
    if (cc->wants_writable)
        on_writable(&cc->call);
    weir__link_wake(link);
    return WEIR_OK;
}

/* Calls with callbacks: from the engine's events to generated code. */

static void handler_headers(weir_call *call, void *user)
{
    weir__client_call *cc = user;
    cc->handler->headers(call, cc->events, cc->handler_user);
}

static void handler_message(weir_call *call, weir_str bytes, void *user)
{
    weir__client_call *cc = user;
    weir_arena *scratch = &call->link->scratch;
    void *message;
    if (weir__call_decode(call, bytes, scratch, 0, &message))
        cc->handler->message(call, message, cc->events, cc->handler_user);
    weir_arena_reset(scratch);
}

static void handler_writable(weir_call *call, void *user)
{
    weir__client_call *cc = user;
    cc->handler->writable(call, cc->events, cc->handler_user);
}

static void handler_closed(weir_call *call, const weir_status *status, void *user)
{
    weir__client_call *cc = user;
    cc->handler->closed(call, status, cc->events, cc->handler_user);
}

static const weir__client_ops handler_ops = {
    .headers = handler_headers,
    .message = handler_message,
    .writable = handler_writable,
    .closed = handler_closed,
};

weir_err weir_call_start(weir_channel *channel, const weir_method *method, const void *request,
                         const weir_client_handler *handler, const void *events, void *user,
                         const weir_call_opts *opts, weir_call_id *id)
{
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &handler_ops, NULL, opts);
    if (err)
        return err;
    cc->user = cc;
    cc->handler = handler;
    cc->events = events;
    cc->handler_user = user;
    if (id)
        *id = cc->call.id;
    weir__client_call_go(cc);
    return WEIR_OK;
}
