#include "hub.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    BUCKETS = 1 << 16
};

typedef struct hub_group {
    struct hub_group *next; /* in the bucket */
    weir_list members;
    size_t count;
    size_t name_len;
    char name[];
} hub_group;

struct hub {
    pthread_mutex_t lock;
    hub_changed_fn changed;
    void *user;
    size_t groups;
    hub_group *buckets[BUCKETS];
};

static size_t bucket_of(weir_str name)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 1099511628211u;
    return (hash ^ hash >> 32) % BUCKETS;
}

/** Where the group of that name hangs, or would. */
static hub_group **find(hub *self, weir_str name)
{
    hub_group **at = &self->buckets[bucket_of(name)];
    while (*at && !weir_str_eq(weir_str_of((*at)->name, (*at)->name_len), name))
        at = &(*at)->next;
    return at;
}

weir_err hub_new(hub **out, hub_changed_fn changed, void *user)
{
    hub *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    pthread_mutex_init(&self->lock, NULL);
    self->changed = changed;
    self->user = user;
    *out = self;
    return WEIR_OK;
}

void hub_free(hub *self)
{
    if (!self)
        return;
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void tell(hub *self, weir_str name)
{
    if (self->changed)
        self->changed(name, self->user);
}

static weir_err join(hub *self, weir_str name, hub_member *member)
{
    hub_group **at = find(self, name);
    if (!*at) {
        if (self->groups >= HUB_MAX_GROUPS)
            return WEIR_EFULL;
        hub_group *group = calloc(1, sizeof *group + name.len);
        if (!group)
            return WEIR_ENOMEM;
        weir_list_init(&group->members);
        group->name_len = name.len;
        memcpy(group->name, name.ptr, name.len);
        *at = group;
        self->groups++;
        tell(self, name);
    }
    member->group = *at;
    member->group->count++;
    weir_list_append(&member->group->members, &member->node);
    return WEIR_OK;
}

weir_err hub_join(hub *self, weir_str group, hub_member *member)
{
    pthread_mutex_lock(&self->lock);
    weir_err err = join(self, group, member);
    pthread_mutex_unlock(&self->lock);
    return err;
}

void hub_leave(hub *self, hub_member *member)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = member->group;
    if (group) {
        weir_list_remove(&member->node);
        member->group = NULL;
        if (--group->count == 0) {
            weir_str name = weir_str_of(group->name, group->name_len);
            *find(self, name) = group->next;
            self->groups--;
            tell(self, name);
            free(group);
        }
    }
    pthread_mutex_unlock(&self->lock);
}

static void send_group(hub_group *group, weir_payload *payload, hub_result *result)
{
    weir_list_each (node, next, &group->members) {
        hub_member *member = WEIR_CONTAINER_OF(node, hub_member, node);
        weir_err err = weir_call_send_payload_post(member->call, payload);
        if (!err) {
            result->delivered++;
        } else if (err != WEIR_ECLOSED) {
            result->dropped++;
            atomic_fetch_add(member->missed, 1);
        }
    }
}

hub_result hub_send(hub *self, weir_str name, weir_payload *payload)
{
    hub_result result = {0, 0};
    pthread_mutex_lock(&self->lock);
    hub_group *group = *find(self, name);
    if (group)
        send_group(group, payload, &result);
    pthread_mutex_unlock(&self->lock);
    return result;
}

hub_result hub_send_all(hub *self, weir_payload *payload)
{
    hub_result result = {0, 0};
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (hub_group *group = self->buckets[i]; group; group = group->next)
            send_group(group, payload, &result);
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

static void each(hub_group *group, void (*fn)(weir_call_id call, void *user), void *user)
{
    weir_list_each (node, next, &group->members)
        fn(WEIR_CONTAINER_OF(node, hub_member, node)->call, user);
}

void hub_each(hub *self, weir_str name, void (*fn)(weir_call_id call, void *user), void *user)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = *find(self, name);
    if (group)
        each(group, fn, user);
    pthread_mutex_unlock(&self->lock);
}

void hub_each_of_all(hub *self, void (*fn)(weir_call_id call, void *user), void *user)
{
    pthread_mutex_lock(&self->lock);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (hub_group *group = self->buckets[i]; group; group = group->next)
            each(group, fn, user);
    }
    pthread_mutex_unlock(&self->lock);
}

size_t hub_count(hub *self, weir_str name)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = *find(self, name);
    size_t count = group ? group->count : 0;
    pthread_mutex_unlock(&self->lock);
    return count;
}
