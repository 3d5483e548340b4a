/**
 * @file
 * The inside of a connection, for the layer's other files.
 *
 * conn.c opens and ends it and holds what the owner calls, conn_io.c moves the bytes, conn_tls.c
 * seals them, conn_post.c is for other threads. Everything that a turn asks for happens in one
 * piece of end-of-turn work, weir__conn_turn(), and so does the end: until then the memory is
 * valid, so that a connection may be closed in any callback.
 */
#ifndef WEIR_NET_CONN_IMPL_H
#define WEIR_NET_CONN_IMPL_H

#include <netinet/in.h>
#include <weir/net/conn.h>
#include <weir/net/watcher.h>

#include "tls_engine.h"

/** Connections that somebody wants to reach all together; one loop's. */
typedef struct weir__conn_group weir__conn_group;
struct weir__conn_group {
    weir_list conns;
    /* The TLS handshake has failed: instead of on_down. NULL: a client's on_down comes, a server's
     * does not. */
    void (*on_failed)(weir__conn_group *group, weir_err err, const char *why);
    /* After a connection's on_down, when its memory is gone. */
    void (*on_left)(weir__conn_group *group, const weir_addr *peer);
};

/** What a connection with TLS has beside. */
typedef struct weir__conn_tls {
    weir__tls_engine *engine;
    weir_buf sealed;     /* output for the kernel */
    size_t budget;       /* bytes that may still be read of the socket now */
    weir_err socket_err; /* of reading */
    weir_tls_info *info; /* NULL: nobody has asked */
    weir_why *why;       /* of the end; NULL: none, or no memory */
    bool server;
    bool up;      /* the handshake is done */
    bool pending; /* the engine may have input though the socket has none */
    bool ended;   /* close_notify is written */
} weir__conn_tls;

struct weir_conn {
    /* What each message touches comes first and lies together. */
    weir_watcher watcher;
    weir_deferred turn;
    const weir_conn_ops *ops;
    void *user;
    void *data;
    weir_buf in;
    weir_buf out;
    weir__conn_tls *tls; /* NULL: none */
    weir_time active;    /* when a byte last went either way */
    uint32_t high_water;
    uint32_t read_max;
    uint32_t charged; /* of `out`, counted in the slot for other threads to see */
    weir_err why;     /* of the end */
    weir_codec codec;

    bool ended;          /* on_down and the end of the memory are all that follows */
    bool paused;         /* by the owner */
    bool read_ended;     /* the peer's direction */
    bool write_ended;    /* ours */
    bool shutdown_asked; /* once the output is flushed */
    bool close_asked;    /* once the output is flushed; input is thrown away */
    bool flush_asked;    /* on_flush */
    bool message_asked;  /* on_message for what was left over before a pause */
    bool blocked;        /* the kernel takes no more now */
    bool unblocked;      /* but has room again: the rest goes out before on_flush */
    bool written;        /* something, since on_written */
    bool over_high;      /* on_high_water was called */
    bool posted;         /* by another thread since the output was last low */
    bool read_long;      /* the last read was full: the next one asks for more */
    bool readable;       /* edge-triggered: not read to the end yet */
    bool hangup;         /* edge-triggered: that end is the stream's */
    bool throttle;       /* see weir_conn_opts */
    bool handshaking;    /* of TLS: on_up is still to come */
    bool lingering;      /* our direction is closed, and what the peer still sends is thrown away */

    weir_codec_state found; /* how far `in` was looked at */
    weir_timer idle;
    weir_list node;          /* in the group, or the loop */
    weir__conn_group *group; /* NULL: none */
    weir_conn_id id;
    int64_t idle_us;
    uint32_t linger_ms;
    uint32_t close_ms;
    struct sockaddr_in6 peer; /* or a sockaddr_in; a unix socket's is asked of the kernel */
};

/** weir_conn_open_take() into `group`, which may be NULL. */
weir_err weir__conn_open_take(weir_conn **out, weir_loop *loop, int fd, const weir_addr *peer,
                              const weir_conn_ops *ops, void *user, const weir_conn_opts *opts,
                              weir__conn_group *group);

/** Ends it; on_down(why) comes at the end of the turn. Repeatable: the first reason stays. */
void weir__conn_end(weir_conn *conn, weir_err why);

/** End-of-turn work until the connection has ended. */
void weir__conn_turn(weir_conn *conn);
/** All of that work now; the connection may be gone then. */
void weir__conn_turn_now(weir_conn *conn);
/** The watcher's callback. */
void weir__conn_ready(weir_watcher *watcher, unsigned events, void *user);
/** Whether its owner lets it read. */
static inline bool weir__conn_reads(const weir_conn *conn)
{
    return conn->handshaking || (!conn->paused && !conn->read_ended &&
                                 !(conn->throttle && conn->over_high && !conn->close_asked));
}

/** The poller is told what the connection waits for now. */
void weir__conn_rewatch(weir_conn *conn, unsigned events);
static inline void weir__conn_watch(weir_conn *conn)
{
    unsigned events =
        (weir__conn_reads(conn) ? WEIR_READABLE : 0u) | (conn->blocked ? WEIR_WRITABLE : 0u);
    if (events != conn->watcher.events && !conn->watcher.edge) /* an edge says everything anyway */
        weir__conn_rewatch(conn, events);
}
/** Reads on where an edge-triggered poller says nothing again. */
void weir__conn_read_on(weir_conn *conn);
/** Bytes that the kernel has not taken. */
static inline size_t weir__conn_unsent(const weir_conn *conn)
{
    size_t len = weir_buf_len(&conn->out);
    return WEIR_LIKELY(!conn->tls) ? len : len + weir_buf_len(&conn->tls->sealed);
}
/** The clock of opts.idle_us begins, if it was set. */
void weir__conn_start_idle(weir_conn *conn);
/** Ends it when the peer has not, `linger_us` from now. */
void weir__conn_start_linger(weir_conn *conn);

/** Takes a slot and its id. @errors WEIR_EFULL, WEIR_ENOMEM */
weir_err weir__conn_enrol(weir_conn *conn);
/** The id names nothing from now on. Repeatable. */
void weir__conn_expel(weir_conn *conn);
/** Lets other threads see how much output waits. @return whether one of them had been refused and
 * may go on */
bool weir__conn_publish_unsent(weir_conn *conn);
/** The same where nothing has changed as a rule. */
static inline bool weir__conn_publish_changes(weir_conn *conn)
{
    return (weir__conn_unsent(conn) != conn->charged || conn->posted) &&
           weir__conn_publish_unsent(conn);
}

static inline void weir__conn_touch(weir_conn *conn)
{
    conn->active = weir_loop_now(conn->watcher.loop);
}

#endif
