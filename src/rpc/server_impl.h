/**
 * @file
 * Inside of a server: server.c has its life and its connections, server_call.c its calls,
 * server_methods.c finds the method for a path.
 */
#ifndef WEIR_RPC_SERVER_IMPL_H
#define WEIR_RPC_SERVER_IMPL_H

#include <stdatomic.h>
#include <weir/net/tcp_server.h>
#include <weir/rpc/server.h>

#include "call_impl.h"
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
    weir_str path;
    uint64_t hash;
} weir__route;

/** Open addressing, at most half full, read-only once the server runs. */
typedef struct weir__routes {
    weir__route *entries;
    size_t size; /* a power of two */
} weir__routes;

struct weir_server {
    weir_server_opts opts;
    weir_grpc_opts grpc;
    weir_list services;
    weir_list parts;
    weir__routes routes;
    weir__chain chain; /* of interceptors, outermost first */
    weir_tcp_server *tcp;
    weir_loop *loop; /* accepts */
    weir_addr addr;
    bool running;

    /* Counters: any thread. */
    atomic_ullong connections, calls, calls_total, calls_failed;

    /* The stop: the accepting loop, but for `idle`. */
    atomic_bool stopping;
    atomic_bool idle_posted;
    weir_task idle; /* the last connection is gone */
    weir_timer drain;
    void (*done)(void *user);
    void *done_user;
};

/** Builds the table from `services`. @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__routes_build(weir__routes *routes, const weir_list *services);
void weir__routes_free(weir__routes *routes);
/** NULL: unknown. */
const weir__route *weir__routes_find(const weir__routes *routes, weir_str path);

/** A request arrived. */
void weir__server_request(weir__link *link, weir_grpc_call *wire);

#endif
