/**
 * @file
 * Channel: a client's logical connection to a service, perhaps on several servers
 * (<weir/naming/resolver.h>, <weir/naming/service_config.h>). Connects when first used, reconnects
 * with backoff (grpc/doc/connection-backoff.md). Shared by any threads; its calls live in its loop.
 */
#ifndef WEIR_RPC_CHANNEL_H
#define WEIR_RPC_CHANNEL_H

#include <weir/naming/resolver.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>
#include <weir/rpc/call.h>
#include <weir/rpc/cancellation.h>
#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** A zeroed field means the default written beside it. */
typedef struct weir_channel_opts {
    weir_loop *loop;          /**< where its calls live, borrowed; NULL: a thread of its own */
    size_t max_receive_bytes; /**< of a message, compressed and after that; 0: 4 MiB */
    size_t max_send_bytes;    /**< of a message before compression; 0: no limit */
    size_t call_bytes;        /**< memory of one call; 0: 16 MiB */
    size_t send_high_water;   /**< unsent bytes of a call before WEIR_EAGAIN; 0: 64 KiB */
    size_t max_queued;        /**< calls that wait for a connection, or because the server takes no
                                   more at once; more end with RESOURCE_EXHAUSTED; 0: 10000 */
    uint32_t stream_window;   /**< bytes that a call holds while it is paused, or that are on their
                                 way   to it; 0: 256 KiB */
    uint32_t connection_window; /**< bytes on their way to all calls; 0: 1 MiB */
    int64_t connect_us;         /**< of one attempt, at least; 0: 20 s */
    int64_t backoff_us;         /**< after the first failed attempt, +-20 %; 0: 1 s */
    int64_t backoff_max_us;     /**< 0: 120 s */
    double backoff_factor;      /**< 0: 1.6 */
    int64_t
        idle_us; /**< without calls, until the connection is closed; 0: 30 min; negative: never */
    int64_t keepalive_us;         /**< a PING after so long without a byte from the server, at least
                                       keepalive_floor_us; doubled when a server complains; 0: none */
    int64_t keepalive_timeout_us; /**< for its answer; 0: 20 s */
    bool keepalive_permit_without_calls; /**< PINGs also while there are no calls */
    int64_t keepalive_floor_us;          /**< 0: 10 s, as in other gRPCs; less is for tests */
    int64_t timeout_us;           /**< of calls that set none; 0: 60 s; negative: no deadline */
    weir_compression compression; /**< of requests; 0: identity */
    weir_tls *tls;        /**< of weir_tls_client_new(): a reference is taken; NULL: plaintext */
    const char *tls_name; /**< whose certificate the server must have, copied; NULL: the host in the
                               authority */
    const char *authority;  /**< ":authority" of calls, copied; NULL: from the target */
    const char *user_agent; /**< put before weir's own, copied; NULL: none */
    const weir_interceptor_use *interceptors; /**< around every call, outermost first; the array is
                                                   copied */
    size_t interceptor_count; /**< at most WEIR_INTERCEPTORS_MAX; the rest is left out */
    const char *balance; /**< name of the policy: "pick_first", "round_robin", "weir_p2c" and what
                              else <weir/naming/service_config.h> lists; NULL: pick_first, or what
                              the name's own service config says */
    const char *service_config; /**< JSON, as that header describes it; goes before `balance` and
                                     before what the name brings along; NULL: none */
    const weir_resolver_type *const *resolvers; /**< more kinds of targets, borrowed for the
                                                     channel's life; they go before weir's own */
    size_t resolver_count;
    int64_t empty_list_us; /**< a name that had endpoints and says that it has none is believed when
                                it has said so for so long: a registry that comes back may not know
                                its servers yet; 0: 10 s; negative: at once */
} weir_channel_opts;

/** How one call is made. A zeroed field means the default written beside it. */
typedef struct weir_call_opts {
    int64_t timeout_us;            /**< from now; 0: the channel's; negative: no deadline */
    const weir_metadata *metadata; /**< copied; NULL: none */
    weir_compression compression;  /**< of its requests; 0: the channel's */
    weir_str hash_key;   /**< chooses the backend under consistent hashing, such as a field of the
                              request; empty: the policy's header, or chance */
    bool wait_for_ready; /**< wait out connection failures instead of failing with UNAVAILABLE */
    weir_call_id parent; /**< a server's call for which it is made: it ends with that call, and its
                              deadline is not later; at most 1000 at a time, more end with
                              RESOURCE_EXHAUSTED; {0}: none */
    /** Unary calls: filled with the server's initial and trailing metadata. It lives as long as the
       reply: in the caller's arena, or until `done` has returned. NULL: not wanted */
    weir_metadata *reply_headers, *reply_trailers;
    weir_cancellation *cancellation; /**< blocking unary calls: ends them from another thread; one
                                          that another call has is refused with
                                          FAILED_PRECONDITION; NULL: none */
} weir_call_opts;

