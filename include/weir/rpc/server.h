/**
 * @file
 * gRPC server: services on a TCP server. Every connection lives in one loop, and so do its calls.
 */
#ifndef WEIR_RPC_SERVER_H
#define WEIR_RPC_SERVER_H

#include <weir/net/addr.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>
#include <weir/rpc/call.h>

WEIR_BEGIN_DECLS

/** A zeroed field means the default written beside it. */
typedef struct weir_server_opts {
    unsigned loops;          /**< threads that serve; 0: one per CPU */
    bool single_loop;        /**< serve in the accepting loop, no threads */
    weir_poller_kind poller; /**< of the serving loops; 0: WEIR_POLLER_EPOLL */
    weir_tls *tls;           /**< of weir_tls_server_new(): a reference is taken; NULL: plaintext */
    size_t max_connections;  /**< 0: no limit but descriptors */
    bool reuse_port; /**< several servers share the port (SO_REUSEPORT): a new one starts before the
                          old one stops */
    uint32_t max_streams;         /**< calls at once on a connection; 0: 100 */
    size_t max_receive_bytes;     /**< of a message, compressed and after that; 0: 4 MiB */
    size_t max_send_bytes;        /**< of a message before compression; 0: no limit */
    size_t call_bytes;            /**< memory of one call; 0: 16 MiB */
    size_t send_high_water;       /**< unsent bytes of a call before WEIR_EAGAIN; 0: 64 KiB */
    weir_compression compression; /**< of replies, to clients that take it; 0: identity */
    uint32_t stream_window; /**< bytes that a call holds while its handler has paused it, or that
                                 are on their way to it; 0: 256 KiB */
    uint32_t connection_window; /**< bytes on their way to all of a connection's calls; 0: 1 MiB */
    uint32_t header_list_bytes; /**< 0: 16 KiB */
    int64_t handshake_us; /**< a client must speak HTTP/2 so long after connecting, or after TLS's
                             handshake, which has 10 s; 0: 20 s */
    int64_t max_call_us;  /**< a call lasts at most so long, deadline or not; 0: no limit */
    int64_t call_idle_us; /**< a call ends with DEADLINE_EXCEEDED when its client owes something
                               (messages, or reading those that wait for it) and does nothing
                               for so long; 0: never */
    int64_t drain_us;     /**< running calls may finish so long after a stop; 0: 10 s */

    /* The life of connections (grpc/doc/keepalive.md, proposal A9). What ends so is drained: the
     * client goes elsewhere with new calls, and running ones finish. */
    int64_t max_connection_age_us;       /**< +-10 %; 0: no limit */
    int64_t max_connection_age_grace_us; /**< for its running calls, which then end with
                                            UNAVAILABLE; 0: no limit */
    int64_t max_connection_idle_us;      /**< without calls; 0: no limit */
    int64_t keepalive_us;         /**< a PING after so long without a byte from the client; 0: 2 h;
                                     negative:         none */
    int64_t keepalive_timeout_us; /**< for its answer, then the connection is cut off; 0: 20 s */
    int64_t min_ping_interval_us; /**< between PINGs of a client, unless we have sent it something
                                       meanwhile; without calls 2 h; 0: 5 min; negative: none */
    bool permit_pings_without_calls; /**< the same interval holds without calls */
    unsigned max_ping_strikes; /**< PINGs that may come too early; one more ends the connection with
                                    GOAWAY ENHANCE_YOUR_CALM "too_many_pings"; 0: 2 */
    unsigned workers;     /**< threads for handlers that block, if there are any; 0: four per CPU */
    size_t workers_queue; /**< calls that wait for one of them; more end with RESOURCE_EXHAUSTED; 0:
                               1024 */
} weir_server_opts;

/**
 * @param opts  copied; NULL is all defaults
 * @return NULL when out of memory; yours until weir_server_free()
 * @thread any
 */
WEIR_API weir_server *weir_server_new(const weir_server_opts *opts);

/** Not while it runs. NULL is fine. @thread one at a time */
WEIR_API void weir_server_free(weir_server *server);

