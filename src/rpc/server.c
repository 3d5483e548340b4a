/* A server's life: services, start, connections, graceful stop. */
#include <stdlib.h>

#include "server_impl.h"

enum {
    DEFAULT_HIGH_WATER = 64 << 10
};

/* Between the first GOAWAY and the second, so that calls on their way are still taken. */
#define DRAIN_NOTICE_US      WEIR_MILLISECONDS(100)
#define DEFAULT_DRAIN_US     WEIR_SECONDS(10)
#define DEFAULT_HANDSHAKE_US WEIR_SECONDS(20)
/* What is left of connections after their calls were ended. */
#define CLOSE_GRACE_US WEIR_SECONDS(1)

weir_server *weir_server_new(const weir_server_opts *opts)
{
    weir_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    if (opts)
        server->opts = *opts;
    if (!server->opts.drain_us)
        server->opts.drain_us = DEFAULT_DRAIN_US;
    if (!server->opts.handshake_us)
        server->opts.handshake_us = DEFAULT_HANDSHAKE_US;
    server->grpc = (weir_grpc_opts){
        .h2 = {.max_streams = server->opts.max_streams,
               .stream_window = server->opts.stream_window,
               .header_list_bytes = server->opts.header_list_bytes},
        .max_receive_bytes = server->opts.max_receive_bytes,
        .max_send_bytes = server->opts.max_send_bytes,
        .send_high_water = server->opts.send_high_water,
        .call_bytes = server->opts.call_bytes,
        .max_call_us = server->opts.max_call_us,
    };
    if (!server->grpc.send_high_water)
        server->grpc.send_high_water = DEFAULT_HIGH_WATER;
    weir_list_init(&server->services);
    weir_list_init(&server->parts);
    return server;
}

void weir_server_free(weir_server *server)
{
    if (!server)
        return;
    if (server->running)
        WEIR_BUG("weir_server_free() on a running server; call weir_server_stop() and wait for "
                 "its callback");
    for (weir_list *node; (node = weir_list_pop(&server->services));)
        free(WEIR_CONTAINER_OF(node, weir__served, node));
    weir__routes_free(&server->routes);
    for (weir_list *node; (node = weir_list_pop(&server->parts));) {
        weir_server_part *part = WEIR_CONTAINER_OF(node, weir_server_part, node);
        if (part->on_free)
            part->on_free(part);
    }
    free(server);
}

weir_err weir_server_add(weir_server *server, const weir_service *service,
                         const weir_handler *handlers, const void *methods, void *user)
{
    if (server->running)
        return WEIR_ESTATE;
    weir_list_each (node, next, &server->services) {
        const weir__served *other = WEIR_CONTAINER_OF(node, weir__served, node);
        if (strcmp(other->service->name, service->name) == 0)
            return WEIR_EEXIST;
    }
    weir__served *served = calloc(1, sizeof *served);
    if (!served)
        return WEIR_ENOMEM;
    served->service = service;
    served->handlers = handlers;
    served->methods = methods;
    served->user = user;
    weir_list_append(&server->services, &served->node);
    return WEIR_OK;
}

const weir_service *weir_server_service(const weir_server *server, size_t index)
{
    weir_list_each (node, next, &server->services) {
        if (index-- == 0)
            return WEIR_CONTAINER_OF(node, weir__served, node)->service;
    }
    return NULL;
}

void weir_server_attach(weir_server *server, weir_server_part *part)
{
    weir_list_append(&server->parts, &part->node);
}

weir_err weir_server_intercept(weir_server *server, const weir_interceptor *interceptor, void *user)
{
    return server->running ? WEIR_ESTATE : weir__chain_add(&server->chain, interceptor, user);
}

/* Connections. */

static void finish_stop(void *user)
{
    weir_server *server = user;
    server->running = false;
    server->tcp = NULL;
    if (server->done)
        server->done(server->done_user);
}

static void on_idle(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir_server *server = WEIR_CONTAINER_OF(task, weir_server, idle);
    weir_loop_cancel(server->loop, &server->drain);
    weir_tcp_server_stop(server->tcp, CLOSE_GRACE_US, finish_stop, server);
}

/** The accepting loop goes on with the stop, once. */
static void post_idle(weir_server *server)
{
    if (!atomic_exchange(&server->idle_posted, true))
        weir_loop_post(server->loop, &server->idle, on_idle);
}

static void link_down(weir__link *link, weir_err why WEIR_UNUSED)
{
    weir_server *server = link->owner;
    if (atomic_fetch_sub(&server->connections, 1) == 1 && atomic_load(&server->stopping))
        post_idle(server);
}

