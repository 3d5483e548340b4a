/**
 * @file
 * Blocking handlers, as a server has them.
 */
#ifndef WEIR_RPC_BLOCKING_IMPL_H
#define WEIR_RPC_BLOCKING_IMPL_H

#include <stdatomic.h>
#include <weir/base/workers.h>
#include <weir/rpc/blocking.h>
#include <weir/rpc/interceptor.h>

#include "inbox.h"

/** A server's workers. */
typedef struct weir__blocking_pool {
    weir_workers *workers; /* NULL: no method blocks */
    atomic_size_t running; /* handlers, and one for the server until weir__blocking_pool_leave() */
    weir_task idle;
    weir_loop *loop; /* where `done` runs */
    const weir_grpc_opts *limits;
    void (*done)(void *user);
    void *user;
} weir__blocking_pool;

/** Threads for the handlers. @errors as weir_workers_new() */
WEIR_MUST_CHECK weir_err weir__blocking_pool_open(weir__blocking_pool *pool, weir_loop *loop,
                                                  const weir_grpc_opts *limits,
                                                  const weir_workers_opts *opts);
/** `done(user)` runs in the pool's loop when no handler runs any more; perhaps at once. */
void weir__blocking_pool_leave(weir__blocking_pool *pool, void (*done)(void *user), void *user);
/** Ends the threads, which have nothing to do. */
void weir__blocking_pool_close(weir__blocking_pool *pool);

/** A user's handler that blocks; `methods` of weir__blocking_handler. */
typedef struct weir__blocking_target {
    const weir_handler *handler;
    const void *methods;
    void *user;
    weir__blocking_pool *pool;
} weir__blocking_target;

/** A call has two owners: its loop, until it is closed, and the worker, until the handler has
 * returned. */
struct weir_blocking_call {
    atomic_uint owners;
    weir__inbox inbox;
    weir_job job;
    const weir__blocking_target *target;

    /* Copies, for the call may go before the handler has returned. */
    weir_call_id id;
    const weir_method *method;
    weir_arena arena;
    weir_metadata metadata;
    weir_addr peer;
    const weir_tls_info *tls;
    weir_str authority, identity;
    weir_time deadline;
    void *request; /* of a client that does not stream */

    /* Under the inbox's lock. */
    bool works;             /* the handler runs */
    weir_call_after *after; /* who wants to know when it has returned */

    /* The handler's. */
    weir_metadata headers, trailers;
    weir_compression compression; /* WEIR_COMPRESSION_DEFAULT: the server's */
    bool headers_sent;
};

/** As weir_call_after_handler(). */
bool weir__blocking_after(weir_blocking_call *call, weir_call_after *after);
/** The loop's ownership ends, after `closed`. */
void weir__blocking_release(weir_call *of);
/** One owner less. */
void weir__blocking_drop(weir_blocking_call *call);

/* From the worker (blocking_call.c); what they send is in the order of these calls. Errors as
 * weir__inbox_send(). */

WEIR_MUST_CHECK weir_err weir__blocking_send(weir_blocking_call *call, const void *message);
/** The initial metadata, once. @param send  also without a message behind it */
WEIR_MUST_CHECK weir_err weir__blocking_headers(weir_blocking_call *call, bool send);
/** Either may be NULL. */
WEIR_MUST_CHECK weir_err weir__blocking_post_metadata(weir_blocking_call *call,
                                                      const weir_metadata *headers,
                                                      const weir_metadata *trailers, bool send);

/** The loop's side of all of them. */
extern const weir_handler weir__blocking_handler;

#endif
