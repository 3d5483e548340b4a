#include "link.h"

#include <stdio.h>

#include "call_impl.h"

/* Output that is waiting for the kernel: beyond it, messages stay in their calls, where the
 * high-water marks see them. */
enum {
    OUTPUT_BYTES = 64 << 10,
    REASON_BYTES = 200,
    SAID_BYTES = 200 /* of a GOAWAY's text */
};

/* Events of the engine: to the call that owns them. */

static void on_request(weir_grpc_call *wire, void *user)
{
    weir__link *link = user;
    link->ops->request(link, wire);
}

static void on_headers(weir_grpc_call *wire, void *user WEIR_UNUSED)
{
    weir_call *call = weir_grpc_call_owner(wire);
    if (call)
        call->ops->headers(call);
}

static void on_message(weir_grpc_call *wire, weir_str bytes, void *user WEIR_UNUSED)
{
    weir_call *call = weir_grpc_call_owner(wire);
    if (call)
        call->ops->message(call, bytes);
}

static void on_half_close(weir_grpc_call *wire, void *user WEIR_UNUSED)
{
    weir_call *call = weir_grpc_call_owner(wire);
    if (call)
        call->ops->half_close(call);
}

static void on_writable(weir_grpc_call *wire, void *user WEIR_UNUSED)
{
    weir_call *call = weir_grpc_call_owner(wire);
    if (call)
        call->ops->writable(call);
}

static void on_close(weir_grpc_call *wire, const weir_status *status, void *user WEIR_UNUSED)
{
    weir_call *call = weir_grpc_call_owner(wire);
    if (call)
        call->ops->close(call, status);
}

static void on_room(weir_grpc *grpc WEIR_UNUSED, void *user)
{
    weir__link *link = user;
    if (link->grpc)
        link->ops->room(link);
}

static void on_wake(weir_grpc *grpc WEIR_UNUSED, void *user)
{
    weir__link_wake(user);
}

/** What it said helps to understand why the connection ends then. */
static void on_goaway(weir_grpc *grpc WEIR_UNUSED, uint32_t code, weir_str debug, void *user)
{
    weir__link *link = user;
    size_t len = debug.len < SAID_BYTES ? debug.len : SAID_BYTES;
    char *copy = len > 0 && !link->said.ptr
                     ? weir_pool_get(weir_loop_pool(weir_conn_loop(link->conn)), len)
                     : NULL;
    if (copy) {
        memcpy(copy, debug.ptr, len);
        link->said = weir_str_of(copy, len);
    }
    if (link->ops->goaway)
        link->ops->goaway(link, code, debug);
}

static void on_ping(weir_grpc *grpc WEIR_UNUSED, void *user)
{
    weir__keepalive_pinged(user);
}

static void on_ping_ack(weir_grpc *grpc WEIR_UNUSED, void *user)
{
    weir__keepalive_answered(user);
}

static const weir_grpc_ops grpc_ops = {
    .on_request = on_request,
    .on_headers = on_headers,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_room = on_room,
    .on_wake = on_wake,
    .on_goaway = on_goaway,
    .on_ping = on_ping,
    .on_ping_ack = on_ping_ack,
};

weir_err weir__link_new(weir__link **out, weir_conn *conn, weir_h2_role role,
                        const weir__link_ops *ops, void *owner, const weir_grpc_opts *opts)
{
    weir_loop *loop = weir_conn_loop(conn);
    weir_pool *pool = weir_loop_pool(loop);
    weir__link *link = weir_pool_get(pool, sizeof *link);
    if (!link)
        return WEIR_ENOMEM;
    memset(link, 0, sizeof *link);
    link->ops = ops;
    link->owner = owner;
    link->conn = conn;
    weir_arena_init(&link->scratch, pool, 0);
    weir_grpc_opts own = *opts;
    own.compressors = weir_loop_compressors(loop);
    weir_err err =
        weir_grpc_new(&link->grpc, role, &grpc_ops, link, pool, weir_loop_timers(loop), &own);
    if (err) {
        weir_pool_put(pool, link, sizeof *link);
        return err;
    }
    weir_conn_set_data(conn, link);
    weir__link_wake(link);
    *out = link;
    return WEIR_OK;
}

