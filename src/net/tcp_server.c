#include "tcp_server_impl.h"

#include "listen_socket.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void weir__tcp_server_unref(weir_tcp_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) > 1)
        return;
    weir__addr_counts_fini(&server->per_address);
    weir_tls_unref(server->opts.conn.tls);
    free(server);
}

void weir__tcp_server_join(weir_tcp_server *server)
{
    for (unsigned i = 0; i < server->serving_count; i++)
        weir_loop_thread_stop(server->servings[i].thread);
}

/* Starting */

static weir_err start_serving(weir__serving *serving, weir_tcp_server *server)
{
    serving->server = server;
    serving->group.on_left = weir__tcp_conn_left;
    weir_list_init(&serving->group.conns);
    if (server->opts.model == WEIR_TCP_SINGLE) {
        serving->loop = server->loop;
        return WEIR_OK;
    }
    weir_err err = weir_loop_thread_start(&serving->thread, &server->opts.loop);
    if (!err)
        serving->loop = weir_loop_thread_loop(serving->thread);
    return err;
}

static weir_err start_loops(weir_tcp_server *server, weir_why *why)
{
    for (unsigned i = 0; i < server->serving_count; i++) {
        weir_err err = start_serving(&server->servings[i], server);
        if (err)
            return weir_why_set(why, err, "cannot start serving thread %u: %s", i,
                                weir_err_text(err));
    }
    return WEIR_OK;
}

/** One accepting loop for all. */
static weir_err listen_for_all(weir_tcp_server *server, weir_why *why)
{
    weir_err err = weir_listener_open(&server->listener, server->loop, &server->addr,
                                      weir__tcp_accepted, server, &server->opts.listener, why);
    if (!err)
        server->addr = *weir_listener_addr(server->listener);
    return err;
}

/** In a serving loop. A loop that cannot listen gets no connections; the others do. */
static void listen_here(weir_task *task, weir_err err)
{
    weir__serving *serving = WEIR_CONTAINER_OF(task, weir__serving, listen);
    weir_listener_opts opts = {.fd = serving->fd};
    weir_why why = {""};
    if (err) {
        close(serving->fd);
        return;
    }
    err = weir_listener_open(&serving->listener, serving->loop, &serving->server->addr,
                             weir__tcp_accepted_here, serving, &opts, &why);
    if (err)
        WEIR_LOG_ERROR("%s", why.text);
}

/** A socket for each serving loop. All are bound before any accepts, so that one that cannot be
 * leaves nothing running. */
static weir_err listen_for_each(weir_tcp_server *server, weir_why *why)
{
    weir_listener_opts opts = server->opts.listener;
    weir_err err = WEIR_OK;
    unsigned count = 0;
    opts.reuse_port = true;
    while (!err && count < server->serving_count) {
        err = weir__listen_socket_open(&server->servings[count].fd, &server->addr, &opts);
        count += !err;
    }
    for (unsigned i = 0; err && i < count; i++)
        close(server->servings[i].fd);
    if (err) {
        char text[WEIR_ADDR_TEXT_MAX];
        return weir_why_set(why, err, "cannot listen on %s: %s",
                            weir_addr_text(&server->addr, text), weir_err_text(err));
    }
    for (unsigned i = 0; i < count; i++)
        weir_loop_post(server->servings[i].loop, &server->servings[i].listen, listen_here);
    return WEIR_OK;
}

static weir_err start_parts(weir_tcp_server *server, weir_why *why)
{
    weir_err err = start_loops(server, why);
    if (err)
        return err;
    return server->opts.model == WEIR_TCP_REUSEPORT ? listen_for_each(server, why)
                                                    : listen_for_all(server, why);
}

static weir_err check_model(const weir_tcp_server_opts *opts, const weir_addr *addr, weir_why *why)
{
    if (opts->model == WEIR_TCP_PREFORK)
        return weir_why_set(why, WEIR_ENOTSUP,
                            "processes are for weir_tcp_serve() or weir_prefork_run()");
    if (opts->model == WEIR_TCP_REUSEPORT && addr->storage.ss_family == AF_UNIX)
        return weir_why_set(why, WEIR_ENOTSUP, "a unix socket cannot be shared by several loops");
    return WEIR_OK;
}

