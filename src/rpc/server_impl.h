/**
 * @file
 * Inside of a server: server.c has its life, server_conn.c its connections, server_call.c its
 * calls, server_methods.c finds the method for a path.
 */
#ifndef WEIR_RPC_SERVER_IMPL_H
#define WEIR_RPC_SERVER_IMPL_H

#include <stdatomic.h>
#include <weir/naming/registry.h>
#include <weir/net/tcp_server.h>
#include <weir/rpc/server.h>

#include "blocking.h"
#include "call_impl.h"
#include "counters.h"
#include "intercept.h"

/** A service that was added. */
typedef struct weir__served {
    weir_list node;
    const weir_service *service;
    const weir_handler *handlers;
    const void *methods;
    void *user;
} weir__served;

/** A method, as it is found by its path. */
typedef struct weir__route {
    const weir__served *served; /* NULL: the entry is empty */
    const weir_method *method;
    const weir_handler *handler;
    const void *methods;
    void *user;
    weir__blocking_target blocking; /* `methods` of a handler that blocks */
    weir_str path;
    uint64_t hash;
} weir__route;

/** Open addressing, at most half full, read-only once the server runs. */
typedef struct weir__routes {
    weir__route *entries;
    size_t size; /* a power of two */
} weir__routes;

/** Of one loop, which is the only one to write them. */
typedef struct weir__loop_counters {
    weir__counters calls;
    unsigned loop; /* its number */
    weir_server *server;
    weir_task settled; /* at a stop: connections that were handed over before it are up */
} WEIR_ALIGNED(WEIR_CACHE_LINE) weir__loop_counters;

#define WEIR__SHUTTING_DOWN "the server is shutting down"

/** server_register.c: its services in a registry. */
typedef struct weir__announcement weir__announcement;
typedef void (*weir__withdrawn_fn)(weir_server *server);

void weir__announcement_free(weir__announcement *announcement);
/** Before the server listens at `address`. @errors as weir_registry_open() */
WEIR_MUST_CHECK weir_err weir__announcement_open(weir__announcement *announcement, weir_loop *loop,
                                                 const char *address, weir_why *why);
/** It listens. */
void weir__announcement_start(weir__announcement *announcement);
/** `done` comes once, after a time at most. */
void weir__announcement_withdraw(weir__announcement *announcement, weir__withdrawn_fn done);
void weir__announcement_stop(weir__announcement *announcement);

struct weir_server {
    weir_server_opts opts;
    weir_grpc_opts grpc;
    weir_list services;
    weir_list parts;
    weir__routes routes;
    weir__blocking_pool blocking;
    weir__chain chain; /* of interceptors, outermost first */
    weir_tcp_server *tcp;
    weir_loop *loop; /* accepts */
    weir_addr addr;
    bool running;
    weir__announcement *announcement; /* NULL: none */
    bool withdrawing;

    weir__keepalive_opts keepalive;

    atomic_ullong connections;     /* any thread */
    atomic_ullong holds;           /* connections, and at a stop loops that may still get some */
    weir__loop_counters *counters; /* one for each of the serving loops */
    weir__entity entity, listener;
    unsigned loops;

    /* The stop: the accepting loop, but for `idle`. */
    atomic_bool stopping;
    atomic_bool idle_posted;
    weir_task idle; /* the last connection is gone */
    weir_timer drain;
    void (*done)(void *user);
    void *done_user;
};

/** Builds the table from `services`. @param pool  for handlers that block
 * @param blocks  whether there are any @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__routes_build(weir__routes *routes, const weir_list *services,
                                            weir__blocking_pool *pool, bool *blocks);
void weir__routes_free(weir__routes *routes);
/** NULL: unknown. */
const weir__route *weir__routes_find(const weir__routes *routes, weir_str path);

/** Of each connection. */
extern const weir_conn_ops weir__server_conn_ops;
/** Tells the client to go elsewhere; its calls finish. @param reason  static */
void weir__server_drain_link(weir__link *link, const char *reason);
/** Ends its calls, and then the connection. */
void weir__server_end_link(weir__link *link, const char *reason);
/** One of `holds` is gone; with the last one the accepting loop goes on with the stop. */
void weir__server_release(weir_server *server);

/** A request arrived. */
void weir__server_request(weir__link *link, weir_grpc_call *wire);

#endif