/** Who does not send even the SETTINGS does not keep a connection. */
static void on_silence(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, handshake)->conn, WEIR_ETIMEDOUT);
}

static void link_room(weir__link *link)
{
    weir_loop_cancel(weir_conn_loop(link->conn), &link->handshake);
}

static const weir__link_ops link_ops = {
    .request = weir__server_request, .room = link_room, .down = link_down};

static void drain_end(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__link *link = WEIR_CONTAINER_OF(timer, weir__link, drain);
    weir_grpc_drain_end(link->grpc);
    weir__link_wake(link);
}

static void drain_link(weir__link *link)
{
    weir_grpc_drain(link->grpc, WEIR_STR("the server is shutting down"));
    weir__link_wake(link);
    weir_loop_after(weir_conn_loop(link->conn), &link->drain, DRAIN_NOTICE_US, drain_end, NULL);
}

static void conn_up(weir_conn *conn, void *user)
{
    weir_server *server = user;
    weir__link *link;
    weir_err err = weir__link_new(&link, conn, WEIR_H2_SERVER, &link_ops, server, &server->grpc);
    if (err) {
        weir_conn_abort(conn, err);
        return;
    }
    atomic_fetch_add(&server->connections, 1);
    weir_loop_after(weir_conn_loop(conn), &link->handshake, server->opts.handshake_us, on_silence,
                    NULL);
    if (atomic_load(&server->stopping))
        drain_link(link);
}

static const weir_conn_ops conn_ops = {
    .on_up = conn_up,
    .on_message = weir__link_on_message,
    .on_flush = weir__link_on_flush,
    .on_down = weir__link_on_down,
};

/* Start and stop. */

weir_err weir_server_start(weir_server *server, weir_loop *loop, const char *addr, weir_why *why)
{
    if (server->running)
        return weir_why_set(why, WEIR_ESTATE, "the server is running already");
    weir__routes_free(&server->routes);
    weir_err err = weir__routes_build(&server->routes, &server->services);
    if (err)
        return weir_why_set(why, err, "%s", weir_err_text(err));
    weir_tcp_server_opts opts = {
        .loops = server->opts.loops,
        .model = server->opts.single_loop ? WEIR_TCP_SINGLE : WEIR_TCP_MULTI,
        .max_connections = server->opts.max_connections,
        .loop.poller = server->opts.poller,
    };
    err = weir_tcp_server_start(&server->tcp, loop, addr, &conn_ops, server, &opts, why);
    if (err)
        return err;
    server->loop = loop;
    server->addr = *weir_tcp_server_addr(server->tcp);
    server->running = true;
    atomic_store(&server->stopping, false);
    atomic_store(&server->idle_posted, false);
    return WEIR_OK;
}

const weir_addr *weir_server_addr(const weir_server *server)
{
    return &server->addr;
}

void weir_server_get_stats(const weir_server *server, weir_server_stats *out)
{
    *out = (weir_server_stats){
        .connections = atomic_load(&server->connections),
        .calls = atomic_load(&server->calls),
        .calls_total = atomic_load(&server->calls_total),
        .calls_failed = atomic_load(&server->calls_failed),
    };
}

static void drain_conn(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (link)
        drain_link(link);
}

static void end_conn(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (!link)
        return;
    weir_grpc_drain_end(link->grpc);
    weir_grpc_end_calls(link->grpc, WEIR_STATUS_UNAVAILABLE,
                        WEIR_STR("the server is shutting down"));
    weir__link_wake(link);
}

static void on_drain_timeout(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_server *server = WEIR_CONTAINER_OF(timer, weir_server, drain);
    if (weir_tcp_server_each_post(server->tcp, end_conn, NULL))
        WEIR_LOG_WARN("out of memory: connections are closed without a status");
    post_idle(server);
}

void weir_server_stop(weir_server *server, void (*done)(void *user), void *user)
{
    weir_loop_assert(server->loop);
    if (atomic_exchange(&server->stopping, true))
        return;
    server->done = done;
    server->done_user = user;
    weir_list_each (node, next, &server->parts) {
        weir_server_part *part = WEIR_CONTAINER_OF(node, weir_server_part, node);
        if (part->on_stop)
            part->on_stop(part);
    }
    weir_tcp_server_pause(server->tcp);
    weir_loop_after(server->loop, &server->drain, server->opts.drain_us, on_drain_timeout, NULL);
    if (weir_tcp_server_each_post(server->tcp, drain_conn, NULL))
        WEIR_LOG_WARN("out of memory: clients are not told of the shutdown");
    if (atomic_load(&server->connections) == 0)
        post_idle(server);
}
