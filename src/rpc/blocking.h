/**
 * @file
 * Blocking handlers: what the loop does for them (server_call.c), and the server (server.c).
 */
#ifndef WEIR_RPC_BLOCKING_IMPL_H
#define WEIR_RPC_BLOCKING_IMPL_H

#include <stdatomic.h>
#include <weir/base/workers.h>
#include <weir/rpc/blocking.h>

#include "inbox.h"

/** A server's workers. */
typedef struct weir__blocking_pool {
    weir_workers *workers; /* NULL: no method blocks */
    atomic_size_t running; /* handlers, and one for the server until weir__blocking_pool_leave() */
    weir_task idle;
    weir_loop *loop; /* where `done` runs */
    void (*done)(void *user);
    void *user;
} weir__blocking_pool;

/** Threads for the handlers. @errors as weir_workers_new() */
WEIR_MUST_CHECK weir_err weir__blocking_pool_open(weir__blocking_pool *pool, weir_loop *loop,
                                                  const weir_workers_opts *opts);
/** `done(user)` runs in the pool's loop when no handler runs any more; perhaps at once. */
void weir__blocking_pool_leave(weir__blocking_pool *pool, void (*done)(void *user), void *user);
/** Ends the threads, which have nothing to do. */
void weir__blocking_pool_close(weir__blocking_pool *pool);

/** How a method is served by a handler that blocks. */
typedef struct weir__blocking_target {
    const weir_handler *handler;
    const void *methods;
    void *user;
} weir__blocking_target;

/* In the call's loop. */

/** For a call that begins. @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__blocking_new(weir_blocking_call **out, weir_call *call,
                                            weir__blocking_pool *pool,
                                            const weir__blocking_target *target,
                                            const weir_grpc_opts *limits);
/** The one request of a method whose client does not stream. Errors as weir_message_decode(). */
WEIR_MUST_CHECK weir_err weir__blocking_request(weir_blocking_call *blocking, weir_str bytes,
                                                const void **request);
/** The handler begins, or the call ends because it cannot. */
void weir__blocking_start(weir_blocking_call *blocking, weir_call *call);
void weir__blocking_message(weir_blocking_call *blocking, weir_call *call, weir_str bytes);
void weir__blocking_half_closed(weir_blocking_call *blocking);
void weir__blocking_writable(weir_blocking_call *blocking);
/** The call is over; so is `blocking` for the loop. */
void weir__blocking_closed(weir_blocking_call *blocking);

#endif
