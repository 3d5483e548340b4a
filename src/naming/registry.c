/* What all registries have in common: reading the target, checking what is registered, telling
 * states, withdrawing all. */
#include <weir/naming/registry.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "target.h"

enum {
    TEXTS_MAX = 1 << 20,
    AUTHORITY_MAX = 1024
};

/* Opening. */

static const weir_registry_type *find_type(const weir_registry_opts *opts, const char *target)
{
    size_t len = strcspn(target, ":");
    for (size_t i = 0; i <= opts->type_count; i++) {
        const weir_registry_type *type =
            i < opts->type_count ? opts->types[i] : &weir_registry_file;
        if (target[len] == ':' && strlen(type->scheme) == len &&
            strncmp(type->scheme, target, len) == 0)
            return type;
    }
    return NULL;
}

weir_err weir_registry_open(weir_registry **out, weir_loop *loop, const char *target,
                            const weir_registry_opts *opts, weir_why *why)
{
    static const weir_registry_opts defaults = {0};
    char authority[AUTHORITY_MAX] = "";
    weir_registry_request request = {
        .loop = loop, .target = target, .authority = authority, .opts = opts ? opts : &defaults};
    const weir_registry_type *type = find_type(request.opts, target);
    if (!type)
        return weir_why_set(why, WEIR_EINVAL,
                            "\"%.60s\" is no registry that is known: write \"file:///PATH\", or "
                            "give its type in weir_registry_opts.types",
                            target);
    const char *rest = target + strlen(type->scheme) + 1;
    const char *slash = strncmp(rest, "//", 2) == 0 ? strchr(rest + 2, '/') : NULL;
    size_t len = slash ? (size_t)(slash - rest) - 2 : 0;
    if (strncmp(rest, "//", 2) == 0 && !slash)
        return weir_why_set(why, WEIR_EINVAL, "\"%.60s\" has no \"/\" and path at its end", target);
    if (len >= sizeof authority)
        return weir_why_set(why, WEIR_EINVAL, "\"%.60s...\" has too long a list of hosts", target);
    snprintf(authority, sizeof authority, "%.*s", (int)len, rest + (slash ? 2 : 0));
    request.path = slash ? slash + 1 : rest;
    weir_registry *registry;
    weir_err err = type->open(&registry, &request, why);
    if (err)
        return err;
    registry->type = type;
    registry->loop = loop;
    weir_list_init(&registry->registrations);
    *out = registry;
    return WEIR_OK;
}

static void drop(weir_registration *registration)
{
    weir_registry *registry = registration->registry;
    weir_list_remove(&registration->node);
    registry->count--;
    registry->type->release(registration);
    weir_arena_fini(&registration->texts);
    free(registration);
}

void weir_registry_free(weir_registry *registry)
{
    if (!registry)
        return;
    weir_list_each (node, following, &registry->registrations)
        drop(WEIR_CONTAINER_OF(node, weir_registration, node));
    weir_loop_cancel(registry->loop, &registry->all_gone);
    registry->type->free(registry);
}

/* Checking. */