/** The state of a channel (grpc/doc/connectivity-semantics-and-api.md). */
typedef enum weir_connectivity {
    WEIR_CONNECTIVITY_IDLE,              /**< no connection, and none is wanted */
    WEIR_CONNECTIVITY_CONNECTING,        /**< until the server's SETTINGS have come */
    WEIR_CONNECTIVITY_READY,             /**< calls go through */
    WEIR_CONNECTIVITY_TRANSIENT_FAILURE, /**< could not connect; tries again after a delay. Calls
                                              fail, unless they wait for ready */
    WEIR_CONNECTIVITY_SHUTDOWN           /**< weir_channel_free() */
} weir_connectivity;

/** Static: "IDLE", "TRANSIENT_FAILURE". @thread any */
WEIR_API const char *weir_connectivity_name(weir_connectivity state);

/**
 * Nothing is connected before the first call, or weir_channel_state() with `try_to_connect`. A name
 * is looked up anew for each attempt; all its addresses are tried (RFC 8305).
 *
 * A call that no server has seen, because the server was going away (GOAWAY) or refused it
 * (REFUSED_STREAM), is made once more by itself; one that has not left, as often as it takes. But
 * not a call whose messages have left already and are not kept: all but the single request.
 * @param target  as in grpc/doc/naming.md: "HOST:PORT", "dns:HOST:PORT", "dns:///HOST:PORT",
 *                "dns://NAMESERVER/HOST:PORT", "ipv4:ADDR:PORT,ADDR:PORT", "ipv6:[ADDR]:PORT",
 *                "unix:PATH", "unix:///PATH", "unix-abstract:NAME"; and "static:///A,B",
 *                "file:///PATH", "zk://HOSTS/PATH/OF/SERVICE", or a scheme of opts->resolvers.
 * Without a port it is 443, as in other gRPCs. Of a list of places each is its own
 *                ":authority" and TLS name, unless the options say one for all
 * @param opts    copied; NULL is all defaults
 * @return NULL when out of memory or descriptors. A target that cannot be understood gives a
 * channel whose calls end with UNAVAILABLE and a sentence.
 * @thread any
 */
WEIR_API weir_channel *weir_channel_new(const char *target, const weir_channel_opts *opts);

/**
 * Ends its calls with CANCELLED, closes the connection, frees the channel. With a loop of the
 * caller's it may return before the loop has done that; the loop must turn once more.
 * NULL is fine. @thread any but its own thread
 */
WEIR_API void weir_channel_free(weir_channel *channel);

/** Where its calls live. @thread any */
WEIR_API weir_loop *weir_channel_loop(const weir_channel *channel);

/**
 * @param try_to_connect  an idle channel begins to connect
 * @thread any
 */
WEIR_API weir_connectivity weir_channel_state(weir_channel *channel, bool try_to_connect);

/**
 * Waits until the state is another than `seen`; states that pass quickly may be missed.
 * @return false: the time came first
 * @thread any but the channel's loop's
 */
WEIR_API bool weir_channel_wait_until(weir_channel *channel, weir_connectivity seen,
                                      weir_time until);

/** An attempt that waits for its delay begins now, and delays are short again: for when something
 * says that the network is back. @thread any */
WEIR_API void weir_channel_reset_backoff(weir_channel *channel);

/** In the caller's object; the fields but `fn` and `user` are weir's own. */
typedef struct weir_channel_watch {
    weir_list node;
    /** Every change, SHUTDOWN last. It may end its own watch, no other. */
    void (*fn)(struct weir_channel_watch *watch, weir_connectivity state, void *user);
    void *user;
} weir_channel_watch;

/** @param watch  yours, until SHUTDOWN or weir_channel_unwatch() @thread the channel's loop's */
WEIR_API void weir_channel_watch_state(weir_channel *channel, weir_channel_watch *watch);
/** Repeatable. @thread the channel's loop's */
WEIR_API void weir_channel_unwatch(weir_channel_watch *watch);

/* Behind the generated stubs. */

/**
 * Blocking unary call.
 * @param mem    the reply and the status text live here
 * @param reply  set when the status is OK
 * @thread any but the channel's loop's: there it returns FAILED_PRECONDITION
 */
WEIR_API weir_status weir_unary_call(weir_channel *channel, const weir_method *method,
                                     weir_arena *mem, const void *request, void **reply,
                                     const weir_call_opts *opts);

/**
 * Asynchronous unary call: `done` comes once, in the channel's loop, unless an error is returned.
 * @thread any
 * @errors WEIR_ENOMEM, WEIR_EMSGSIZE, WEIR_EINVAL (metadata)
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_unary_start(weir_channel *channel, const weir_method *method,
                                                   const void *request, weir_unary_thunk thunk,
                                                   weir_fn done, void *user,
                                                   const weir_call_opts *opts);

/**
 * Starts a call with callbacks in the channel's loop: `closed` comes once, unless an error is
 * returned.
 * @param id       of the call; may be NULL
 * @param request  the one request of a method whose client does not stream, else NULL
 * @param events   the user's typed table, borrowed until `closed`
 * @thread any
 * @errors as weir_unary_start()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_start(weir_channel *channel, const weir_method *method,
                                                  const void *request,
                                                  const weir_client_handler *handler,
                                                  const void *events, void *user,
                                                  const weir_call_opts *opts, weir_call_id *id);

WEIR_END_DECLS

#endif
