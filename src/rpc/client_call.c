/* A call at a client: the engine's events, what the program does while there is no connection, and
 * its end. */
#include <stdio.h>
#include <stdlib.h>

#include "client_tries.h"

static weir__client_call *of(weir_call *call)
{
    return WEIR_CONTAINER_OF(call, weir__client_call, call);
}

static void free_now(weir__child *child, weir_err err WEIR_UNUSED)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(child, weir__client_call, child);
    weir_arena_fini(&cc->arena);
    free(cc);
}

void weir__client_call_free(weir__client_call *cc)
{
    while (cc->early_first) {
        weir__early *early = cc->early_first;
        cc->early_first = early->next;
        early->release(early->user);
    }
    weir_payload_unref(cc->payload);
    if (cc->child.parent.value && !cc->join_err)
        weir__child_leave(&cc->child, free_now);
    else
        free_now(&cc->child, WEIR_OK);
}

void weir__client_call_tell(weir__client_call *cc, const weir_status *status)
{
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    weir__channel_forget(cc->channel, cc);
    weir__tries_stop(cc);
    weir_status said = *status;
    if (cc->call.chain) {
        weir__intercept_finish(&cc->call, &said);
        weir__intercept_closed(&cc->call, &said);
    }
    if (!cc->counted)
        weir__count_ended(&cc->channel->calls, said.code);
    weir__call_unregister(&cc->call); /* who hears of the end posts in vain */
    cc->ops->closed(&cc->call, &said, cc->user);
    weir__client_call_free(cc);
}

void weir__client_call_end(weir__client_call *cc, weir_status_code code, const char *message)
{
    weir__client_call_tell(cc, &(weir_status){code, weir_str_from(message), {0}});
}

/* Events of the engine. */

/** The server has answered: this attempt is the one. */
static void commit(weir__client_call *cc)
{
    cc->answered = true;
    cc->first_us = weir_time_diff(weir_loop_now(cc->call.loop), cc->picked);
    weir__tries_answered(cc);
}

static void on_headers(weir_call *call)
{
    commit(of(call));
    if (call->chain)
        weir__intercept_headers(call);
    of(call)->ops->headers(call, of(call)->user);
}

/** What the interceptors replace has to live as long as the other would have. */
static void show_message(weir_call *call, weir_str bytes)
{
    weir__client_call *cc = of(call);
    weir_payload *other;
    bool shown = weir__intercept_bytes(call, &bytes, &other);
    if (shown && other && cc->expect_one)
        bytes = weir_arena_copy(call->arena, bytes);
    if (shown)
        cc->ops->message(call, bytes, cc->user);
    else if (cc->expect_one)
        weir_call_fail(call, WEIR_STATUS_INTERNAL, "an interceptor dropped the reply");
    weir_payload_unref(other);
}

static void on_message(weir_call *call, weir_str bytes)
{
    size_t limit = of(call)->max_response;
    if (WEIR_UNLIKELY(limit && bytes.len > limit))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                       "the message has %zu bytes, maxResponseMessageBytes of the service config "
                       "allows %zu",
                       bytes.len, limit);
    else if (weir__call_sees_received(call))
        show_message(call, bytes);
    else
        of(call)->ops->message(call, bytes, of(call)->user);
}

static void on_writable(weir_call *call)
{
    of(call)->ops->writable(call, of(call)->user);
}

/** Ends that this side decided get a text that names the peer, the time and the tries. */
static weir_str explain(weir__client_call *cc, const weir_status *status)
{
    char peer[WEIR_ADDR_TEXT_MAX], tries[32] = "";
    weir_str text = status->message;
    if (weir__tries_count(cc) > 1)
        snprintf(tries, sizeof tries, " (%u tries)", weir__tries_count(cc));
    if (status->code == WEIR_STATUS_DEADLINE_EXCEEDED &&
        weir_str_eq(status->message, WEIR_STR("deadline exceeded")))
        text = weir_arena_printf(&cc->arena, "no answer from %s within %.3f s%s",
                                 weir_conn_peer_text(cc->call.link->conn, peer),
                                 (double)weir_time_diff(cc->call.deadline, cc->began) / 1e6, tries);
    else if (status->code != WEIR_STATUS_OK && tries[0])
        text = weir_arena_printf(&cc->arena, "%.*s%s", WEIR_STR_ARGS(status->message), tries);
    return text.ptr ? text : status->message;
}

void weir__client_call_finish(weir__client_call *cc, const weir_status *status)
{
    weir_status said = *status;
    said.message = explain(cc, status);
    weir__client_call_tell(cc, &said);
}

static void on_close(weir_call *call, const weir_status *status)
{
    weir__client_call *cc = of(call);
    weir__client_call_leave(cc, status);
    if (weir_grpc_call_fate(call->wire) != WEIR_GRPC_SEEN && weir__client_call_again(cc))
        return;
    if (!weir__tries_go_on(cc, status))
        weir__client_call_finish(cc, status);
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
    weir__client_call_tell(cc, &cc->early);
}

/** The end comes with the end of the turn, not inside the user's own call. */
static void end_early(weir__client_call *cc, const weir_status *status)
{
    if (cc->cancelled)
        return;
    cc->cancelled = true;
    cc->early = (weir_status){status->code, weir_arena_copy(&cc->arena, status->message),
                              weir_arena_copy(&cc->arena, status->details)};
    if (!cc->started)
        return;                                           /* start() sees to it */
    weir__count_ended(&cc->channel->calls, status->code); /* the channel may be gone by its end */
    cc->counted = true;
    weir__channel_forget(cc->channel, cc);
    weir__tries_stop(cc);
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
    of(call)->decided = true;
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

static bool is_secure(weir_call *call)
{
    return of(call)->channel->opts.tls != NULL;
}

void weir__client_call_proceed(weir_call *call)
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

static weir_err send_early(weir_call *call, weir_payload *payload, weir_buf_release_fn release,
                           void *user)
{
    weir__client_call *cc = of(call);
    if (cc->half_close || cc->cancelled)
        return WEIR_ESTATE;
    weir__early *early = weir_arena_alloc(&cc->arena, sizeof *early);
    if (!early)
        return WEIR_ENOMEM;
    *early = (weir__early){NULL, payload, release, user};
    if (cc->early_first)
        cc->early_last->next = early;
    else
        cc->early_first = early;
    cc->early_last = early;
    return WEIR_OK;
}

static void keep(weir_call *call, weir_payload *payload)
{
    weir__tries_keep(of(call), payload);
}

const weir__call_ops weir__client_call_ops = {
    .headers = on_headers,
    .message = on_message,
    .half_close = no_half_close,
    .writable = on_writable,
    .close = on_close,
    .add_header = add_header,
    .edit_metadata = edit_metadata,
    .is_secure = is_secure,
    .finish = finish,
    .has_ended = has_ended,
    .proceed = weir__client_call_proceed,
    .wait_writable = wait_writable,
    .half_close_early = half_close_early,
    .cancel_early = cancel_early,
    .send_early = send_early,
    .keep = keep,
};
