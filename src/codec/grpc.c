/* Connections: from the events of HTTP/2 to calls, and their end. */
#include "grpc_impl.h"

enum {
    DEFAULT_MAX_RECEIVE = 4 << 20,
    DEFAULT_HIGH_WATER = 64 << 10,
    DEFAULT_CALL_BYTES = 16 << 20
};

/* A client that has not answered the PING of a drain by then has nothing on its way. */
#define DRAIN_NOTICE_US WEIR_SECONDS(5)

/* A client's deadline and ours differ by what the network and two timers take. */
#define DEADLINE_SLACK_US WEIR_MILLISECONDS(20)

enum {
    PING_ALIVE = 1, /* what our PINGs carry */
    PING_DRAIN = 2
};

void weir__grpc_wake(weir_grpc *grpc)
{
    if (grpc->ops->on_wake)
        grpc->ops->on_wake(grpc, grpc->user);
}

/* Events of the HTTP/2 layer. */

static void *on_open(weir_h2 *h2 WEIR_UNUSED, int32_t id, void *user)
{
    weir_grpc_call *call = weir__grpc_call_new(user);
    if (!call)
        return NULL;
    call->id = id;
    weir__grpc_count_stream(user);
    return call;
}

/** Both ends time a call, and whichever is first resets the stream: the other calls that what it
 * is. */
static bool is_about_due(const weir_grpc_call *call)
{
    weir_time soon = weir_time_add(weir_timers_now(call->grpc->timers), DEADLINE_SLACK_US);
    return weir_time_before(call->deadline, soon);
}

/** How a call that nothing else decided ends when its stream is closed. */
static void decide_from_close(weir_grpc_call *call, uint32_t code, bool remote)
{
    bool server = call->grpc->role == WEIR_H2_SERVER;
    if (remote && is_about_due(call) && (server || code == WEIR_H2_CANCEL)) {
        weir__grpc_decide(call, WEIR_STATUS_DEADLINE_EXCEEDED, WEIR_STR("deadline exceeded"));
        return;
    }
    if (server) {
        weir__grpc_decide(call, WEIR_STATUS_CANCELLED,
                          remote && code == WEIR_H2_CANCEL ? WEIR_STR("cancelled by the client")
                                                           : WEIR_STR("the stream was reset"));
        return;
    }
    weir__grpc_decide_text(call, weir_status_from_h2(code), "stream reset by the %s: %s",
                           remote ? "server" : "client's protocol check", weir_h2_code_name(code));
}

static void on_close(weir_h2 *h2, void *stream, uint32_t code, bool remote, void *user)
{
    weir_grpc *grpc = user;
    weir_grpc_call *call = stream;
    call->stream_gone = true;
    if (code == WEIR_H2_REFUSED_STREAM && !call->reset && call->http_status == 0)
        call->fate = weir_h2_is_sent(h2, call->id) ? WEIR_GRPC_REFUSED : WEIR_GRPC_UNSENT;
    if (call->peer_ended && !call->end_delivered && call->grpc->role == WEIR_H2_CLIENT)
        return; /* paused: what arrived is delivered first */
    decide_from_close(call, code, remote);
    weir__grpc_end_call(call);
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static void on_goaway(weir_h2 *h2 WEIR_UNUSED, int32_t last_id WEIR_UNUSED, uint32_t code,
                      weir_str debug, void *user)
{
    weir_grpc *grpc = user;
    grpc->closed_to_new = true;
    if (grpc->ops->on_goaway)
        grpc->ops->on_goaway(grpc, code, debug, grpc->user);
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static void on_settings(weir_h2 *h2 WEIR_UNUSED, void *user)
{
    weir_grpc *grpc = user;
    if (grpc->ops->on_room)
        grpc->ops->on_room(grpc, grpc->user);
}

static void on_ping(weir_h2 *h2 WEIR_UNUSED, void *user)
{
    weir_grpc *grpc = user;
    if (grpc->ops->on_ping)
        grpc->ops->on_ping(grpc, grpc->user);
}

static void on_ping_ack(weir_h2 *h2 WEIR_UNUSED, uint64_t opaque, void *user)
{
    weir_grpc *grpc = user;
    if (opaque == PING_DRAIN)
        weir_grpc_drain_end(grpc);
    else if (grpc->ops->on_ping_ack)
        grpc->ops->on_ping_ack(grpc, grpc->user);
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
    .on_ping_ack = on_ping_ack,
    .on_ping = on_ping,
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
    weir_timers_cancel(grpc->timers, &grpc->drain);
    weir_list_each (node, next, &grpc->calls) {
        weir_grpc_call *call = WEIR_CONTAINER_OF(node, weir_grpc_call, node);
        if (grpc->role == WEIR_H2_CLIENT && !weir_h2_is_sent(grpc->h2, call->id))
            call->fate = WEIR_GRPC_UNSENT;
    }
    weir_h2_free(grpc->h2);
    grpc->h2 = NULL;
    grpc->closed_to_new = true;
    weir_list_splice(&grpc->calls, &grpc->settled);
    for (weir_list *node; (node = weir_list_pop(&grpc->calls));) {
        weir_grpc_call *call = WEIR_CONTAINER_OF(node, weir_grpc_call, node);
        call->reset = call->out_ended = true;
        weir_buf_clear(&call->held);
        weir__grpc_decide(call, WEIR_STATUS_UNAVAILABLE, weir_str_from(why));
        weir__grpc_end_call(call);
    }
    weir_compressors_free(grpc->own_compressors);
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
        weir__grpc_end_call(WEIR_CONTAINER_OF(node, weir_grpc_call, node));
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

const weir_grpc_traffic *weir_grpc_get_traffic(const weir_grpc *grpc)
{
    return &grpc->traffic;
}

size_t weir_grpc_send_window(const weir_grpc *grpc)
{
    return weir_h2_send_window(grpc->h2);
}

size_t weir_grpc_receive_window(const weir_grpc *grpc)
{
    return weir_h2_receive_window(grpc->h2);
}

void *weir_grpc_user(const weir_grpc *grpc)
{
    return grpc->user;
}

static void on_drain_silence(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_grpc *grpc = WEIR_CONTAINER_OF(timer, weir_grpc, drain);
    weir_grpc_drain_end(grpc);
    weir__grpc_wake(grpc);
}

void weir_grpc_drain(weir_grpc *grpc, const char *reason)
{
    if (grpc->closed_to_new || weir_timer_pending(&grpc->drain))
        return;
    grpc->reason = reason;
    weir_h2_goaway_notice(grpc->h2, reason, PING_DRAIN);
    weir_timers_add(grpc->timers, &grpc->drain,
                    weir_time_add(weir_timers_now(grpc->timers), DRAIN_NOTICE_US), on_drain_silence,
                    NULL);
}

void weir_grpc_drain_end(weir_grpc *grpc)
{
    weir_timers_cancel(grpc->timers, &grpc->drain);
    weir_grpc_goaway(grpc, WEIR_H2_NO_ERROR, weir_str_from(grpc->reason ? grpc->reason : ""));
}

void weir_grpc_goaway(weir_grpc *grpc, uint32_t code, weir_str reason)
{
    if (grpc->closed_to_new)
        return;
    grpc->closed_to_new = true;
    weir_h2_goaway(grpc->h2, code, reason);
}

void weir_grpc_ping(weir_grpc *grpc)
{
    weir_h2_ping(grpc->h2, PING_ALIVE);
}

bool weir_grpc_take_sent(weir_grpc *grpc)
{
    return weir_h2_take_sent(grpc->h2);
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
