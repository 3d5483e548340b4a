/* A call at a server: from the engine's events to the user's handler. */
#include <stdio.h>

#include "intercept.h"
#include "parent.h"
#include "server_impl.h"

typedef struct server_call {
    weir_call call;
    weir_server *server;
    const weir__route *route;
    const void *request; /* the one, once it has come */
    bool has_request;    /* it has come, though perhaps only as bytes */
    bool opened;         /* the handler knows the call */
    bool half_closed;    /* while it was held */
} server_call;

static server_call *of(weir_call *call)
{
    return WEIR_CONTAINER_OF(call, server_call, call);
}

static bool has_ended(weir_call *call)
{
    return weir_grpc_call_has_ended(call->wire);
}

static weir_err add_header(weir_call *call, weir_str key, weir_str value)
{
    return weir_grpc_add_header(call->wire, key, value);
}

static weir_metadata *edit_metadata(weir_call *call)
{
    return weir_grpc_call_edit_metadata(call->wire);
}

static bool is_secure(weir_call *call)
{
    return weir_conn_tls(call->link->conn) != NULL;
}

static weir_err finish(weir_call *call, const weir_status *status)
{
    weir_status said = *status;
    if (call->chain && !has_ended(call))
        weir__intercept_finish(call, &said);
    weir__link_wake(call->link);
    return weir_grpc_finish(call->wire, &said);
}

/** @return the message for the handler; NULL: none */
static const void *read_message(weir_call *call, weir_str bytes, weir_arena *arena)
{
    void *message = NULL;
    if (!weir__call_decode(call, bytes, arena, 0, &message))
        return NULL;
    return weir__call_sees_received(call) ? weir__intercept_received(call, message) : message;
}

/** For a handler that decodes elsewhere. */
static void pass_bytes(server_call *sc, weir_str bytes)
{
    const weir__route *route = sc->route;
    weir_payload *other = NULL;
    sc->has_request =
        !weir__call_sees_received(&sc->call) || weir__intercept_bytes(&sc->call, &bytes, &other);
    if (sc->has_request)
        route->handler->bytes(&sc->call, bytes, route->methods, route->user);
    weir_payload_unref(other);
}

static void on_message(weir_call *call, weir_str bytes)
{
    server_call *sc = of(call);
    const weir__route *route = sc->route;
    if (route->handler->bytes) {
        pass_bytes(sc, bytes);
        return;
    }
    if (!weir__client_streams(route->method)) {
        sc->request = read_message(call, bytes, call->arena);
        sc->has_request = sc->request != NULL;
        return;
    }
    weir_arena *scratch = &call->link->scratch;
    const void *message = read_message(call, bytes, scratch);
    if (message)
        route->handler->message(call, message, route->methods, route->user);
    weir_arena_reset(scratch);
}

static void on_half_close(weir_call *call)
{
    server_call *sc = of(call);
    const weir__route *route = sc->route;
    if (call->held) {
        sc->half_closed = true;
    } else if (!weir__client_streams(route->method) && !sc->has_request) {
        weir_call_fail(call, WEIR_STATUS_INTERNAL, "an interceptor dropped the request");
    } else if (sc->opened) {
        route->handler->half_closed(call, route->methods, route->user);
    } else {
        sc->opened = true;
        route->handler->open(call, sc->request, route->methods, route->user);
    }
}

/** The interceptors have let it through. */
static void enter(server_call *sc)
{
    const weir__route *route = sc->route;
    if (!weir__client_streams(route->method) && !route->handler->bytes)
        return; /* the handler learns of it with its request */
    sc->opened = true;
    route->handler->open(&sc->call, NULL, route->methods, route->user);
}

static void proceed(weir_call *call)
{
    server_call *sc = of(call);
    if (has_ended(call) || !weir__intercept_open(call))
        return;
    enter(sc);
    weir_call_resume(call);
    if (sc->half_closed)
        on_half_close(call);
}

static void on_writable(weir_call *call)
{
    const weir__route *route = of(call)->route;
    if (of(call)->opened)
        route->handler->writable(call, route->methods, route->user);
}

static void on_close(weir_call *call, const weir_status *status)
{
    server_call *sc = of(call);
    const weir__route *route = sc->route;
    weir__call_unregister(call); /* who hears of the end posts in vain */
    if (sc->opened)
        route->handler->closed(call, status, route->methods, route->user);
    if (call->chain)
        weir__intercept_closed(call, status);
    if (route->handler == &weir__blocking_handler)
        weir__blocking_release(call);
    weir__count_ended(call->link->counters, status->code);
    weir__children_cancel(call);
}

