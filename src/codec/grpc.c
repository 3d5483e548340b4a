/* Connections and the life of calls. */
#include "grpc_impl.h"

enum {
    DEFAULT_MAX_RECEIVE = 4 << 20,
    DEFAULT_HIGH_WATER = 64 << 10,
    DEFAULT_CALL_BYTES = 16 << 20,
    /* A call and the first bytes of its arena, in one block of the pool: all that an idle call
     * needs. */
    CALL_BLOCK = 896
};

_Static_assert(sizeof(weir_grpc_call) % 16 == 0, "the arena behind it must be aligned");
_Static_assert(sizeof(weir_grpc_call) <= CALL_BLOCK - 384, "an idle call should fit its block");

static weir_grpc_call *call_new(weir_grpc *grpc)
{
    weir_grpc_call *call = weir_pool_get(grpc->pool, CALL_BLOCK);
    if (!call)
        return NULL;
    memset(call, 0, sizeof *call);
    call->grpc = grpc;
    call->deadline = weir_time_never();
    call->http_status = 0;
    call->grpc_status = -1;
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

static void on_expiry(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_grpc_call *call = WEIR_CONTAINER_OF(timer, weir_grpc_call, expiry);
    weir_grpc *grpc = call->grpc;
    weir__grpc_fail(call, WEIR_STATUS_DEADLINE_EXCEEDED, "deadline exceeded");
    if (grpc->ops->on_wake)
        grpc->ops->on_wake(grpc, grpc->user);
}

static void arm_deadline(weir_grpc_call *call)
{
    if (call->deadline.us != WEIR_TIME_NEVER_US)
        weir_timers_add(call->grpc->timers, &call->expiry, call->deadline, on_expiry, NULL);
}

/* Events of the HTTP/2 layer. */

static void *on_open(weir_h2 *h2 WEIR_UNUSED, int32_t id, void *user)
{
    weir_grpc_call *call = call_new(user);
    if (call)
        call->id = id;
    return call;
}

static void end_call(weir_grpc_call *call)
{
    weir_grpc *grpc = call->grpc;
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

/** How a call that nothing else decided ends when its stream is closed. */
static void decide_from_close(weir_grpc_call *call, uint32_t code, bool remote)
{
    if (call->grpc->role == WEIR_H2_SERVER) {
        weir__grpc_decide(call, WEIR_STATUS_CANCELLED,
                          remote && code == WEIR_H2_CANCEL ? WEIR_STR("cancelled by the client")
                                                           : WEIR_STR("the stream was reset"));
        return;
    }
    weir__grpc_decide_text(call, weir_status_from_h2(code), "stream reset by the %s: %s",
                           remote ? "server" : "client's protocol check", weir_h2_code_name(code));
}

static void on_close(weir_h2 *h2 WEIR_UNUSED, void *stream, uint32_t code, bool remote, void *user)
{
    weir_grpc *grpc = user;
    weir_grpc_call *call = stream;
    call->stream_gone = true;
    if (call->peer_ended && !call->end_delivered && call->grpc->role == WEIR_H2_CLIENT)
        return; /* paused: what arrived is delivered first */
    decide_from_close(call, code, remote);
    end_call(call);
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static void on_goaway(weir_h2 *h2 WEIR_UNUSED, int32_t last_id WEIR_UNUSED,
                      uint32_t code WEIR_UNUSED, weir_str debug WEIR_UNUSED, void *user)
{
    weir_grpc *grpc = user;
    grpc->closed_to_new = true;
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static void on_settings(weir_h2 *h2 WEIR_UNUSED, void *user)
{
    weir_grpc *grpc = user;
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static const weir_h2_ops h2_ops = {
    .on_open = on_open,
    .on_header = weir__grpc_on_header,
    .on_headers_end = weir__grpc_on_headers_end,
    .on_data = weir__grpc_on_data,
    .on_end = weir__grpc_on_end,
    .on_close = on_close,
    .on_body = weir__grpc_on_body,
    .on_body_write = weir__grpc_on_body_write,
    .on_goaway = on_goaway,
    .on_settings = on_settings,
};

/* Connections. */

weir_err weir_grpc_new(weir_grpc **out, weir_h2_role role, const weir_grpc_ops *ops, void *user,
                       weir_pool *pool, weir_timers *timers, const weir_grpc_opts *opts)
{
    weir_grpc *grpc = weir_pool_get(pool, sizeof *grpc);
    if (!grpc)
        return WEIR_ENOMEM;
    memset(grpc, 0, sizeof *grpc);
    grpc->role = role;
    grpc->ops = ops;
    grpc->user = user;
    grpc->pool = pool;
    grpc->timers = timers;
    if (opts)
        grpc->opts = *opts;
    if (!grpc->opts.max_receive_bytes)
        grpc->opts.max_receive_bytes = DEFAULT_MAX_RECEIVE;
    if (!grpc->opts.max_send_bytes || grpc->opts.max_send_bytes > UINT32_MAX)
        grpc->opts.max_send_bytes = UINT32_MAX;
    if (!grpc->opts.send_high_water)
        grpc->opts.send_high_water = DEFAULT_HIGH_WATER;
    if (!grpc->opts.call_bytes)
        grpc->opts.call_bytes = DEFAULT_CALL_BYTES;
    weir_list_init(&grpc->calls);
    weir_list_init(&grpc->writable);
    weir_list_init(&grpc->settled);
    weir_err err = weir_h2_new(&grpc->h2, role, &h2_ops, grpc, pool, &grpc->opts.h2);
    if (err) {
        weir_pool_put(pool, grpc, sizeof *grpc);
        return err;
    }
    *out = grpc;
    return WEIR_OK;
}

void weir_grpc_free(weir_grpc *grpc, const char *why)
{
    if (!grpc)
        return;
    weir_h2_free(grpc->h2);
    grpc->h2 = NULL;
    grpc->closed_to_new = true;
    weir_list_splice(&grpc->calls, &grpc->settled);
    for (weir_list *node; (node = weir_list_pop(&grpc->calls));) {
        weir_grpc_call *call = WEIR_CONTAINER_OF(node, weir_grpc_call, node);
        call->reset = call->out_ended = true;
        weir_buf_clear(&call->held);
        weir__grpc_decide(call, WEIR_STATUS_UNAVAILABLE, weir_str_from(why));
        end_call(call);
    }
    weir_pool_put(grpc->pool, grpc, sizeof *grpc);
}

weir_err weir_grpc_feed(weir_grpc *grpc, weir_time now, const void *bytes, size_t len)
{
    return weir_h2_feed(grpc->h2, now, bytes, len);
}

/** Tells the calls that have drained; they may queue more. */
static void tell_writable(weir_grpc *grpc)
{
    for (weir_list *node; (node = weir_list_pop(&grpc->writable));) {
        weir_grpc_call *call = WEIR_CONTAINER_OF(node, weir_grpc_call, writable_node);
        if (!call->out_ended)
            grpc->ops->on_writable(call, grpc->user);
    }
}

/** Ends the calls that waited for their last messages to be taken. */
static void end_settled(weir_grpc *grpc)
{
    for (weir_list *node; (node = weir_list_pop(&grpc->settled));)
        end_call(WEIR_CONTAINER_OF(node, weir_grpc_call, node));
}

weir_err weir_grpc_pull(weir_grpc *grpc, weir_buf *out, size_t limit)
{
    do {
        end_settled(grpc);
        weir_err err = weir_h2_pull(grpc->h2, out, limit);
        if (err)
            return err;
        tell_writable(grpc);
    } while (weir_buf_len(out) < limit && weir_grpc_wants_pull(grpc));
    return WEIR_OK;
}

bool weir_grpc_wants_pull(const weir_grpc *grpc)
{
    return !weir_list_empty(&grpc->settled) || weir_h2_wants_pull(grpc->h2);
}

bool weir_grpc_is_over(const weir_grpc *grpc)
{
    bool no_more = grpc->closed_to_new && grpc->call_count == 0;
    return weir_h2_is_over(grpc->h2) || (no_more && !weir_grpc_wants_pull(grpc));
}

const char *weir_grpc_error(const weir_grpc *grpc)
{
    return weir_h2_error(grpc->h2);
}

bool weir_grpc_is_open(const weir_grpc *grpc)
{
    return !grpc->closed_to_new;
}

size_t weir_grpc_calls(const weir_grpc *grpc)
{
    return grpc->call_count;
}

void *weir_grpc_user(const weir_grpc *grpc)
{
    return grpc->user;
}

void weir_grpc_drain(weir_grpc *grpc)
{
    weir_h2_goaway_notice(grpc->h2);
}

void weir_grpc_drain_end(weir_grpc *grpc)
{
    if (grpc->closed_to_new)
        return;
    grpc->closed_to_new = true;
    weir_h2_goaway(grpc->h2, WEIR_H2_NO_ERROR, WEIR_STR("the server is shutting down"));
}

void weir_grpc_end_calls(weir_grpc *grpc, weir_status_code code, weir_str message)
{
    weir_list_each (node, next, &grpc->calls) {
        weir_grpc_call *call = WEIR_CONTAINER_OF(node, weir_grpc_call, node);
        if (!call->decided)
            weir__grpc_fail(call, code, "%.*s", WEIR_STR_ARGS(message));
        else if (!call->end_sent)
            weir__grpc_reset(call, WEIR_H2_CANCEL);
    }
}

/* Calls. */

weir_err weir_grpc_call_start(weir_grpc_call **out, weir_grpc *grpc, const weir_grpc_start *start)
{
    if (grpc->closed_to_new)
        return WEIR_ECLOSED;
    weir_grpc_call *call = call_new(grpc);
    if (!call)
        return WEIR_ENOMEM;
    call->owner = start->owner;
    call->deadline = start->deadline;
    weir_err err = weir__grpc_submit_request(call, start);
    if (err) {
        call_free(call);
        return err;
    }
    call->announced = true;
    arm_deadline(call);
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
    arm_deadline(call);
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
