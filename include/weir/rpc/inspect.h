/**
 * @file
 * What the servers, channels and connections of this process are doing: the numbers and recent
 * events behind channelz (gRPC proposal A14). weir_channelz_serve() shows them to tools; a program
 * may read them for pages and metrics of its own.
 *
 * Things have ids, which are positive, never name something else later, and are unique among all
 * kinds. A channel has a subchannel for each backend, which has the connections; a server has one
 * listener, and connections. A server is there from the end of weir_server_start() to the end of
 * its stop.
 *
 * What is asked costs what is asked for; what is counted without being asked is plain memory of
 * the connection or of the loop.
 */
#ifndef WEIR_RPC_INSPECT_H
#define WEIR_RPC_INSPECT_H

#include <weir/codec/grpc.h>
#include <weir/net/conn.h>
#include <weir/rpc/channel.h>

WEIR_BEGIN_DECLS

/** The most that one question is answered with. */
#define WEIR_INSPECT_PAGE 100

typedef enum weir_inspect_kind {
    WEIR_INSPECT_CHANNEL,
    WEIR_INSPECT_SUBCHANNEL,
    WEIR_INSPECT_SERVER,
    WEIR_INSPECT_LISTENER
} weir_inspect_kind;

/** The numbers are those of ChannelTraceEvent.Severity. */
typedef enum weir_inspect_severity {
    WEIR_INSPECT_INFO = 1,
    WEIR_INSPECT_WARNING = 2,
    WEIR_INSPECT_ERROR = 3
} weir_inspect_severity;

/** Something that has happened to a channel, subchannel or server. */
typedef struct weir_inspect_event {
    weir_wall at;
    weir_inspect_severity severity;
    weir_str text;       /**< "READY", "cannot connect to ..." */
    uint64_t subchannel; /**< that it is about; 0: none */
} weir_inspect_event;

/** Calls since the beginning; those that run are started and nothing else yet. */
typedef struct weir_inspect_calls {
    uint64_t started;
    uint64_t succeeded; /**< with OK */
    uint64_t failed;    /**< with any other status */
    weir_wall last;     /**< when one was last started; 0: never */
} weir_inspect_calls;

/** A channel, subchannel, server or listener. */
typedef struct weir_inspect_entity {
    weir_inspect_kind kind;
    uint64_t id;
    weir_str name; /**< a channel's target, a server's address */
    weir_wall created;
    weir_connectivity state;          /**< of a channel or subchannel */
    weir_inspect_calls calls;         /**< of all but a listener */
    const weir_inspect_event *events; /**< the last few, oldest first */
    size_t event_count;
    uint64_t events_logged;   /**< with those that are forgotten */
    uint64_t child;           /**< a channel's first subchannel, a server's listener; 0: none */
    const uint64_t *children; /**< a channel's subchannels, at most WEIR_INSPECT_PAGE of them */
    size_t child_count;
    weir_addr addr; /**< of a listener */
} weir_inspect_entity;

typedef struct weir_inspect_entities {
    const weir_inspect_entity *items; /**< by ascending id */
    size_t len;
    bool end; /**< there are no more now */
} weir_inspect_entities;

/**
 * Those of a kind.
 * @param first  from this id on; the next page begins behind the last id of this one
 * @param max    0 or more than WEIR_INSPECT_PAGE: that many
 * @param mem    everything in `out` lives here
 * @thread any; short
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_inspect_list(weir_inspect_kind kind, uint64_t first,
                                                    size_t max, weir_arena *mem,
                                                    weir_inspect_entities *out);

/** One of them. @thread any; short @errors WEIR_ENOENT: no such thing now. WEIR_ENOMEM. */
WEIR_API WEIR_MUST_CHECK weir_err weir_inspect_find(weir_inspect_kind kind, uint64_t id,
                                                    weir_arena *mem, weir_inspect_entity *out);

/* Connections live in loops, which have to be asked; so the answer comes later. */

typedef struct weir_inspect_ref {
    uint64_t id;
    char name[WEIR_ADDR_TEXT_MAX]; /**< the peer's address */
} weir_inspect_ref;

/**
 * @param err   WEIR_OK or WEIR_ENOMEM, with `count` 0
 * @param refs  by ascending id; good during this function
 * @param end   there are no more now
 */
typedef void (*weir_inspect_refs_fn)(weir_err err, const weir_inspect_ref *refs, size_t count,
                                     bool end, void *user);

/**
 * The connections of a server or subchannel.
 * @param first, max  as of weir_inspect_list()
 * @param fn     comes once after WEIR_OK: in a thread of weir's, or inside this function; a loop
 *               that does not turn delays it
 * @thread any
 * @errors WEIR_ENOENT: no such server or subchannel now. WEIR_EFULL: 64 such questions wait for an
 *         answer. WEIR_ENOMEM. `fn` does not come then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_inspect_sockets_post(uint64_t owner, uint64_t first,
                                                            size_t max, weir_inspect_refs_fn fn,
                                                            void *user);

/** A connection. */
typedef struct weir_inspect_socket {
    uint64_t id;
    uint64_t owner; /**< server or subchannel */
    bool is_server;
    weir_grpc_traffic traffic;                       /**< its points in time are below */
    weir_wall last_stream, last_sent, last_received; /**< 0: never */
    uint64_t keepalives_sent;
    size_t send_window;    /**< bytes that the peer takes now, on all streams together */
    size_t receive_window; /**< bytes that the peer may send now, on all streams together */
    weir_addr local;
    weir_addr peer;
    weir_conn *conn; /**< for what else can be asked of it, during `fn` */
} weir_inspect_socket;

/** In the connection's loop. @param socket  good during this function; NULL: it is gone */
typedef void (*weir_inspect_socket_fn)(const weir_inspect_socket *socket, void *user);

/**
 * One connection.
 * @param fn  comes once after WEIR_OK, in the connection's loop, or in another thread when that
 *            ends
 * @thread any
 * @errors WEIR_ENOENT: no such connection now. WEIR_EFULL: 1000 such questions wait for an answer.
 *         WEIR_ENOMEM. `fn` does not come then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_inspect_socket_post(uint64_t id, weir_inspect_socket_fn fn,
                                                           void *user);

WEIR_END_DECLS

#endif
