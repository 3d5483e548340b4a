/**
 * @file
 * Channel: a client's logical connection to a service. Connects when first used, reconnects with
 * backoff (grpc/doc/connection-backoff.md). Shared by any threads; its calls live in its loop.
 */
#ifndef WEIR_RPC_CHANNEL_H
#define WEIR_RPC_CHANNEL_H

#include <weir/net/loop.h>
#include <weir/rpc/call.h>
#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** A zeroed field means the default written beside it. */
typedef struct weir_channel_opts {
    weir_loop *loop;          /**< where its calls live, borrowed; NULL: a thread of its own */
    size_t max_receive_bytes; /**< of a message; 0: 4 MiB */
    size_t max_send_bytes;    /**< of a message; 0: no limit */
    size_t call_bytes;        /**< memory of one call; 0: 16 MiB */
    size_t send_high_water;   /**< unsent bytes of a call before WEIR_EAGAIN; 0: 64 KiB */
    size_t max_queued;        /**< calls that wait for a connection or a stream; 0: 10000 */
    uint32_t stream_window;   /**< 0: 256 KiB */
    int64_t connect_us;       /**< of one attempt; 0: 20 s */
    int64_t backoff_us;       /**< after the first failed attempt; 0: 1 s */
    int64_t backoff_max_us;   /**< 0: 120 s */
    int64_t timeout_us;       /**< of calls that set none; 0: 60 s; negative: no deadline */
    const char *authority;    /**< ":authority" of calls, copied; NULL: from the target */
    const char *user_agent;   /**< put before weir's own, copied; NULL: none */
    const weir_interceptor_use *interceptors; /**< around every call, outermost first; the array is
                                                   copied */
    size_t interceptor_count; /**< at most WEIR_INTERCEPTORS_MAX; the rest is left out */
} weir_channel_opts;

/** How one call is made. A zeroed field means the default written beside it. */
typedef struct weir_call_opts {
    int64_t timeout_us;            /**< from now; 0: the channel's; negative: no deadline */
    const weir_metadata *metadata; /**< copied; NULL: none */
    bool wait_for_ready; /**< wait out connection failures instead of failing with UNAVAILABLE */
} weir_call_opts;

/**
 * @param target  "127.0.0.1:50051", "[::1]:50051", "localhost:50051", "unix:/run/x"; the forms
 *                "ipv4:ADDR", "ipv6:ADDR" and "dns:///localhost:PORT" of gRPC too
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

WEIR_API weir_loop *weir_channel_loop(const weir_channel *channel);

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
