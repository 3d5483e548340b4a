/* Within the process: every "local" bus of the process hears the others, also those of other loops.
 *
 * One lock covers the list of buses, their channels (which only their own loop changes) and their
 * inboxes. A loop is woken once for many messages. */
#include "bus_impl.h"
#include "table.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct channel {
    table_node node;
    weir_list link; /* in `all` */
    bool told;      /* that it is ready */
    size_t name_len;
    char name[];
} channel;

/** A message on its way, or (no bytes) word that a channel is ready. */
typedef struct letter {
    weir_list link;
    bool ready;
    size_t name_len, len;
    char bytes[]; /* the name, then the message */
} letter;

typedef struct bus_local {
    bus base;
    weir_loop *loop;
    bus_events events;
    weir_list link;    /* in `buses` */
    table channels;    /* written under the lock, by the loop */
    weir_list all;     /* channels */
    weir_list inbox;   /* under the lock */
    size_t inbox_size; /* bytes in it; at most BUS_MAX_UNSENT, more is dropped */
    weir_task task;
    bool posted;       /* under the lock */
    bool busy, closed; /* the loop's: events run; the bus goes when they have */
    bus_stats stats;   /* the loop's */
} bus_local;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_list buses = {&buses, &buses};

static channel *find(const bus_local *self, weir_str name)
{
    table_node *node = table_find(&self->channels, name);
    return node ? WEIR_CONTAINER_OF(node, channel, node) : NULL;
}

static void destroy(bus_local *self)
{
    for (weir_list *link; (link = weir_list_pop(&self->inbox));)
        free(WEIR_CONTAINER_OF(link, letter, link));
    for (weir_list *link; (link = weir_list_pop(&self->all));)
        free(WEIR_CONTAINER_OF(link, channel, link));
    table_fini(&self->channels);
    free(self);
}

/* Delivery, in the loop of who gets it. */

static void deliver(bus_local *self, const letter *l)
{
    weir_str name = weir_str_of(l->bytes, l->name_len);
    channel *c = find(self, name);
    if (!c)
        return;
    if (!l->ready) {
        self->stats.received++;
        self->events.message(name, weir_str_of(l->bytes + l->name_len, l->len), self->events.user);
    } else if (!c->told) { /* else word of an earlier subscription */
        c->told = true;
        self->events.ready(name, self->events.user);
    }
}

static void on_task(weir_task *task, weir_err err)
{
    bus_local *self = WEIR_CONTAINER_OF(task, bus_local, task);
    weir_list now;
    weir_list_init(&now);
    pthread_mutex_lock(&lock);
    weir_list_splice(&now, &self->inbox);
    self->inbox_size = 0;
    self->posted = false;
    pthread_mutex_unlock(&lock);
    self->busy = true;
    for (weir_list *link; (link = weir_list_pop(&now));) {
        letter *l = WEIR_CONTAINER_OF(link, letter, link);
        if (!self->closed && !err)
            deliver(self, l);
        free(l);
    }
    self->busy = false;
    if (!self->closed)
        return;
    /* What came before it was closed may have posted the task again; nothing comes after. */
    pthread_mutex_lock(&lock);
    bool posted = self->posted;
    pthread_mutex_unlock(&lock);
    if (!posted)
        destroy(self);
}

/* Sending, in any loop, under the lock. */

/** @return false: no memory, or no room */
static bool put(bus_local *to, weir_str name, weir_str bytes, bool ready)
{
    size_t size = sizeof(letter) + name.len + bytes.len;
    if (!ready && (size > BUS_MAX_UNSENT || to->inbox_size > BUS_MAX_UNSENT - size))
        return false;
    letter *l = malloc(size);
    if (!l)
        return false;
    *l = (letter){.ready = ready, .name_len = name.len, .len = bytes.len};
    memcpy(l->bytes, name.ptr, name.len);
    if (bytes.len > 0)
        memcpy(l->bytes + name.len, bytes.ptr, bytes.len);
    weir_list_append(&to->inbox, &l->link);
    to->inbox_size += size;
    if (!to->posted) {
        to->posted = true;
        weir_loop_post(to->loop, &to->task, on_task);
    }
    return true;
}

static void publish(bus *base, weir_str name, weir_str bytes)
{
    bus_local *self = (bus_local *)base;
    bool dropped = false;
    if (self->closed)
        return;
    pthread_mutex_lock(&lock);
    weir_list_each (link, next, &buses) {
        bus_local *to = WEIR_CONTAINER_OF(link, bus_local, link);
        if (find(to, name) && !put(to, name, bytes, false))
            dropped = true;
    }
    pthread_mutex_unlock(&lock);
    if (dropped)
        self->stats.dropped++;
    else
        self->stats.published++;
}

/* The rest of the table. */

static weir_err subscribe(bus *base, weir_str name)
{
    bus_local *self = (bus_local *)base;
    if (name.len == 0 || name.len > BUS_MAX_CHANNEL)
        return WEIR_EINVAL;
    if (find(self, name))
        return WEIR_EEXIST;
    channel *c = calloc(1, sizeof *c + name.len);
    if (!c)
        return WEIR_ENOMEM;
    c->name_len = name.len;
    memcpy(c->name, name.ptr, name.len);
    pthread_mutex_lock(&lock);
    bool told = put(self, name, weir_str_of(NULL, 0), true);
    if (told) {
        table_add(&self->channels, &c->node, weir_str_of(c->name, name.len));
        weir_list_append(&self->all, &c->link);
    }
    pthread_mutex_unlock(&lock);
    if (!told)
        free(c);
    return told ? WEIR_OK : WEIR_ENOMEM;
}

static void unsubscribe(bus *base, weir_str name)
{
    bus_local *self = (bus_local *)base;
    channel *c = find(self, name);
    if (!c)
        return;
    pthread_mutex_lock(&lock);
    table_remove(&self->channels, &c->node);
    pthread_mutex_unlock(&lock);
    weir_list_remove(&c->link);
    free(c);
}

static void get_stats(const bus *base, bus_stats *out)
{
    const bus_local *self = (const bus_local *)base;
    *out = self->stats;
    out->channels = self->channels.count;
}

static void close_bus(bus *base)
{
    bus_local *self = (bus_local *)base;
    if (self->closed)
        return;
    self->closed = true;
    pthread_mutex_lock(&lock);
    weir_list_remove(&self->link); /* nobody posts to it any more */
    bool posted = self->posted;
    pthread_mutex_unlock(&lock);
    if (!self->busy && !posted)
        destroy(self);
}

static const bus_ops ops = {subscribe, unsubscribe, publish, get_stats, close_bus};

weir_err bus_local_open(bus **out, weir_loop *loop, const bus_events *events)
{
    bus_local *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->base.ops = &ops;
    self->loop = loop;
    self->events = *events;
    weir_list_init(&self->all);
    weir_list_init(&self->inbox);
    weir_err err = table_init(&self->channels);
    if (err) {
        free(self);
        return err;
    }
    pthread_mutex_lock(&lock);
    weir_list_append(&buses, &self->link);
    pthread_mutex_unlock(&lock);
    *out = &self->base;
    return WEIR_OK;
}
