#include "hub.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/table.h"

/** The members of a group that live in one loop. Only that loop changes it, under the lock, and so
 * may walk through it without. */
typedef struct hub_part {
    struct hub_part *next; /* of the group's */
    struct hub_group *group;
    weir_loop *loop;
    weir_list members;
    size_t relays; /* on their way to it: it stays so long */
} hub_part;

typedef struct hub_group {
    table_node node;
    hub_part *parts;
    size_t count; /* members */
    char name[];
} hub_group;

struct hub {
    hub_opts opts;
    pthread_mutex_t lock;
    table groups;
};

/** A message on its way to a part. */
typedef struct relay {
    weir_task task;
    hub *hub;
    hub_part *part;
    weir_payload *payload;
} relay;

weir_err hub_new(hub **out, const hub_opts *opts)
{
    hub *self = calloc(1, sizeof *self);
    if (!self || table_init(&self->groups)) {
        free(self);
        return WEIR_ENOMEM;
    }
    self->opts = *opts;
    pthread_mutex_init(&self->lock, NULL);
    *out = self;
    return WEIR_OK;
}

void hub_free(hub *self)
{
    if (!self)
        return;
    table_fini(&self->groups);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static hub_group *find(const hub *self, weir_str name)
{
    table_node *node = table_find(&self->groups, name);
    return node ? WEIR_CONTAINER_OF(node, hub_group, node) : NULL;
}

static hub_group *find_or_add(hub *self, weir_str name)
{
    hub_group *group = find(self, name);
    if (group)
        return group;
    group = calloc(1, sizeof *group + name.len);
    if (group) {
        memcpy(group->name, name.ptr, name.len);
        table_add(&self->groups, &group->node, weir_str_of(group->name, name.len));
    }
    return group;
}

static hub_part *part_of(hub_group *group, weir_loop *loop)
{
    hub_part *part = group->parts;
    while (part && part->loop != loop)
        part = part->next;
    if (part)
        return part;
    part = calloc(1, sizeof *part);
    if (part) {
        *part = (hub_part){.next = group->parts, .group = group, .loop = loop};
        weir_list_init(&part->members);
        group->parts = part;
    }
    return part;
}

/** Frees what nobody needs any more. */
static void tidy(hub *self, hub_group *group)
{
    for (hub_part **at = &group->parts; *at;) {
        hub_part *part = *at;
        if (weir_list_empty(&part->members) && part->relays == 0) {
            *at = part->next;
            free(part);
        } else {
            at = &part->next;
        }
    }
    if (!group->parts) {
        table_remove(&self->groups, &group->node);
        free(group);
    }
}

static void changed(const hub *self, const hub_group *group)
{
    if (self->opts.changed)
        self->opts.changed(group->node.key, self->opts.user);
}

static weir_err join(hub *self, weir_str name, hub_member *member, weir_loop *loop)
{
    if (self->groups.count >= HUB_MAX_GROUPS && !find(self, name))
        return WEIR_EFULL;
    hub_group *group = find_or_add(self, name);
    hub_part *part = group ? part_of(group, loop) : NULL;
    if (!part) {
        if (group)
            tidy(self, group);
        return WEIR_ENOMEM;
    }
    member->part = part;
    weir_list_append(&part->members, &member->node);
    if (group->count++ == 0)
        changed(self, group);
    return WEIR_OK;
}

weir_err hub_join(hub *self, weir_str group, hub_member *member, weir_loop *loop)
{
    pthread_mutex_lock(&self->lock);
    weir_err err = join(self, group, member, loop);
    pthread_mutex_unlock(&self->lock);
    return err;
}

void hub_leave(hub *self, hub_member *member)
{
    if (!member->part)
        return;
    pthread_mutex_lock(&self->lock);
    hub_group *group = member->part->group;
    weir_list_remove(&member->node);
    member->part = NULL;
    if (--group->count == 0)
        changed(self, group);
    tidy(self, group);
    pthread_mutex_unlock(&self->lock);
}

/* Sending. */

/** To the members that are in the part now. */
static void deliver(const hub *self, hub_part *part, weir_payload *payload)
{
    unsigned pushed = 0, missed = 0;
    weir_list_each (node, next, &part->members) {
        hub_member *member = WEIR_CONTAINER_OF(node, hub_member, node);
        weir_call *call = weir_call_get(part->loop, member->call);
        weir_err err = call ? weir_call_send_payload(call, payload) : WEIR_ECLOSED;
        if (!err) {
            pushed++;
        } else if (err != WEIR_ECLOSED && err != WEIR_ESTATE) {
            missed++;
            atomic_fetch_add(member->missed, 1);
        }
    }
    if (self->opts.pushed)
        atomic_fetch_add(self->opts.pushed, pushed);
    if (self->opts.missed)
        atomic_fetch_add(self->opts.missed, missed);
}

static void on_relay(weir_task *task, weir_err err)
{
    relay *self = WEIR_CONTAINER_OF(task, relay, task);
    hub *of = self->hub;
    if (!err)
        deliver(of, self->part, self->payload);
    pthread_mutex_lock(&of->lock);
    self->part->relays--;
    tidy(of, self->part->group);
    pthread_mutex_unlock(&of->lock);
    weir_payload_unref(self->payload);
    free(self);
}

static void miss(hub *self, hub_part *part)
{
    weir_list_each (node, next, &part->members) {
        atomic_fetch_add(WEIR_CONTAINER_OF(node, hub_member, node)->missed, 1);
        if (self->opts.missed)
            atomic_fetch_add(self->opts.missed, 1);
    }
}

void hub_send(hub *self, weir_str name, weir_payload *payload)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = find(self, name);
    for (hub_part *part = group ? group->parts : NULL; part; part = part->next) {
        if (weir_list_empty(&part->members))
            continue;
        relay *made = malloc(sizeof *made);
        if (!made) {
            miss(self, part);
            continue;
        }
        *made = (relay){.hub = self, .part = part, .payload = weir_payload_ref(payload)};
        part->relays++;
        weir_loop_post(part->loop, &made->task, on_relay);
    }
    pthread_mutex_unlock(&self->lock);
}

void hub_each(hub *self, weir_str name, void (*fn)(weir_call_id call, void *user), void *user)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = find(self, name);
    for (hub_part *part = group ? group->parts : NULL; part; part = part->next) {
        weir_list_each (node, next, &part->members)
            fn(WEIR_CONTAINER_OF(node, hub_member, node)->call, user);
    }
    pthread_mutex_unlock(&self->lock);
}

size_t hub_count(hub *self, weir_str name)
{
    pthread_mutex_lock(&self->lock);
    hub_group *group = find(self, name);
    size_t count = group ? group->count : 0;
    pthread_mutex_unlock(&self->lock);
    return count;
}
