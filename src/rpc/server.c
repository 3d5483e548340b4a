/* A server's life: services, start, graceful stop. */
#include <stdlib.h>
#include <weir/base/thread.h>

#include "server_impl.h"

enum {
    DEFAULT_HIGH_WATER = 64 << 10,
    DEFAULT_PING_STRIKES = 2,
    WORKERS_PER_CPU = 4 /* they wait, mostly */
};

#define DEFAULT_DRAIN_US             WEIR_SECONDS(10)
#define DEFAULT_HANDSHAKE_US         WEIR_SECONDS(20)
#define DEFAULT_KEEPALIVE_US         WEIR_SECONDS(7200)
#define DEFAULT_KEEPALIVE_TIMEOUT_US WEIR_SECONDS(20)
#define DEFAULT_MIN_PING_US          WEIR_SECONDS(300)
/* What is left of connections after their calls were ended. */
#define CLOSE_GRACE_US WEIR_SECONDS(1)

/** @return what 0 means, or 0 for a negative number */
static int64_t or_default(int64_t value_us, int64_t default_us)
{
    return value_us == 0 ? default_us : value_us > 0 ? value_us : 0;
}

static void set_keepalive(weir_server *server)
{
    const weir_server_opts *opts = &server->opts;
    server->keepalive = (weir__keepalive_opts){
        .time_us = or_default(opts->keepalive_us, DEFAULT_KEEPALIVE_US),
        .timeout_us = or_default(opts->keepalive_timeout_us, DEFAULT_KEEPALIVE_TIMEOUT_US),
        .without_calls = true,
        .min_ping_us = or_default(opts->min_ping_interval_us, DEFAULT_MIN_PING_US),
        .pings_without_calls = opts->permit_pings_without_calls,
        .strikes = opts->max_ping_strikes ? opts->max_ping_strikes : DEFAULT_PING_STRIKES,
    };
}

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
               .connection_window = server->opts.connection_window,
               .header_list_bytes = server->opts.header_list_bytes},
        .max_receive_bytes = server->opts.max_receive_bytes,
        .max_send_bytes = server->opts.max_send_bytes,
        .send_high_water = server->opts.send_high_water,
        .call_bytes = server->opts.call_bytes,
        .max_call_us = server->opts.max_call_us,
        .call_idle_us = server->opts.call_idle_us,
        .compression = server->opts.compression,
    };
    weir_tls_ref(server->opts.tls);
    set_keepalive(server);
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
    weir_tls_unref(server->opts.tls);
    weir__announcement_free(server->announcement);
    free(server->counters);
    free(server);
}

/** A method has callbacks or a function that blocks. */
static bool each_served_once(const weir_service *service, const weir_handler *handlers,
                             const void *methods)
{
    for (size_t i = 0; i < service->method_count; i++) {
        if (handlers[i].blocks && handlers[i].blocks(methods) && handlers[i].present(methods))
            return false;
    }
    return true;
}

weir_err weir_server_add(weir_server *server, const weir_service *service,
                         const weir_handler *handlers, const void *methods, void *user)
{
    if (server->running)
        return WEIR_ESTATE;
    if (!each_served_once(service, handlers, methods))
        return WEIR_EINVAL;
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
    weir__entity_hide(&server->entity);
    weir__entity_hide(&server->listener);
    weir__blocking_pool_close(&server->blocking);
    server->running = false;
    if (server->announcement)
        weir__announcement_stop(server->announcement);
    if (server->done)
        server->done(server->done_user);
}

/** Connections are gone, but handlers that block may still use what the program gave them. */
static void wait_for_handlers(void *user)
{
    weir_server *server = user;
    server->tcp = NULL;
    weir__blocking_pool_leave(&server->blocking, finish_stop, server);
}

static void on_idle(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir_server *server = WEIR_CONTAINER_OF(task, weir_server, idle);
    weir_loop_cancel(server->loop, &server->drain);
    weir_tcp_server_stop(server->tcp, CLOSE_GRACE_US, wait_for_handlers, server);
}

static void post_idle(weir_server *server)
{
    if (!atomic_exchange(&server->idle_posted, true))
        weir_loop_post(server->loop, &server->idle, on_idle);
}

void weir__server_release(weir_server *server)
{
    if (atomic_fetch_sub(&server->holds, 1) == 1 && atomic_load(&server->stopping))
        post_idle(server);
}

/* Start and stop. */

/** Anew for each start: those of the last one end with it. */
static weir_err make_counters(weir_server *server)
{
    unsigned loops = server->opts.loops ? server->opts.loops : weir_thread_cpus();
    server->loops = server->opts.single_loop ? 1 : loops;
    free(server->counters);
    server->counters = aligned_alloc(WEIR_CACHE_LINE, server->loops * sizeof server->counters[0]);
    if (!server->counters)
        return WEIR_ENOMEM;
    memset(server->counters, 0, server->loops * sizeof server->counters[0]);
    for (unsigned i = 0; i < server->loops; i++)
        server->counters[i].server = server;
    return WEIR_OK;
}

static weir_err open_workers(weir_server *server, weir_loop *loop)
{
    unsigned threads = server->opts.workers;
    weir_workers_opts opts = {.threads = threads ? threads : WORKERS_PER_CPU * weir_thread_cpus(),
                              .queue_max = server->opts.workers_queue};
    return weir__blocking_pool_open(&server->blocking, loop, &server->grpc, &opts);
}