static weir_err check_service(const char *service, weir_why *why)
{
    size_t len = strlen(service);
    if (len > 0 && len <= WEIR_SERVICE_NAME_MAX && service[0] != '.' &&
        strspn(service, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len)
        return WEIR_OK;
    return weir_why_set(why, WEIR_EINVAL,
                        "\"%.60s\" is no name of a service: write package.Service, 1 to %d "
                        "letters, digits, \".\", \"_\" and \"-\"",
                        service, WEIR_SERVICE_NAME_MAX);
}

/** Others shall connect to it. */
static weir_err check_address(weir_str address, weir_why *why)
{
    static const char *const wildcards[] = {"0.0.0.0:", "[::]:", ":", "*:"};
    int shown = (int)(address.len > 60 ? 60 : address.len);
    if (!weir_str_is_utf8(address) || !weir__address_is_whole(address))
        return weir_why_set(why, WEIR_EINVAL, "\"%.*s\" is no address: write HOST:PORT", shown,
                            address.ptr ? address.ptr : "");
    for (size_t i = 0; i < sizeof wildcards / sizeof *wildcards; i++)
        if (weir_str_starts(address, weir_str_from(wildcards[i])))
            return weir_why_set(why, WEIR_EINVAL,
                                "nobody can connect to \"%.*s\": register the name or number of "
                                "this host",
                                shown, address.ptr);
    if (!weir_str_starts(address, WEIR_STR("unix:")) && weir_str_ends(address, WEIR_STR(":0")))
        return weir_why_set(why, WEIR_EINVAL,
                            "nobody can connect to port 0 of \"%.*s\": register the port that the "
                            "server has got",
                            shown, address.ptr);
    return WEIR_OK;
}

/** The head's endpoint and json. */
static weir_err set_endpoint(weir_registration *r, const weir_endpoint *endpoint, weir_why *why)
{
    weir_err err = check_address(endpoint->address, why);
    if (err)
        return err;
    if (!weir_str_is_utf8(endpoint->zone))
        return weir_why_set(why, WEIR_EINVAL, "the zone is not UTF-8");
    weir_str json, address = weir_arena_copy(&r->texts, endpoint->address),
                   zone = weir_arena_copy(&r->texts, endpoint->zone),
                   metadata = weir_arena_copy(&r->texts, endpoint->metadata);
    if (!address.ptr || !zone.ptr || !metadata.ptr)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    err = weir_endpoint_write(&json, &r->texts, endpoint);
    if (err)
        return weir_why_set(why, err, "%s",
                            err == WEIR_EINVAL ? "the metadata is no JSON object"
                                               : weir_err_text(err));
    r->endpoint = (weir_endpoint){address, endpoint->weight ? endpoint->weight : 1, zone, metadata};
    r->json = json.ptr;
    return WEIR_OK;
}

/* Adding. */

/** Differs in every process, also in one that has the number of an earlier one. */
static weir_str make_id(weir_registry *registry, weir_arena *arena)
{
    uint64_t start;
    if (getrandom(&start, sizeof start, 0) != sizeof start)
        start = (uint64_t)weir_wall_now().us;
    return weir_arena_printf(arena, "%016llx-%llx", (unsigned long long)start,
                             (unsigned long long)++registry->added);
}

static weir_err fill(weir_registration *r, const char *service, const weir_endpoint *endpoint,
                     weir_why *why)
{
    weir_err err = set_endpoint(r, endpoint, why);
    if (err)
        return err;
    r->service = weir_arena_printf(&r->texts, "%s", service).ptr;
    r->id = make_id(r->registry, &r->texts).ptr;
    return r->service && r->id ? WEIR_OK : weir_why_set(why, WEIR_ENOMEM, "out of memory");
}

weir_err weir_registry_add(weir_registration **out, weir_registry *registry, const char *service,
                           const weir_endpoint *endpoint, weir_registration_fn fn, void *user,
                           weir_why *why)
{
    weir_err err = check_service(service, why);
    if (err)
        return err;
    if (registry->count >= WEIR_REGISTRATIONS_MAX)
        return weir_why_set(why, WEIR_EFULL, "%d are registered", WEIR_REGISTRATIONS_MAX);
    weir_registration *r = calloc(1, registry->type->registration_size);
    if (!r)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    weir_arena_init(&r->texts, NULL, TEXTS_MAX);
    r->registry = registry;
    r->fn = fn;
    r->user = user;
    err = fill(r, service, endpoint, why);
    if (!err)
        err = registry->type->add(r, why);
    if (err) {
        weir_arena_fini(&r->texts);
        free(r);
        return err;
    }
    weir_list_append(&registry->registrations, &r->node);
    registry->count++;
    *out = r;
    return WEIR_OK;
}

weir_err weir_registration_update(weir_registration *registration, const weir_endpoint *endpoint,
                                  weir_why *why)
{
    weir_registration next = {.registry = registration->registry};
    if (registration->withdrawn)
        return weir_why_set(why, WEIR_ESTATE, "the registration is being withdrawn");
    weir_arena_init(&next.texts, NULL, TEXTS_MAX);
    weir_err err = set_endpoint(&next, endpoint, why);
    if (!err) {
        next.service = weir_arena_printf(&next.texts, "%s", registration->service).ptr;
        next.id = weir_arena_printf(&next.texts, "%s", registration->id).ptr;
        if (!next.service || !next.id)
            err = weir_why_set(why, WEIR_ENOMEM, "out of memory");
    }
    weir_arena *old = err ? &next.texts : &registration->texts;
    weir_arena_fini(old);
    if (err)
        return err;
    registration->texts = next.texts;
    registration->service = next.service;
    registration->id = next.id;
    registration->endpoint = next.endpoint;
    registration->json = next.json;
    registration->registry->type->update(registration);
    return WEIR_OK;
}

const weir_endpoint *weir_registration_endpoint(const weir_registration *registration)
{
    return &registration->endpoint;
}

weir_registration_state weir_registration_state_of(const weir_registration *registration)
{
    return registration->state;
}

void weir_registration_tell(weir_registration *registration, weir_registration_state state,
                            const char *why)
{
    if (registration->withdrawn || registration->state == state)
        return;
    registration->state = state;
    if (registration->fn)
        registration->fn(registration, state, why, registration->user);
}

/* Withdrawing. */

void weir_registry_withdraw(weir_registration *registration, weir_withdrawn_fn done, void *user)
{
    if (registration->withdrawn)
        WEIR_BUG("weir_registry_withdraw() was called twice for a registration of %s",
                 registration->service);
    registration->withdrawn = true;
    registration->done = done;
    registration->done_user = user;
    registration->registry->type->withdraw(registration);
}

static void tell_all_gone(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_registry *registry = WEIR_CONTAINER_OF(timer, weir_registry, all_gone);
    weir_withdrawn_fn done = registry->done;
    registry->done = NULL;
    weir_why why = registry->done_why;
    done(registry->done_err, why.text, registry->done_user);
}

static void check_all_gone(weir_registry *registry)
{
    if (registry->done && registry->count == 0)
        weir_loop_after(registry->loop, &registry->all_gone, 0, tell_all_gone, NULL);
}

void weir_registration_gone(weir_registration *registration, weir_err err, const char *why)
{
    weir_registry *registry = registration->registry;
    weir_withdrawn_fn done = registration->done;
    void *user = registration->done_user;
    if (err && registry->done && !registry->done_err)
        registry->done_err = weir_why_set(&registry->done_why, err, "%s", why);
    drop(registration);
    check_all_gone(registry);
    if (done)
        done(err, why, user);
}

static void ignore_end(weir_err err WEIR_UNUSED, const char *why WEIR_UNUSED,
                       void *user WEIR_UNUSED)
{
}

void weir_registry_withdraw_all(weir_registry *registry, weir_withdrawn_fn done, void *user)
{
    if (registry->done)
        WEIR_BUG("weir_registry_withdraw_all() was called again before the end of the first");
    registry->done = done ? done : ignore_end;
    registry->done_user = user;
    registry->done_err = WEIR_OK;
    registry->done_why.text[0] = '\0';
    weir_list_each (node, following, &registry->registrations) {
        weir_registration *r = WEIR_CONTAINER_OF(node, weir_registration, node);
        if (!r->withdrawn)
            weir_registry_withdraw(r, NULL, NULL);
    }
    check_all_gone(registry);
}
