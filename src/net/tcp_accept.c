/* From an accepted descriptor to a connection in its loop. */
#include "tcp_server_impl.h"

#include <stdlib.h>
#include <unistd.h>

/* Limits */

static bool admit(weir_tcp_server *server, const weir_addr *peer)
{
    size_t max = server->opts.max_connections, before = atomic_fetch_add(&server->connections, 1);
    unsigned each = server->opts.max_per_address;
    if ((max == 0 || before < max) &&
        (each == 0 || !weir__addr_counts_add(&server->per_address, peer, each)))
        return true;
    atomic_fetch_sub(&server->connections, 1);
    return false;
}

static void dismiss(weir__serving *serving, const weir_addr *peer)
{
    weir_tcp_server *server = serving->server;
    if (server->opts.max_per_address > 0)
        weir__addr_counts_remove(&server->per_address, peer);
    atomic_fetch_sub(&serving->connections, 1);
    atomic_fetch_sub(&server->connections, 1);
}

void weir__tcp_conn_left(weir__conn_group *group, const weir_addr *peer)
{
    weir__serving *serving = WEIR_CONTAINER_OF(group, weir__serving, group);
    dismiss(serving, peer);
    weir__serving_check_drained(serving);
}

/* In the loop that serves */

static void serve(weir__serving *serving, int fd, const weir_addr *peer)
{
    weir_tcp_server *server = serving->server;
    weir_conn *conn;
    weir_err err = weir__conn_open_take(&conn, serving->loop, fd, peer, server->ops, server->user,
                                        &server->opts.conn, &serving->group);
    if (err) {
        WEIR_LOG_WARN("a connection was dropped: %s", weir_err_text(err));
        dismiss(serving, peer);
    }
}

void weir__tcp_accepted_here(weir_listener *listener WEIR_UNUSED, int fd, const weir_addr *peer,
                             void *user)
{
    weir__serving *serving = user;
    if (!admit(serving->server, peer)) {
        close(fd);
        return;
    }
    atomic_fetch_add(&serving->connections, 1);
    serve(serving, fd, peer);
}

/* From the accepting loop to it */

/** A connection on its way. */
typedef struct handover {
    weir_task task;
    weir__serving *serving;
    int fd;
    weir_addr peer;
} handover;

static void take_over(weir_task *task, weir_err err)
{
    handover *h = WEIR_CONTAINER_OF(task, handover, task);
    if (err)
        close(h->fd);
    else
        serve(h->serving, h->fd, &h->peer);
    free(h);
}

static void hand_over(weir__serving *serving, int fd, const weir_addr *peer)
{
    handover *h = malloc(sizeof *h);
    if (!h) {
        close(fd);
        dismiss(serving, peer);
        return;
    }
    h->serving = serving;
    h->fd = fd;
    h->peer = *peer;
    weir_loop_post(serving->loop, &h->task, take_over);
}

static weir__serving *least_connected(weir_tcp_server *server)
{
    weir__serving *best = &server->servings[0];
    for (unsigned i = 1; i < server->serving_count; i++)
        if (atomic_load(&server->servings[i].connections) < atomic_load(&best->connections))
            best = &server->servings[i];
    return best;
}

static weir__serving *choose(weir_tcp_server *server, const weir_addr *peer)
{
    if (server->opts.handoff == WEIR_HANDOFF_LEAST_CONNECTIONS)
        return least_connected(server);
    if (server->opts.handoff == WEIR_HANDOFF_BY_ADDRESS)
        return &server->servings[weir__addr_hash(peer) % server->serving_count];
    weir__serving *serving = &server->servings[server->next];
    server->next = (server->next + 1) % server->serving_count;
    return serving;
}

void weir__tcp_accepted(weir_listener *listener WEIR_UNUSED, int fd, const weir_addr *peer,
                        void *user)
{
    weir_tcp_server *server = user;
    if (!admit(server, peer)) {
        close(fd);
        return;
    }
    weir__serving *serving = choose(server, peer);
    atomic_fetch_add(&serving->connections, 1);
    if (serving->thread)
        hand_over(serving, fd, peer);
    else
        serve(serving, fd, peer);
}
