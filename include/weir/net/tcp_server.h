/**
 * @file
 * TCP server: listens, and serves its connections in one loop or several. docs/server-models.md
 * says which model is for what, with figures.
 */
#ifndef WEIR_NET_TCP_SERVER_H
#define WEIR_NET_TCP_SERVER_H

#include <weir/net/conn.h>
#include <weir/net/listener.h>

WEIR_BEGIN_DECLS

typedef struct weir_tcp_server weir_tcp_server;

/** Which loops accept and which serve. */
typedef enum weir_tcp_model {
    WEIR_TCP_MULTI,     /**< one loop accepts and hands over to serving loops with threads */
    WEIR_TCP_SINGLE,    /**< one loop does everything; work that blocks goes to a weir_workers */
    WEIR_TCP_REUSEPORT, /**< every serving loop accepts on a socket of its own (SO_REUSEPORT): the
                             kernel spreads connections by their addresses; not for unix sockets */
    WEIR_TCP_PREFORK    /**< several processes, each with one loop: see <weir/net/prefork.h>; in
                             weir_tcp_serve() only */
} weir_tcp_model;

/** To which serving loop WEIR_TCP_MULTI hands a new connection. */
typedef enum weir_tcp_handoff {
    WEIR_HANDOFF_ROUND_ROBIN,
    WEIR_HANDOFF_LEAST_CONNECTIONS,
    WEIR_HANDOFF_BY_ADDRESS /**< a client's connections come together, whatever their ports */
} weir_tcp_handoff;

/** How a TCP server listens. A zeroed field means the default written beside it. */
typedef struct weir_tcp_server_opts {
    weir_tcp_model model;     /**< 0: WEIR_TCP_MULTI */
    weir_tcp_handoff handoff; /**< 0: WEIR_HANDOFF_ROUND_ROBIN */
    unsigned loops;           /**< threads (or processes) that serve; 0: one per CPU */
    size_t max_connections;   /**< more are closed at once, in each process; 0: no limit */
    unsigned max_per_address; /**< the same for one client address; 0: no limit */
    weir_conn_opts conn;
    weir_listener_opts listener;
    weir_loop_opts loop; /**< of each serving loop */

    /* For weir_tcp_serve() only. */

    /** Called in the accepting loop when the server has started, for timers and the like; under
     * WEIR_TCP_PREFORK in each worker. NULL: none */
    void (*on_start)(weir_tcp_server *server, weir_loop *loop, void *user);
    const weir_log_opts *log; /**< if no log was started; NULL: stderr at INFO */
    weir_why *why;            /**< why it did not start; NULL: that is logged */
} weir_tcp_server_opts;

/**
 * Binds `addr` and accepts in `loop`.
 *
 * After WEIR_OK every connection gets on_up once, then on_down once, in its own loop.
 * After any other result nothing runs, no callback comes, and *out is as it was.
 * @param out   yours until weir_tcp_server_stop()
 * @param loop  accepts here; borrowed, must outlive the server
 * @param addr  as weir_addr_parse() reads it; not kept
 * @param ops   borrowed for the server's life, so a static const
 * @param user  last argument of every callback
 * @param opts  copied; NULL is all defaults
 * @param why   a sentence on failure; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors as weir_addr_parse(), weir_listener_open() and weir_loop_thread_start(); WEIR_ENOTSUP: a
 *         unix socket with WEIR_TCP_REUSEPORT, or WEIR_TCP_PREFORK
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_tcp_server_start(weir_tcp_server **out, weir_loop *loop,
                                                        const char *addr, const weir_conn_ops *ops,
                                                        void *user,
                                                        const weir_tcp_server_opts *opts,
                                                        weir_why *why);

/** The bound address. */
WEIR_API const weir_addr *weir_tcp_server_addr(const weir_tcp_server *server);

/** Connections now. @thread any */
WEIR_API size_t weir_tcp_server_connections(const weir_tcp_server *server);

/** The serving loops; `index` from 0, NULL beyond the last. @thread any */
WEIR_API weir_loop *weir_tcp_server_loop(const weir_tcp_server *server, unsigned index);

/** Called in each serving loop, once per connection there. */
typedef void (*weir_conn_each_fn)(weir_conn *conn, void *user);

/** Runs `fn` for every connection, in its loop; returns at once. @thread any @errors WEIR_ENOMEM */
WEIR_API WEIR_MUST_CHECK weir_err weir_tcp_server_each_post(weir_tcp_server *server,
                                                            weir_conn_each_fn fn, void *user);

/** Stops accepting, after what waits now; connections go on. Repeatable. @thread the accepting
 * loop's */
WEIR_API void weir_tcp_server_pause(weir_tcp_server *server);

/**
 * Graceful stop: no new connections; every open one is closed after its output is flushed, or
 * aborted with WEIR_ETIMEDOUT after `grace_us`; then the threads are joined, `done(user)` runs in
 * the accepting loop, and the server is gone. Until then a second call replaces the grace that is
 * left by its own, and so does a third; their `done` and `user` do not count. Further calls do
 * nothing.
 * @param done  may be NULL
 * @thread the accepting loop's
 */
WEIR_API void weir_tcp_server_stop(weir_tcp_server *server, int64_t grace_us,
                                   void (*done)(void *user), void *user);

/**
 * The same, but open connections go on until they end by themselves, and only those that are left
 * after `grace_us` are aborted with WEIR_ETIMEDOUT. weir_tcp_server_stop() may
 * follow; a second leave does nothing.
 * @thread the accepting loop's
 */
WEIR_API void weir_tcp_server_leave(weir_tcp_server *server, int64_t grace_us,
                                    void (*done)(void *user), void *user);

/**
 * A whole program: starts the log, which a crash flushes, prints "listening on ADDR:PORT" to
 * stdout, serves until SIGINT or SIGTERM, and stops gracefully: what runs may finish for 10 s; a
 * second such signal stops at once. SIGQUIT lets open connections go on until they end, for at most
 * 60 s. SIGHUP opens the log's file anew (with `opts->log`); with WEIR_TCP_PREFORK it starts new
 * workers before the old ones leave.
 * @return WEIR_OK after a graceful stop; else why it did not start, see `opts->why`
 * @thread the main thread
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_tcp_serve(const char *addr, const weir_conn_ops *ops,
                                                 void *user, const weir_tcp_server_opts *opts);

WEIR_END_DECLS

#endif
