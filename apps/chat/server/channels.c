#include "channels.h"

#include <stdlib.h>

/* A fence is a channel of its own: the bus confirms subscriptions in their order, so when the
 * fence's is confirmed, so are all before it. */

struct channels {
    app *app;
    weir_list fences;
    uint64_t last_fence;
    bool away;
};

/** A group's name on its way to the loop. */
typedef struct change {
    weir_task task;
    app *app;
    size_t len;
    char group[];
} change;

weir_err channels_new(struct channels **out, app *host)
{
    struct channels *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->app = host;
    weir_list_init(&self->fences);
    *out = self;
    return WEIR_OK;
}

void channels_free(struct channels *self)
{
    free(self);
}

/** What matters is how it is now: several changes of one group may be on their way. */
static void apply(struct channels *self, weir_str group)
{
    app *host = self->app;
    bool wanted = hub_count(host->chats, group) > 0 || hub_count(host->topics, group) > 0;
    if (!wanted) {
        bus_unsubscribe(host->bus, group);
        return;
    }
    weir_err err = bus_subscribe(host->bus, group);
    if (err && err != WEIR_EEXIST)
        WEIR_LOG_WARN("a channel cannot be heard (%s): its messages come with the next heads",
                      weir_err_text(err));
}

static void on_change(weir_task *task, weir_err err)
{
    change *self = WEIR_CONTAINER_OF(task, change, task);
    if (!err && self->app->bus)
        apply(self->app->channels, weir_str_of(self->group, self->len));
    free(self);
}

void channels_changed(weir_str group, void *user)
{
    app *host = user;
    if (group.len < 2 || group.ptr[1] != '/')
        return; /* this node's own, such as "all" */
    change *note = malloc(sizeof *note + group.len);
    if (!note)
        return; /* the next heads bring what is missed */
    note->app = host;
    note->len = group.len;
    memcpy(note->group, group.ptr, group.len);
    weir_loop_post(host->loop, &note->task, on_change);
}

static void release(fence *waiting)
{
    weir_list_remove(&waiting->node);
    waiting->done(waiting);
}

static void on_wait(weir_task *task, weir_err err)
{
    fence *waiting = WEIR_CONTAINER_OF(task, fence, task);
    struct channels *self = waiting->channels;
    char name[CHAT_CHANNEL_MAX];
    waiting->number = ++self->last_fence;
    weir_list_append(&self->fences, &waiting->node);
    if (err || self->away || !self->app->bus ||
        bus_subscribe(self->app->bus, chat_channel(name, 'f', waiting->number)))
        release(waiting);
}

void channels_wait(struct channels *self, fence *waiting)
{
    waiting->channels = self;
    weir_loop_post(self->app->loop, &waiting->task, on_wait);
}

void channels_ready(struct channels *self, weir_str channel)
{
    if (channel.len == 0 || channel.ptr[0] != 'f')
        return;
    weir_list_each (node, next, &self->fences) {
        char name[CHAT_CHANNEL_MAX];
        fence *waiting = WEIR_CONTAINER_OF(node, fence, node);
        if (weir_str_eq(chat_channel(name, 'f', waiting->number), channel)) {
            release(waiting);
            break;
        }
    }
    bus_unsubscribe(self->app->bus, channel);
}

void channels_bus_changed(struct channels *self, bool up)
{
    self->away = !up;
    weir_list_each (node, next, &self->fences)
        release(WEIR_CONTAINER_OF(node, fence, node));
}
