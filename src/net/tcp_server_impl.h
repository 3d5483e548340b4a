/**
 * @file
 * The inside of a TCP server: tcp_server.c starts it and hands connections out, tcp_stop.c ends it.
 */
#ifndef WEIR_NET_TCP_SERVER_IMPL_H
#define WEIR_NET_TCP_SERVER_IMPL_H

#include "conn_impl.h"

#include <stdatomic.h>
#include <weir/net/tcp_server.h>

/** One serving loop's part. */
typedef struct weir__serving {
    /* before start */
    weir_tcp_server *server;
    weir_loop_thread *thread; /* NULL: the accepting loop serves */
    weir_loop *loop;

    /* its loop */
    weir__conn_group group;
    weir_timer grace;
    bool stopping;
    bool drained; /* and has said so */

    /* in flight from the accepting loop and back */
    weir_task stop;
    weir_task shorten;
    weir_task report;
} weir__serving;

struct weir_tcp_server {
    /* before start */
    weir_loop *loop; /* accepts */
    const weir_conn_ops *ops;
    void *user;
    weir_tcp_server_opts opts;
    weir_addr addr;

    /* accepting loop */
    weir_listener *listener; /* NULL: paused */
    unsigned next;           /* serving loop */
    unsigned draining;       /* serving loops with connections, while stopping */
    bool stopping;
    bool shortened; /* stop was called again */
    void (*done)(void *user);
    void *done_user;

    /* any thread */
    atomic_size_t connections;
    atomic_uint refs; /* the server's own life, and tasks that look at it */
    _Atomic int64_t grace_us;

    unsigned serving_count;
    weir__serving servings[];
};

void weir__tcp_server_unref(weir_tcp_server *server);
/** Joins the serving threads. */
void weir__tcp_server_join(weir_tcp_server *server);
/** Called in the serving loop when a connection has gone. */
void weir__serving_check_drained(weir__serving *serving);

#endif
