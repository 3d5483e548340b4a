#include "channels.h"

#include <stdlib.h>

#include "common/table.h"

#define PATIENCE_US WEIR_SECONDS(2)
#define TICK_US     INT64_C(200000)

/** A channel that is subscribed, and not confirmed yet. */
typedef struct pending {
    table_node node;
    weir_list order; /* oldest first */
    uint64_t number;
    char name[];
} pending;

/* Fences and pending channels are numbered together: a fence is open when nothing older is pending.
 */
struct channels {
    app *app;
    table names;
    weir_list pending;
    weir_list fences;
    uint64_t last_number;
    weir_timer timer; /* while there are fences */
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
    if (table_init(&self->names)) {
        free(self);
        return WEIR_ENOMEM;
    }
    self->app = host;
    weir_list_init(&self->pending);
    weir_list_init(&self->fences);
    *out = self;
    return WEIR_OK;
}

static void forget(struct channels *self, pending *gone)
{
    table_remove(&self->names, &gone->node);
    weir_list_remove(&gone->order);
    free(gone);
}

static void forget_all(struct channels *self)
{
    weir_list_each (node, next, &self->pending)
        forget(self, WEIR_CONTAINER_OF(node, pending, order));
}

static void forget_name(struct channels *self, weir_str name)
{
    table_node *found = table_find(&self->names, name);
    if (found)
        forget(self, WEIR_CONTAINER_OF(found, pending, node));
}

static void release(fence *waiting, weir_err err)
{
    weir_list_remove(&waiting->node);
    waiting->done(waiting, err);
}

void channels_free(struct channels *self)
{
    if (!self)
        return;
    weir_loop_cancel(self->app->loop, &self->timer);
    weir_list_each (node, next, &self->fences)
        release(WEIR_CONTAINER_OF(node, fence, node), WEIR_ECANCELED);
    forget_all(self);
    table_fini(&self->names);
    free(self);
}

static void note_pending(struct channels *self, weir_str name)
{
    pending *made = calloc(1, sizeof *made + name.len);
    if (!made)
        return; /* its messages may come with the next heads only */
    memcpy(made->name, name.ptr, name.len);
    made->number = ++self->last_number;
    table_add(&self->names, &made->node, weir_str_of(made->name, name.len));
    weir_list_append(&self->pending, &made->order);
}

/** Opens those that need not wait any more. */
static void look_at_fences(struct channels *self)
{
    weir_time now = weir_loop_now(self->app->loop);
    uint64_t open = UINT64_MAX;
    if (!weir_list_empty(&self->pending))
        open = WEIR_CONTAINER_OF(self->pending.next, pending, order)->number;
    weir_list_each (node, next, &self->fences) {
        fence *waiting = WEIR_CONTAINER_OF(node, fence, node);
        if (!self->away && waiting->number > open && waiting->until.us > now.us)
            break;
        release(waiting, WEIR_OK);
    }
}

static void on_tick(weir_timer *timer, void *user)
{
    struct channels *self = user;
    look_at_fences(self);
    if (!weir_list_empty(&self->fences))
        weir_loop_after(self->app->loop, timer, TICK_US, on_tick, self);
}

/** What matters is how it is now: several changes of one group may be on their way. */
static void apply(struct channels *self, weir_str group)
{
    app *host = self->app;
    bool wanted = hub_count(host->chats, group) > 0 || hub_count(host->topics, group) > 0;
    if (!wanted) {
        bus_unsubscribe(host->bus, group);
        forget_name(self, group);
        look_at_fences(self);
        return;
    }
    weir_err err = bus_subscribe(host->bus, group);
    if (!err && !self->away)
        note_pending(self, group);
    else if (err && err != WEIR_EEXIST)
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

static void on_wait(weir_task *task, weir_err err)
{
    fence *waiting = WEIR_CONTAINER_OF(task, fence, task);
    struct channels *self = waiting->channels;
    if (err) { /* the loop is gone, and the channels with it */
        waiting->done(waiting, err);
        return;
    }
    bool first = weir_list_empty(&self->fences);
    weir_time now = weir_loop_now(self->app->loop);
    waiting->number = ++self->last_number;
    waiting->until = (weir_time){now.us + PATIENCE_US};
    weir_list_append(&self->fences, &waiting->node);
    look_at_fences(self);
    if (first && !weir_list_empty(&self->fences))
        weir_loop_after(self->app->loop, &self->timer, TICK_US, on_tick, self);
}

void channels_wait(struct channels *self, fence *waiting)
{
    waiting->channels = self;
    weir_loop_post(self->app->loop, &waiting->task, on_wait);
}

void channels_ready(struct channels *self, weir_str channel)
{
    forget_name(self, channel);
    look_at_fences(self);
}

/** A bus that is back confirms all channels anew; who missed something meanwhile is refreshed. */
void channels_bus_changed(struct channels *self, bool up)
{
    self->away = !up;
    forget_all(self);
    look_at_fences(self);
}
