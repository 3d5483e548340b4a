/* The life of calls: how they begin, what they are asked, how they end. */
#include "grpc_impl.h"

enum {
    /* A call and the first bytes of its arena, in one block of the pool: all that an idle call
     * needs. */
    CALL_BLOCK = 896
};

_Static_assert(sizeof(weir_grpc_call) % 16 == 0, "the arena behind it must be aligned");
_Static_assert(sizeof(weir_grpc_call) <= CALL_BLOCK - 384, "an idle call should fit its block");

weir_grpc_call *weir__grpc_call_new(weir_grpc *grpc)
{
    weir_grpc_call *call = weir_pool_get(grpc->pool, CALL_BLOCK);
    if (!call)
        return NULL;
    memset(call, 0, sizeof *call);
    call->grpc = grpc;
    call->deadline = weir_time_never();
    call->http_status = 0;
    call->grpc_status = -1;
    call->receives = call->sends = WEIR_COMPRESSION_IDENTITY;
    weir_arena_init(&call->arena, grpc->pool, grpc->opts.call_bytes);
    weir_arena_lend(&call->arena, call + 1, CALL_BLOCK - sizeof *call);
    weir_buf_init(&call->held, grpc->pool);
    weir_list_append(&grpc->calls, &call->node);
    grpc->call_count++;
    return call;
}

static void call_free(weir_grpc_call *call)
{
    weir_grpc *grpc = call->grpc;
    weir_timers_cancel(grpc->timers, &call->expiry);
    weir_list_remove(&call->node);
    weir_list_remove(&call->writable_node);
    weir__grpc_in_free(call);
    weir__grpc_out_clear(call);
    weir_buf_clear(&call->held);
    weir_arena_fini(&call->arena);
    grpc->call_count--;
    weir_pool_put(grpc->pool, call, CALL_BLOCK);
}

void weir__grpc_decide(weir_grpc_call *call, weir_status_code code, weir_str message)
{
    if (call->decided)
        return;
    call->decided = true;
    call->status.code = code;
    call->status.message = weir_arena_copy(&call->arena, message);
    if (!call->status.message.ptr)
        call->status.message = WEIR_STR("");
}

void weir__grpc_decide_text(weir_grpc_call *call, weir_status_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(&call->arena, fmt, args);
    va_end(args);
    weir__grpc_decide(call, code, text.ptr ? text : WEIR_STR(""));
}

void weir__grpc_reset(weir_grpc_call *call, uint32_t h2_code)
{
    if (call->reset)
        return;
    call->reset = true;
    call->out_ended = true;
    weir__grpc_out_clear(call);
    weir_buf_clear(&call->held);
    weir_h2_reset(call->grpc->h2, call->id, h2_code);
    weir__grpc_settle(call);
}

void weir__grpc_fail(weir_grpc_call *call, weir_status_code code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str message = weir_arena_vprintf(&call->arena, fmt, args);
    va_end(args);
    weir__grpc_decide(call, code, message.ptr ? message : WEIR_STR(""));
    if (call->grpc->role == WEIR_H2_CLIENT || !weir__grpc_out_forget(call) ||
        weir_grpc_finish(call, &call->status))
        weir__grpc_reset(call, WEIR_H2_CANCEL);
}

/** Whether it is the client's turn: it has not ended its side, or does not take what waits for it.
 */
static bool owes_something(const weir_grpc_call *call)
{
    return !call->paused && (!call->peer_ended || call->out_bytes > 0);
}

static void arm_expiry(weir_grpc_call *call);