void weir__link_close(weir__link *link)
{
    link->ending = true;
    weir__link_wake(link);
}

void weir__link_abort(weir__link *link, weir_err err, const char *why)
{
    link->why = why;
    weir_conn_abort(link->conn, err);
}

/* Events of the connection. */

/** The engine has given up on the peer: its last frames are sent, then the connection closes. */
static void end_with_error(weir__link *link)
{
    char peer[WEIR_ADDR_TEXT_MAX];
    if (!link->ending)
        WEIR_LOG_INFO("%s: closing: %s", weir_conn_peer_text(link->conn, peer),
                      weir_grpc_error(link->grpc));
    link->ending = true;
}

void weir__link_on_message(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (!link)
        return;
    weir_time now = weir_loop_now(weir_conn_loop(conn));
    link->alive.heard = now;
    while (!link->ending && weir_buf_len(in) > 0) {
        weir_str front = weir_buf_front(in);
        if (weir_grpc_feed(link->grpc, now, front.ptr, front.len))
            end_with_error(link);
        weir_buf_retrieve(in, front.len);
    }
    if (link->ending)
        weir_buf_clear(in);
    weir_arena_reset(&link->scratch);
    weir__link_wake(link);
}

void weir__link_on_flush(weir_conn *conn, weir_buf *out, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (!link)
        return;
    weir_err err = weir_grpc_pull(link->grpc, out, OUTPUT_BYTES);
    if (err == WEIR_EPROTO)
        end_with_error(link);
    if (err && err != WEIR_EPROTO)
        weir_conn_abort(conn, err);
    else if (link->ending || weir_grpc_is_over(link->grpc))
        weir_conn_close(conn);
    else if (weir_grpc_wants_pull(link->grpc))
        weir_conn_schedule(conn);
}

/** Why it ends: what we, the engine, or the connection have to say. */
static void find_reason(const weir__link *link, weir_err why, char out[REASON_BYTES])
{
    const char *wrong = weir_grpc_error(link->grpc);
    const char *reason = link->why ? link->why
                         : *wrong  ? wrong
                         : why     ? weir_conn_why(link->conn)
                                   : "closed by the peer";
    snprintf(out, REASON_BYTES, "%s", reason);
}

/** For the status of the calls that it takes along. */
static void explain_end(const weir__link *link, const char *reason, char *out, size_t size)
{
    char peer[WEIR_ADDR_TEXT_MAX];
    snprintf(out, size, "the connection to %s ended: %s%s%.*s",
             weir_conn_peer_text(link->conn, peer), reason,
             link->said.len > 0 ? "; it had said: " : "", WEIR_STR_ARGS(link->said));
}

void weir__link_on_down(weir_conn *conn, weir_err why, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (!link)
        return;
    weir_loop *loop = weir_conn_loop(conn);
    char reason[REASON_BYTES], text[WEIR_ADDR_TEXT_MAX + SAID_BYTES + REASON_BYTES];
    find_reason(link, why, reason);
    explain_end(link, reason, text, sizeof text);
    weir_conn_set_data(conn, NULL);
    weir__socket_remove(link);
    weir__keepalive_stop(link);
    weir_loop_cancel(loop, &link->silence);
    weir_loop_cancel(loop, &link->age);
    weir_grpc *grpc = link->grpc;
    link->grpc = NULL;
    weir_grpc_free(grpc, text);
    link->why = reason;
    link->ops->down(link, why);
    weir_arena_fini(&link->scratch);
    if (link->said.len > 0)
        weir_pool_put(weir_loop_pool(loop), (void *)(uintptr_t)link->said.ptr, link->said.len);
    weir_pool_put(weir_loop_pool(loop), link, sizeof *link);
}