/** What one start needs. */
static weir_err prepare(weir_server *server, weir_loop *loop)
{
    bool blocks;
    weir__routes_free(&server->routes);
    weir_err err =
        weir__routes_build(&server->routes, &server->services, &server->blocking, &blocks);
    if (!err)
        err = make_counters(server);
    return !err && blocks ? open_workers(server, loop) : err;
}

/** To those who inspect the process. */
static void show(weir_server *server)
{
    char text[WEIR_ADDR_TEXT_MAX];
    weir_addr_text(&server->addr, text);
    for (unsigned i = 0; i < server->loops; i++)
        server->counters[i].loop = weir_loop_number(weir_tcp_server_loop(server->tcp, i));
    weir__entity_log(&server->entity, WEIR_INSPECT_INFO, 0, "listening on %s", text);
    weir__entity_show(&server->entity, text);
    weir__entity_show(&server->listener, text);
}

weir_err weir_server_start(weir_server *server, weir_loop *loop, const char *addr, weir_why *why)
{
    if (server->running)
        return weir_why_set(why, WEIR_ESTATE, "the server is running already");
    weir_err err = prepare(server, loop);
    if (err)
        return weir_why_set(why, err, "%s", weir_err_text(err));
    if (server->announcement)
        err = weir__announcement_open(server->announcement, loop, addr, why);
    if (err) {
        weir__blocking_pool_close(&server->blocking);
        return err;
    }
    weir__entity_init(&server->entity, WEIR_INSPECT_SERVER);
    weir__entity_init(&server->listener, WEIR_INSPECT_LISTENER);
    weir_tcp_server_opts opts = {
        .loops = server->loops,
        .model = server->opts.single_loop ? WEIR_TCP_SINGLE : WEIR_TCP_MULTI,
        .max_connections = server->opts.max_connections,
        .conn = {.tls = server->opts.tls, .tls_alpn = "h2"},
        .loop.poller = server->opts.poller,
        .listener.reuse_port = server->opts.reuse_port,
    };
    err =
        weir_tcp_server_start(&server->tcp, loop, addr, &weir__server_conn_ops, server, &opts, why);
    if (err) {
        if (server->announcement)
            weir__announcement_stop(server->announcement);
        weir__blocking_pool_close(&server->blocking);
        return err;
    }
    server->loop = loop;
    server->addr = *weir_tcp_server_addr(server->tcp);
    server->running = true;
    atomic_store(&server->stopping, false);
    atomic_store(&server->idle_posted, false);
    server->withdrawing = false;
    show(server);
    if (server->announcement)
        weir__announcement_start(server->announcement);
    return WEIR_OK;
}

const weir_addr *weir_server_addr(const weir_server *server)
{
    return &server->addr;
}

void weir_server_get_stats(const weir_server *server, weir_server_stats *out)
{
    *out = (weir_server_stats){.connections = atomic_load(&server->connections)};
    uint64_t ended = 0;
    for (unsigned i = 0; server->counters && i < server->loops; i++) {
        const weir__counters *c = &server->counters[i].calls;
        ended += atomic_load_explicit(&c->ended, memory_order_acquire);
        out->calls_failed += atomic_load_explicit(&c->failed, memory_order_relaxed);
        out->calls_total += atomic_load_explicit(&c->started, memory_order_relaxed);
    }
    out->calls = out->calls_total - ended;
}

static void drain_conn(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (link)
        weir__server_drain_link(link, WEIR__SHUTTING_DOWN);
}

static void end_conn(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir__link *link = weir_conn_data(conn);
    if (link)
        weir__server_end_link(link, WEIR__SHUTTING_DOWN);
}

static void on_drain_timeout(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_server *server = WEIR_CONTAINER_OF(timer, weir_server, drain);
    if (weir_tcp_server_each_post(server->tcp, end_conn, NULL))
        WEIR_LOG_WARN("out of memory: connections are closed without a status");
    post_idle(server);
}

static void on_settled(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir__server_release(WEIR_CONTAINER_OF(task, weir__loop_counters, settled)->server);
}

/** Waits until each serving loop has come upon what was handed to it before now. */
static void settle(weir_server *server)
{
    atomic_fetch_add(&server->holds, server->loops);
    for (unsigned i = 0; i < server->loops; i++)
        weir_loop_post(weir_tcp_server_loop(server->tcp, i), &server->counters[i].settled,
                       on_settled);
}

static void drain(weir_server *server)
{
    atomic_store(&server->stopping, true);
    weir__entity_log(&server->entity, WEIR_INSPECT_INFO, 0, "stopping");
    weir_list_each (node, next, &server->parts) {
        weir_server_part *part = WEIR_CONTAINER_OF(node, weir_server_part, node);
        if (part->on_stop)
            part->on_stop(part);
    }
    weir_tcp_server_pause(server->tcp);
    weir_loop_after(server->loop, &server->drain, server->opts.drain_us, on_drain_timeout, NULL);
    if (weir_tcp_server_each_post(server->tcp, drain_conn, NULL))
        WEIR_LOG_WARN("out of memory: clients are not told of the shutdown");
    settle(server);
}

void weir_server_stop(weir_server *server, void (*done)(void *user), void *user)
{
    weir_loop_assert(server->loop);
    if (atomic_load(&server->stopping) || server->withdrawing)
        return;
    server->done = done;
    server->done_user = user;
    if (!server->announcement) {
        drain(server);
        return;
    }
    server->withdrawing = true; /* who still finds it is served meanwhile */
    weir__announcement_withdraw(server->announcement, drain);
}