static weir_tcp_server *make(weir_loop *loop, const weir_addr *addr, const weir_conn_ops *ops,
                             void *user, const weir_tcp_server_opts *opts)
{
    unsigned count = opts->model == WEIR_TCP_SINGLE ? 1
                     : opts->loops                  ? opts->loops
                                                    : weir_thread_cpus();
    weir_tcp_server *server = calloc(1, sizeof *server + count * sizeof server->servings[0]);
    if (!server)
        return NULL;
    server->loop = loop;
    server->ops = ops;
    server->user = user;
    server->opts = *opts;
    weir_tls_ref(opts->conn.tls);
    server->addr = *addr;
    server->serving_count = count;
    weir__addr_counts_init(&server->per_address);
    atomic_store(&server->refs, 1);
    return server;
}

weir_err weir_tcp_server_start(weir_tcp_server **out, weir_loop *loop, const char *addr,
                               const weir_conn_ops *ops, void *user,
                               const weir_tcp_server_opts *opts, weir_why *why)
{
    static const weir_tcp_server_opts defaults;
    weir_addr parsed;
    opts = opts ? opts : &defaults;
    weir_err err = weir_addr_parse(&parsed, addr, why);
    if (!err)
        err = check_model(opts, &parsed, why);
    if (err)
        return err;
    weir_tcp_server *server = make(loop, &parsed, ops, user, opts);
    if (!server)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    err = start_parts(server, why);
    if (err) {
        weir__tcp_server_join(server);
        weir__tcp_server_unref(server);
        return err;
    }
    *out = server;
    return WEIR_OK;
}

/* Looking at it */

const weir_addr *weir_tcp_server_addr(const weir_tcp_server *server)
{
    return &server->addr;
}

size_t weir_tcp_server_connections(const weir_tcp_server *server)
{
    return atomic_load(&server->connections);
}

weir_loop *weir_tcp_server_loop(const weir_tcp_server *server, unsigned index)
{
    return index < server->serving_count ? server->servings[index].loop : NULL;
}

/** A walk through the connections of every loop; the last one to finish frees it. */
typedef struct each {
    weir_tcp_server *server;
    weir_conn_each_fn fn;
    void *user;
    atomic_uint left;
    struct each_task {
        weir_task task;
        weir__serving *serving;
        struct each *each;
    } tasks[];
} each;

static void visit(weir_task *task, weir_err err)
{
    struct each_task *t = WEIR_CONTAINER_OF(task, struct each_task, task);
    each *e = t->each;
    if (!err) {
        weir_list_each (node, next, &t->serving->group.conns)
            e->fn(WEIR_CONTAINER_OF(node, weir_conn, node), e->user);
    }
    if (atomic_fetch_sub(&e->left, 1) == 1) {
        weir__tcp_server_unref(e->server);
        free(e);
    }
}

weir_err weir_tcp_server_each_post(weir_tcp_server *server, weir_conn_each_fn fn, void *user)
{
    each *e = malloc(sizeof *e + server->serving_count * sizeof e->tasks[0]);
    if (!e)
        return WEIR_ENOMEM;
    e->server = server;
    e->fn = fn;
    e->user = user;
    atomic_init(&e->left, server->serving_count);
    atomic_fetch_add(&server->refs, 1);
    for (unsigned i = 0; i < server->serving_count; i++) {
        struct each_task *t = &e->tasks[i];
        t->serving = &server->servings[i];
        t->each = e;
    }
    /* After the last of these `e` may be gone. */
    for (unsigned i = 0, count = server->serving_count; i < count; i++)
        weir_loop_post(server->servings[i].loop, &e->tasks[i].task, visit);
    return WEIR_OK;
}