static void on_expiry(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_grpc_call *call = WEIR_CONTAINER_OF(timer, weir_grpc_call, expiry);
    weir_grpc *grpc = call->grpc;
    weir_time now = weir_timers_now(grpc->timers);
    int64_t idle_us = grpc->opts.call_idle_us;
    if (!weir_time_before(now, call->deadline)) {
        weir__grpc_fail(call, WEIR_STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
        weir__grpc_wake(grpc);
    } else if (owes_something(call) && weir_time_diff(now, call->active) >= idle_us) {
        weir__grpc_fail(call, WEIR_STATUS_DEADLINE_EXCEEDED,
                        "the client has neither sent nor read anything for %.1f s",
                        (double)idle_us / 1e6);
        weir__grpc_wake(grpc);
    } else {
        if (!owes_something(call))
            call->active = now;
        arm_expiry(call);
    }
}

static void arm_expiry(weir_grpc_call *call)
{
    const weir_grpc *grpc = call->grpc;
    weir_time when = call->deadline;
    if (grpc->opts.call_idle_us > 0 && grpc->role == WEIR_H2_SERVER) {
        weir_time silent = weir_time_add(call->active, grpc->opts.call_idle_us);
        if (weir_time_before(silent, when))
            when = silent;
    }
    if (when.us != WEIR_TIME_NEVER_US)
        weir_timers_add(grpc->timers, &call->expiry, when, on_expiry, NULL);
}

void weir__grpc_end_call(weir_grpc_call *call)
{
    weir_grpc *grpc = call->grpc;
    weir__grpc_out_clear(call); /* what the owner lent us is its own again */
    if (grpc->role == WEIR_H2_SERVER ? call->end_sent : call->peer_ended)
        grpc->traffic.streams_succeeded++;
    else
        grpc->traffic.streams_failed++;
    if (call->announced)
        grpc->ops->on_close(call, &call->status, grpc->user);
    call_free(call);
}

void weir__grpc_settle(weir_grpc_call *call)
{
    if (!call->stream_gone)
        return;
    weir_list_remove(&call->node);
    weir_list_append(&call->grpc->settled, &call->node);
}

/* Calls. */

weir_err weir_grpc_call_start(weir_grpc_call **out, weir_grpc *grpc, const weir_grpc_start *start)
{
    if (grpc->closed_to_new)
        return WEIR_ECLOSED;
    weir_grpc_call *call = weir__grpc_call_new(grpc);
    if (!call)
        return WEIR_ENOMEM;
    call->owner = start->owner;
    call->deadline = start->deadline;
    if (start->compression != WEIR_COMPRESSION_DEFAULT)
        call->sends = (uint8_t)start->compression;
    weir_err err = weir__grpc_submit_request(call, start);
    if (err) {
        call_free(call);
        return err;
    }
    call->announced = true;
    weir__grpc_count_stream(grpc);
    arm_expiry(call);
    *out = call;
    return WEIR_OK;
}

void weir__grpc_announce_request(weir_grpc_call *call)
{
    weir_grpc *grpc = call->grpc;
    int64_t limit = grpc->opts.max_call_us;
    if (limit > 0) {
        weir_time latest = weir_time_add(weir_timers_now(grpc->timers), limit);
        if (weir_time_before(latest, call->deadline))
            call->deadline = latest;
    }
    weir__grpc_touch(call);
    arm_expiry(call);
    if (grpc->opts.compression != WEIR_COMPRESSION_DEFAULT &&
        call->accepts & 1u << grpc->opts.compression)
        call->sends = (uint8_t)grpc->opts.compression;
    call->announced = true;
    grpc->ops->on_request(call, grpc->user);
}

void weir_grpc_end_call(weir_grpc_call *call, weir_status_code code, const char *message)
{
    if (!call->decided)
        weir__grpc_fail(call, code, "%s", message);
}

void weir_grpc_cancel(weir_grpc_call *call)
{
    if (call->decided && call->grpc->role == WEIR_H2_CLIENT)
        return;
    weir__grpc_decide(call, WEIR_STATUS_CANCELLED, WEIR_STR("cancelled"));
    weir__grpc_reset(call, WEIR_H2_CANCEL);
}

void weir_grpc_expect_one(weir_grpc_call *call)
{
    call->expect_one = true;
}

bool weir_grpc_call_has_sent(const weir_grpc_call *call)
{
    return call->queued;
}

weir_grpc_fate weir_grpc_call_fate(const weir_grpc_call *call)
{
    return call->fate;
}

weir_grpc *weir_grpc_call_grpc(const weir_grpc_call *call)
{
    return call->grpc;
}

void weir_grpc_call_set_owner(weir_grpc_call *call, void *owner)
{
    call->owner = owner;
}

void *weir_grpc_call_owner(const weir_grpc_call *call)
{
    return call->owner;
}

weir_arena *weir_grpc_call_arena(weir_grpc_call *call)
{
    return &call->arena;
}

weir_str weir_grpc_call_path(const weir_grpc_call *call)
{
    return call->path;
}

weir_str weir_grpc_call_authority(const weir_grpc_call *call)
{
    return call->authority;
}

const weir_metadata *weir_grpc_call_metadata(const weir_grpc_call *call)
{
    return &call->metadata;
}

weir_metadata *weir_grpc_call_edit_metadata(weir_grpc_call *call)
{
    return &call->metadata;
}

bool weir_grpc_call_has_ended(const weir_grpc_call *call)
{
    return call->out_ended || call->reset;
}

const weir_metadata *weir_grpc_call_trailers(const weir_grpc_call *call)
{
    return &call->last;
}

weir_time weir_grpc_call_deadline(const weir_grpc_call *call)
{
    return call->deadline;
}

size_t weir_grpc_call_unsent(const weir_grpc_call *call)
{
    return call->out_bytes;
}
