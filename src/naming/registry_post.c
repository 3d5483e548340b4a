/* Registering from other threads. */
#include <weir/naming/registry.h>

#include <stdlib.h>

typedef struct post {
    weir_task task;
    weir_registry *registry;
    weir_arena texts;
    const char *service;
    weir_endpoint endpoint;
    weir_registration_fn fn;
    weir_withdrawn_fn done;
    void *user;
} post;

static void post_free(post *p)
{
    weir_arena_fini(&p->texts);
    free(p);
}

static void add(weir_task *task, weir_err err)
{
    post *p = WEIR_CONTAINER_OF(task, post, task);
    weir_registration *registration;
    weir_why why = {""};
    if (!err &&
        weir_registry_add(&registration, p->registry, p->service, &p->endpoint, p->fn, p->user,
                          &why) &&
        p->fn)
        p->fn(NULL, WEIR_REGISTRATION_LOST, why.text, p->user);
    post_free(p);
}

static post *post_new(weir_registry *registry, void *user)
{
    post *p = calloc(1, sizeof *p);
    if (p) {
        p->registry = registry;
        p->user = user;
        weir_arena_init(&p->texts, NULL, 0);
    }
    return p;
}

weir_err weir_registry_add_post(weir_registry *registry, const char *service,
                                const weir_endpoint *endpoint, weir_registration_fn fn, void *user)
{
    post *p = post_new(registry, user);
    if (!p)
        return WEIR_ENOMEM;
    p->fn = fn;
    p->service = weir_arena_copy(&p->texts, weir_str_from(service)).ptr;
    p->endpoint = (weir_endpoint){weir_arena_copy(&p->texts, endpoint->address), endpoint->weight,
                                  weir_arena_copy(&p->texts, endpoint->zone),
                                  weir_arena_copy(&p->texts, endpoint->metadata)};
    if (!p->service || !p->endpoint.address.ptr || !p->endpoint.zone.ptr ||
        !p->endpoint.metadata.ptr) {
        post_free(p);
        return WEIR_ENOMEM;
    }
    weir_loop_post(registry->loop, &p->task, add);
    return WEIR_OK;
}

static void withdraw_all(weir_task *task, weir_err err)
{
    post *p = WEIR_CONTAINER_OF(task, post, task);
    if (!err)
        weir_registry_withdraw_all(p->registry, p->done, p->user);
    post_free(p);
}

weir_err weir_registry_withdraw_all_post(weir_registry *registry, weir_withdrawn_fn done,
                                         void *user)
{
    post *p = post_new(registry, user);
    if (!p)
        return WEIR_ENOMEM;
    p->done = done;
    weir_loop_post(registry->loop, &p->task, withdraw_all);
    return WEIR_OK;
}
