/* A server's services in a registry: registered once it listens, withdrawn before it drains. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/zk/zk.h>

#include "server_impl.h"

/* A registry that does not answer does not hold up a stop. */
#define WITHDRAW_US WEIR_SECONDS(2)

struct weir__announcement {
    weir_server *server;
    char *target, *address, *zone, *metadata, *auth;
    unsigned weight;
    int64_t session_us;
    weir_registry *registry; /* while the server runs */
    weir_timer limit;
    weir__withdrawn_fn done;
};

/* Being told to. */

static bool copy(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

void weir__announcement_free(weir__announcement *a)
{
    if (!a)
        return;
    free(a->target);
    free(a->address);
    free(a->zone);
    free(a->metadata);
    free(a->auth);
    free(a);
}

weir_err weir_server_register(weir_server *server, const char *registry,
                              const weir_register_opts *opts)
{
    const weir_register_opts none = {0}, *own = opts ? opts : &none;
    if (server->running || server->announcement)
        return WEIR_ESTATE;
    weir__announcement *a = calloc(1, sizeof *a);
    if (!a)
        return WEIR_ENOMEM;
    a->server = server;
    a->weight = own->weight;
    a->session_us = own->session_us;
    if (!copy(&a->target, registry) || !copy(&a->address, own->address) ||
        !copy(&a->zone, own->zone) || !copy(&a->metadata, own->metadata) ||
        !copy(&a->auth, own->auth)) {
        weir__announcement_free(a);
        return WEIR_ENOMEM;
    }
    server->announcement = a;
    return WEIR_OK;
}

/* The start. */

static void on_state(weir_registration *registration, weir_registration_state state,
                     const char *why, void *user)
{
    const weir__announcement *a = user;
    const char *service = registration ? registration->service : "a service";
    if (state == WEIR_REGISTRATION_ACTIVE)
        WEIR_LOG_INFO("%s is registered at %s", service, a->target);
    else
        WEIR_LOG_WARN("%s is not registered at %s: %s", service, a->target, why);
}

/** The standard services are the same everywhere: nobody looks for a server by them. */
static bool is_standard(const weir_service *service)
{
    return strncmp(service->name, "grpc.", 5) == 0;
}

static weir_endpoint endpoint_of(const weir__announcement *a, const char *address)
{
    return (weir_endpoint){
        .address = weir_str_from(a->address ? a->address : address),
        .weight = a->weight,
        .zone = weir_str_from(a->zone),
        .metadata = weir_str_from(a->metadata),
    };
}

/** What can be known to be wrong before anything listens. */
static weir_err check(const weir__announcement *a, const char *address, weir_why *why)
{
    weir_endpoint endpoint = endpoint_of(a, address);
    weir_str json;
    if (!a->address && (strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0))
        return weir_why_set(why, WEIR_EINVAL,
                            "nobody can connect to %s: say in weir_register_opts.address how "
                            "others reach this server",
                            address);
    weir_arena *mem = weir_arena_new();
    weir_err err = mem ? weir_endpoint_write(&json, mem, &endpoint) : WEIR_ENOMEM;
    weir_arena_free(mem);
    return err == WEIR_EINVAL ? weir_why_set(why, err,
                                             "weir_register_opts.metadata is no JSON "
                                             "object")
                              : err;
}

weir_err weir__announcement_open(weir__announcement *a, weir_loop *loop, const char *address,
                                 weir_why *why)
{
    static const weir_registry_type *const types[] = {&weir_registry_zk};
    weir_registry_opts opts = {
        .types = types,
        .type_count = sizeof types / sizeof *types,
        .auth = a->auth,
        .session_us = a->session_us,
    };
    weir_err err = check(a, address, why);
    return err ? err : weir_registry_open(&a->registry, loop, a->target, &opts, why);
}

void weir__announcement_start(weir__announcement *a)
{
    char bound[WEIR_ADDR_TEXT_MAX];
    weir_endpoint endpoint = endpoint_of(a, weir_addr_text(&a->server->addr, bound));
    const weir_service *service;
    for (size_t i = 0; (service = weir_server_service(a->server, i)); i++) {
        weir_registration *registration;
        weir_why why;
        if (!is_standard(service) && weir_registry_add(&registration, a->registry, service->name,
                                                       &endpoint, on_state, a, &why))
            WEIR_LOG_ERROR("%s is not registered at %s: %s", service->name, a->target, why.text);
    }
}

/* The stop. */

static void finish(weir__announcement *a)
{
    weir__withdrawn_fn done = a->done;
    a->done = NULL;
    if (done)
        done(a->server);
}

static void on_withdrawn(weir_err err, const char *why, void *user)
{
    weir__announcement *a = user;
    if (err)
        WEIR_LOG_WARN("a service may be left registered at %s: %s", a->target, why);
    weir_loop_cancel(a->server->loop, &a->limit);
    finish(a);
}

static void on_limit(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__announcement *a = WEIR_CONTAINER_OF(timer, weir__announcement, limit);
    WEIR_LOG_WARN("%s has not confirmed that the services are withdrawn: stopping without that",
                  a->target);
    finish(a);
}

void weir__announcement_withdraw(weir__announcement *a, weir__withdrawn_fn done)
{
    a->done = done;
    weir_loop_after(a->server->loop, &a->limit, WITHDRAW_US, on_limit, NULL);
    weir_registry_withdraw_all(a->registry, on_withdrawn, a);
}

void weir__announcement_stop(weir__announcement *a)
{
    if (weir_timer_pending(&a->limit))
        weir_loop_cancel(a->server->loop, &a->limit);
    weir_registry_free(a->registry);
    a->registry = NULL;
}
