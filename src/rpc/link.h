/**
 * @file
 * A gRPC engine on a connection: bytes from the one to the other, output at the end of the turn.
 * Servers and channels have one per connection.
 */
#ifndef WEIR_RPC_LINK_H
#define WEIR_RPC_LINK_H

#include <weir/codec/grpc.h>
#include <weir/net/conn.h>

#include "inspect_impl.h"
#include "keepalive.h"

typedef struct weir__link weir__link;

typedef struct weir__link_ops {
    /** Server: a request begins. NULL at a client. */
    void (*request)(weir__link *link, weir_grpc_call *wire);
    /** The peer's SETTINGS have come, or a stream has ended: see weir_grpc_ops.on_room. */
    void (*room)(weir__link *link);
    /** The peer is going away. May be NULL. */
    void (*goaway)(weir__link *link, uint32_t code, weir_str debug);
    /** The connection is gone and so are its calls; `why` of the link is a sentence. The link is
     * freed when it returns. */
    void (*down)(weir__link *link, weir_err why);
} weir__link_ops;

struct weir__link {
    const weir__link_ops *ops;
    void *owner; /* server or channel */
    weir_conn *conn;
    weir_grpc *grpc;
    weir_arena scratch; /* messages of streams, during their callback */
    weir_list node;     /* the owner's */
    weir_timer silence; /* the owner's: until the peer's SETTINGS; then a server's, for idleness */
    weir_timer age;     /* the owner's: how old it may become, or how long it may take to close */
    weir_time used;     /* the last call's end */
    void *counters;     /* a server's, of this loop */
    weir__keepalive alive;
    weir__socket socket;
    const char *why; /* why this end has cut it off, or NULL; in `down` why it ended */
    weir_str said;   /* what the peer's GOAWAY said, in the pool */
    bool greeted;    /* the peer's SETTINGS have come */
    bool ending;     /* close when the output is flushed */
};

/* Callbacks for the connection of a link, which weir_conn_data() names; without one they do
 * nothing. */

void weir__link_on_message(weir_conn *conn, weir_buf *in, void *user);
void weir__link_on_flush(weir_conn *conn, weir_buf *out, void *user);
void weir__link_on_down(weir_conn *conn, weir_err why, void *user);

/** Puts an engine on `conn`. @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__link_new(weir__link **out, weir_conn *conn, weir_h2_role role,
                                        const weir__link_ops *ops, void *owner,
                                        const weir_grpc_opts *opts);

/** There is output for the end of this turn. */
static inline void weir__link_wake(weir__link *link)
{
    weir_conn_schedule(link->conn);
}

/** Closes once everything has been said and sent. */
void weir__link_close(weir__link *link);
/** Ends the connection now. @param why  static; for the status of its calls */
void weir__link_abort(weir__link *link, weir_err err, const char *why);

#endif