bool weir_call_after_handler(weir_call *call, weir_call_after *after)
{
    return call->ops->is_server && of(call)->route->handler == &weir__blocking_handler &&
           call->half && weir__blocking_after(call->half, after);
}

/* A server's call has a connection from its first moment. */

static weir_err no_connection(weir_call *call WEIR_UNUSED)
{
    return WEIR_ECLOSED;
}

static void nothing(weir_call *call WEIR_UNUSED) {}

static weir_err no_send(weir_call *call WEIR_UNUSED, weir_payload *payload WEIR_UNUSED,
                        weir_buf_release_fn release WEIR_UNUSED, void *user WEIR_UNUSED)
{
    return WEIR_ECLOSED;
}

static const weir__call_ops server_call_ops = {
    .headers = nothing,
    .message = on_message,
    .half_close = on_half_close,
    .writable = on_writable,
    .close = on_close,
    .add_header = add_header,
    .edit_metadata = edit_metadata,
    .is_secure = is_secure,
    .finish = finish,
    .has_ended = has_ended,
    .proceed = proceed,
    .is_server = true,
    .wait_writable = no_connection,
    .half_close_early = no_connection,
    .cancel_early = nothing,
    .send_early = no_send,
};

static void refuse(weir_grpc_call *wire, weir_status_code code, const char *what, weir_str detail)
{
    char text[200];
    snprintf(text, sizeof text, "%s %.*s", what, detail.len < 150 ? (int)detail.len : 150,
             detail.ptr);
    weir_grpc_end_call(wire, code, text);
}

static void unknown_method(weir_server *server, weir_grpc_call *wire)
{
    weir_str path = weir_grpc_call_path(wire);
    const char *slash = path.len > 1 ? memchr(path.ptr + 1, '/', path.len - 1) : NULL;
    weir_str service = slash ? weir_str_of(path.ptr + 1, (size_t)(slash - path.ptr) - 1) : path;
    weir_list_each (node, next, &server->services) {
        const weir__served *served = WEIR_CONTAINER_OF(node, weir__served, node);
        if (weir_str_eq(weir_str_from(served->service->name), service)) {
            refuse(wire, WEIR_STATUS_UNIMPLEMENTED, "unknown method", path);
            return;
        }
    }
    refuse(wire, WEIR_STATUS_UNIMPLEMENTED, "unknown service", service);
}

static weir_err start_call(weir__link *link, weir_grpc_call *wire, const weir__route *route,
                           server_call **out)
{
    weir_server *server = link->owner;
    weir_arena *arena = weir_grpc_call_arena(wire);
    server_call *sc = weir_arena_zalloc(arena, sizeof *sc);
    if (!sc)
        return WEIR_ENOMEM;
    sc->server = server;
    sc->route = route;
    sc->call.ops = &server_call_ops;
    sc->call.loop = weir_conn_loop(link->conn);
    sc->call.link = link;
    sc->call.wire = wire;
    sc->call.method = route->method;
    sc->call.sends = route->method->reply;
    sc->call.receives = route->method->request;
    sc->call.deadline = weir_grpc_call_deadline(wire);
    sc->call.arena = arena;
    sc->call.chain = server->chain.count ? &server->chain : NULL;
    weir_err err = weir__call_register(&sc->call, (uint32_t)server->grpc.send_high_water);
    if (!err)
        *out = sc;
    return err;
}

void weir__server_request(weir__link *link, weir_grpc_call *wire)
{
    weir_server *server = link->owner;
    const weir__route *route = weir__routes_find(&server->routes, weir_grpc_call_path(wire));
    if (!route || !route->handler->present(route->methods)) {
        unknown_method(server, wire);
        return;
    }
    server_call *sc = NULL;
    if (start_call(link, wire, route, &sc)) {
        refuse(wire, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for",
               weir_grpc_call_path(wire));
        return;
    }
    weir_grpc_call_set_owner(wire, &sc->call);
    weir__count_started(link->counters, weir_loop_now(sc->call.loop));
    if (!weir__client_streams(route->method))
        weir_grpc_expect_one(wire);
    if (weir__intercept_open(&sc->call))
        enter(sc);
}
