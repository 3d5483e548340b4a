#include "tcp_server_impl.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Handing connections to their loops */

/** A connection on its way to its loop. */
typedef struct handoff {
    weir_task task;
    weir__serving *serving;
    int fd;
    weir_addr peer;
} handoff;

static void conn_left(weir__conn_group *group)
{
    weir__serving *serving = WEIR_CONTAINER_OF(group, weir__serving, group);
    atomic_fetch_sub(&serving->server->connections, 1);
    weir__serving_check_drained(serving);
}

static void serve(weir__serving *serving, int fd, const weir_addr *peer)
{
    weir_tcp_server *server = serving->server;
    weir_conn *conn;
    weir_err err = weir__conn_open_take(&conn, serving->loop, fd, peer, server->ops, server->user,
                                        &server->opts.conn, &serving->group);
    if (err) {
        WEIR_LOG_WARN("a connection was dropped: %s", weir_err_text(err));
        conn_left(&serving->group);
    }
}

static void take_over(weir_task *task, weir_err err)
{
    handoff *h = WEIR_CONTAINER_OF(task, handoff, task);
    if (err)
        close(h->fd);
    else
        serve(h->serving, h->fd, &h->peer);
    free(h);
}

static void hand_over(weir__serving *serving, int fd, const weir_addr *peer)
{
    handoff *h = malloc(sizeof *h);
    if (!h) {
        close(fd);
        atomic_fetch_sub(&serving->server->connections, 1);
        return;
    }
    h->serving = serving;
    h->fd = fd;
    h->peer = *peer;
    weir_loop_post(serving->loop, &h->task, take_over);
}

static void accepted(weir_listener *listener WEIR_UNUSED, int fd, const weir_addr *peer, void *user)
{
    weir_tcp_server *server = user;
    size_t max = server->opts.max_connections;
    if (max > 0 && atomic_load(&server->connections) >= max) {
        close(fd);
        return;
    }
    weir__serving *serving = &server->servings[server->next];
    server->next = (server->next + 1) % server->serving_count;
    atomic_fetch_add(&server->connections, 1);
    if (serving->thread)
        hand_over(serving, fd, peer);
    else
        serve(serving, fd, peer);
}

/* Starting */

static unsigned cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}

void weir__tcp_server_unref(weir_tcp_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) == 1)
        free(server);
}

void weir__tcp_server_join(weir_tcp_server *server)
{
    for (unsigned i = 0; i < server->serving_count; i++)
        weir_loop_thread_stop(server->servings[i].thread);
}

static weir_err start_serving(weir__serving *serving, weir_tcp_server *server)
{
    serving->server = server;
    serving->group.on_left = conn_left;
    weir_list_init(&serving->group.conns);
    if (server->opts.single_loop) {
        serving->loop = server->loop;
        return WEIR_OK;
    }
    weir_err err = weir_loop_thread_start(&serving->thread, &server->opts.loop);
    if (!err)
        serving->loop = weir_loop_thread_loop(serving->thread);
    return err;
}

static weir_err start_parts(weir_tcp_server *server, weir_why *why)
{
    for (unsigned i = 0; i < server->serving_count; i++) {
        weir_err err = start_serving(&server->servings[i], server);
        if (err)
            return weir_why_set(why, err, "cannot start serving thread %u: %s", i,
                                weir_err_text(err));
    }
    weir_err err = weir_listener_open(&server->listener, server->loop, &server->addr, accepted,
                                      server, &server->opts.listener, why);
    if (!err)
        server->addr = *weir_listener_addr(server->listener);
    return err;
}

weir_err weir_tcp_server_start(weir_tcp_server **out, weir_loop *loop, const char *addr,
                               const weir_conn_ops *ops, void *user,
                               const weir_tcp_server_opts *opts, weir_why *why)
{
    static const weir_tcp_server_opts defaults;
    weir_addr parsed;
    weir_err err = weir_addr_parse(&parsed, addr, why);
    if (err)
        return err;
    opts = opts ? opts : &defaults;
    unsigned count = opts->single_loop ? 1 : opts->loops ? opts->loops : cpu_count();
    weir_tcp_server *server = calloc(1, sizeof *server + count * sizeof server->servings[0]);
    if (!server)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    server->loop = loop;
    server->ops = ops;
    server->user = user;
    server->opts = *opts;
    server->addr = parsed;
    server->serving_count = count;
    atomic_store(&server->refs, 1);
    err = start_parts(server, why);
    if (err) {
        weir__tcp_server_join(server);
        free(server);
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