/**
 * Behind the generated `x_serve()`: adds a service before the start.
 * @param handlers  one per method of `service`, borrowed
 * @param methods   the user's typed table, borrowed
 * @errors WEIR_EINVAL: a method has callbacks and a function that blocks. WEIR_EEXIST: a service of
 * that name is there. WEIR_ESTATE: it runs. WEIR_ENOMEM.
 * @thread one at a time, before the start
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_server_add(weir_server *server, const weir_service *service,
                                                  const weir_handler *handlers, const void *methods,
                                                  void *user);

/**
 * Binds `addr` and serves; connections are accepted in `loop`.
 * @param why  a sentence on failure; may be NULL
 * @thread the loop's, or any before it runs
 * @errors as weir_tcp_server_start()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_server_start(weir_server *server, weir_loop *loop,
                                                    const char *addr, weir_why *why);

/** How a server is announced. A zeroed field means the default written beside it; texts are
 * copied. */
typedef struct weir_register_opts {
    const char *address;  /**< how others reach it, "HOST:PORT"; NULL: the address it listens on,
                               which must not be a wildcard then */
    unsigned weight;      /**< how much of the load it takes; 0: 1 */
    const char *zone;     /**< where it stands; NULL: unknown */
    const char *metadata; /**< a JSON object; NULL: none */
    const char *auth;     /**< "USER:PASSWORD" for the registry; NULL: none */
    int64_t session_us;   /**< after so long without a sign of life it counts as dead; 0: the
                               registry's default */
} weir_register_opts;

/**
 * Its services, but for the standard ones ("grpc."), are registered when it listens, and kept so;
 * a stop withdraws them first, for which it waits 2 s at most, and drains then. A registry that
 * cannot be reached does not keep the server from serving: the log says so, and it goes on trying.
 * @param registry  "zk://HOST:PORT,HOST:PORT/PATH" or "file:///PATH": clients find a service at
 *                  the same target with "/package.Service" behind it
 * @param opts      NULL is all defaults
 * @thread one at a time, before the start, whose errors tell what is wrong with the arguments
 * @errors WEIR_ESTATE: it runs, or has a registry. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_server_register(weir_server *server, const char *registry,
                                                       const weir_register_opts *opts);

/** The services that were added, in their order; NULL beyond the last. @thread any, once it runs */
WEIR_API const weir_service *weir_server_service(const weir_server *server, size_t index);

/** Something that lives with a server, such as a standard service; within a struct of its owner's.
 * Either function may be NULL. */
typedef struct weir_server_part {
    void (*on_stop)(
        struct weir_server_part *part); /**< a graceful stop begins: in the accepting loop */
    void (*on_free)(struct weir_server_part *part); /**< the server is gone; the last touch */
    weir_list node;                                 /**< weir's own */
} weir_server_part;

/** Before the start. The part must live until its on_free. @thread one at a time */
WEIR_API void weir_server_attach(weir_server *server, weir_server_part *part);

/** The bound address, after the start. @thread any */
WEIR_API const weir_addr *weir_server_addr(const weir_server *server);

/** Counters, read at any time. @thread any */
typedef struct weir_server_stats {
    uint64_t connections;  /**< open now */
    uint64_t calls;        /**< open now */
    uint64_t calls_total;  /**< since the start */
    uint64_t calls_failed; /**< ended with a status other than OK */
} weir_server_stats;
/** @thread any */
WEIR_API void weir_server_get_stats(const weir_server *server, weir_server_stats *out);

/**
 * Graceful stop: accepts no more, sends GOAWAY in two steps with a PING between them, so that calls
 * on their way are still taken, lets running calls finish for opts.drain_us, then ends them with
 * UNAVAILABLE. `done` runs in the accepting loop when all is over, and
 * no handler that blocks runs any more: those are waited for, however long they take. Once per
 * start.
 * @param done  may be NULL
 * @thread the accepting loop's
 */
WEIR_API void weir_server_stop(weir_server *server, void (*done)(void *user), void *user);

/**
 * A whole program: starts the log if nobody has, prints "listening on ADDR:PORT" to stdout, serves
 * until SIGINT or SIGTERM, stops gracefully (a second SIGINT at once), frees the server.
 * @return exit status: 0 after a graceful stop, 1 when it could not start (the reason is on stderr)
 * @thread the main thread
 */
WEIR_API int weir_server_run(weir_server *server, const char *addr);

WEIR_END_DECLS

#endif
