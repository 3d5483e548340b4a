/**
 * @file
 * The inside of a TCP server: tcp_server.c starts it and shows it, tcp_accept.c admits connections
 * and gives each to a loop, tcp_stop.c ends it.
 */
#ifndef WEIR_NET_TCP_SERVER_IMPL_H
#define WEIR_NET_TCP_SERVER_IMPL_H

#include "addr_counts.h"
#include "conn_impl.h"

#include <stdatomic.h>
#include <weir/net/tcp_server.h>

enum {
    WEIR__STOPS = 2 /* that may follow a first one, each with a shorter grace */
};

typedef struct weir__serving weir__serving;

/** The first stop was not the last. */
typedef struct weir__shorter_stop {
    weir_task task;
    weir__serving *serving;
} weir__shorter_stop;

/** One serving loop's part. */
struct weir__serving {
    /* before start */
    weir_tcp_server *server;
    weir_loop_thread *thread; /* NULL: the accepting loop serves */
    weir_loop *loop;
    int fd; /* listening, until the loop has it; WEIR_TCP_REUSEPORT */

    /* its loop */
    weir_listener *listener; /* WEIR_TCP_REUSEPORT, until it is paused */
    weir__conn_group group;
    weir_timer grace;
    bool stopping;
    bool drained; /* and has said so */

    /* in flight from the accepting loop and back */
    weir_task listen;
    weir_task pause;
    weir_task stop;
    weir__shorter_stop shorter[WEIR__STOPS];
    weir_task report;

    /* any thread */
    atomic_size_t connections;
};

struct weir_tcp_server {
    /* before start */
    weir_loop *loop; /* accepts */
    const weir_conn_ops *ops;
    void *user;
    weir_tcp_server_opts opts;
    weir_addr addr;

    /* accepting loop */
    weir_listener *listener; /* NULL: paused, or the serving loops have theirs */
    unsigned next;           /* serving loop */
    unsigned draining;       /* serving loops with connections, while stopping */
    bool paused;
    bool stopping;
    unsigned shortened; /* stops after the first */
    void (*done)(void *user);
    void *done_user;

    /* any thread */
    atomic_size_t connections;
    weir__addr_counts per_address;
    atomic_uint refs; /* the server's own life, and tasks that look at it */
    _Atomic int64_t grace_us;
    atomic_bool leaving; /* connections may go on for the grace */

    unsigned serving_count;
    weir__serving servings[];
};

void weir__tcp_server_unref(weir_tcp_server *server);
/** Joins the serving threads. */
void weir__tcp_server_join(weir_tcp_server *server);

/** The listener's callback that gives connections to the serving loops; `user` is the server. */
void weir__tcp_accepted(weir_listener *listener, int fd, const weir_addr *peer, void *user);
/** The listener's callback in a serving loop; `user` is the weir__serving. */
void weir__tcp_accepted_here(weir_listener *listener, int fd, const weir_addr *peer, void *user);
/** A connection that was admitted has gone. */
void weir__tcp_conn_left(weir__conn_group *group, const weir_addr *peer);

/** Called in the serving loop when a connection has gone. */
void weir__serving_check_drained(weir__serving *serving);

#endif
