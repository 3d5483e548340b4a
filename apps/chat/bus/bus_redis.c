/* Redis's pub/sub. A connection that has subscribed may not publish (RESP2), so there are two; the
 * bus is up while both are.
 *
 * What this node publishes comes back to it by Redis, like everybody's. */
#include "bus_impl.h"
#include "redis_client.h"
#include "table.h"

#include <stdlib.h>

enum {
    BATCH = 500,           /* channels of one command */
    MAX_UNCONFIRMED = 5000 /* of the commands that are under way: bounds what is unsent */
};

/** What Redis knows of a channel on this connection. */
typedef enum channel_state {
    CHANNEL_ABSENT,
    CHANNEL_SUBSCRIBING,
    CHANNEL_SUBSCRIBED,
    CHANNEL_UNSUBSCRIBING
} channel_state;

/** A channel that is wanted, or that Redis still knows. A command follows another on the same
 * channel only when that is confirmed, so that a confirmation is never that of an older one. */
typedef struct channel {
    table_node node;
    weir_list link; /* in `todo`, or in `settled` */
    channel_state state;
    bool wanted;
    bool told; /* that it is ready */
    size_t name_len;
    char name[];
} channel;

typedef struct bus_redis {
    bus base;
    weir_loop *loop;
    bus_events events;
    redis_client *sub, *pub;
    table channels;
    weir_list todo;    /* what is wanted and what Redis knows may differ */
    weir_list settled; /* nothing to do, or a command is under way */
    weir_deferred turn;
    size_t unconfirmed;
    size_t wanted;
    bool up, was_up;
    bool busy, closed; /* events run; the bus goes when they have */
    bus_stats stats;
} bus_redis;

static weir_str name_of(const channel *c)
{
    return weir_str_of(c->name, c->name_len);
}

static channel *find(const bus_redis *self, weir_str name)
{
    table_node *node = table_find(&self->channels, name);
    return node ? WEIR_CONTAINER_OF(node, channel, node) : NULL;
}

static void move(channel *c, weir_list *to)
{
    weir_list_remove(&c->link);
    weir_list_append(to, &c->link);
}

/** It is looked at at the end of the turn. */
static void look_at(bus_redis *self, channel *c)
{
    move(c, &self->todo);
    weir_loop_defer(self->loop, &self->turn);
}

static void forget(bus_redis *self, channel *c)
{
    table_remove(&self->channels, &c->node);
    weir_list_remove(&c->link);
    free(c);
}

static void destroy(bus_redis *self)
{
    weir_list_splice(&self->todo, &self->settled);
    for (weir_list *link; (link = weir_list_pop(&self->todo));)
        free(WEIR_CONTAINER_OF(link, channel, link));
    table_fini(&self->channels);
    free(self);
}

/** Events have run, and may have closed it: it may be gone. */
static void leave(bus_redis *self)
{
    self->busy = false;
    if (self->closed)
        destroy(self);
}

/* What is wanted becomes what Redis knows. */

static const char subscribe_word[] = "SUBSCRIBE", unsubscribe_word[] = "UNSUBSCRIBE";

/** The command that the channel is in need of; NULL: none. */
static const char *command_of(const channel *c)
{
    if (c->wanted && c->state == CHANNEL_ABSENT)
        return subscribe_word;
    if (!c->wanted && c->state == CHANNEL_SUBSCRIBED)
        return unsubscribe_word;
    return NULL;
}

/** The next channels of the same command, in one.
 * @return false: it could not be sent */
static bool send_batch(bus_redis *self, const char *command)
{
    weir_str args[1 + BATCH] = {weir_str_from(command)};
    size_t count = 1;
    weir_list_each (link, next, &self->todo) {
        channel *c = WEIR_CONTAINER_OF(link, channel, link);
        if (count > BATCH || command_of(c) != command)
            break;
        args[count++] = name_of(c);
    }
    if (redis_client_send_pubsub(self->sub, args, count)) {
        redis_client_reject(self->sub, "a command cannot be sent: all of it anew");
        return false;
    }
    for (size_t i = 1; i < count; i++) {
        channel *c = WEIR_CONTAINER_OF(self->todo.next, channel, link);
        c->state = c->wanted ? CHANNEL_SUBSCRIBING : CHANNEL_UNSUBSCRIBING;
        move(c, &self->settled);
    }
    self->unconfirmed += count - 1;
    return true;
}

/** Nothing is to be sent for it. */
static void settle(bus_redis *self, channel *c)
{
    if (!c->wanted && c->state == CHANNEL_ABSENT) {
        forget(self, c);
        return;
    }
    move(c, &self->settled);
    if (c->wanted && c->state == CHANNEL_SUBSCRIBED && !c->told) {
        c->told = true;
        self->events.ready(name_of(c), self->events.user);
    }
}

static void on_turn(weir_deferred *work)
{
    bus_redis *self = WEIR_CONTAINER_OF(work, bus_redis, turn);
    self->busy = true;
    while (!self->closed && !weir_list_empty(&self->todo)) {
        channel *c = WEIR_CONTAINER_OF(self->todo.next, channel, link);
        const char *command = command_of(c);
        if (!command)
            settle(self, c);
        else if (!self->up || self->unconfirmed >= MAX_UNCONFIRMED || !send_batch(self, command))
            break; /* looked at again when the bus is up, or something is confirmed */
    }
    leave(self);
}

/* The connection that subscribes. */

static void on_confirmed(bus_redis *self, weir_str name, channel_state from, channel_state to)
{
    channel *c = find(self, name);
    if (!c || c->state != from) {
        redis_client_reject(self->sub, "it confirms what was not asked for");
        return;
    }
    c->state = to;
    self->unconfirmed--;
    if (command_of(c))
        look_at(self, c);
    else
        settle(self, c);
    if (!self->closed && !weir_list_empty(&self->todo)) /* there may be room for more */
        weir_loop_defer(self->loop, &self->turn);
}

static void on_message(bus_redis *self, weir_str name, const redisReply *bytes)
{
    const channel *c = find(self, name);
    if (!bytes || bytes->type != REDIS_REPLY_STRING) {
        redis_client_reject(self->sub, "a message is not a string");
    } else if (c && c->wanted) {
        self->stats.received++;
        self->events.message(name, redis_reply_text(bytes), self->events.user);
    }
}

static void on_push(const redisReply *push, void *user)
{
    bus_redis *self = user;
    const redisReply *kind = redis_reply_at(push, 0);
    weir_str name = redis_reply_text(redis_reply_at(push, 1));
    self->busy = true;
    if (redis_reply_is(kind, "message"))
        on_message(self, name, redis_reply_at(push, 2));
    else if (redis_reply_is(kind, "subscribe"))
        on_confirmed(self, name, CHANNEL_SUBSCRIBING, CHANNEL_SUBSCRIBED);
    else if (redis_reply_is(kind, "unsubscribe"))
        on_confirmed(self, name, CHANNEL_UNSUBSCRIBING, CHANNEL_ABSENT);
    else
        redis_client_reject(self->sub, "pub/sub of a kind that was not asked for");
    leave(self);
}

/* Both connections. */

static void tell_changed(bus_redis *self, bool up)
{
    self->up = up;
    if (self->events.changed)
        self->events.changed(up, self->events.user);
}

static void on_up(void *user)
{
    bus_redis *self = user;
    if (!redis_client_is_up(self->sub) || !redis_client_is_up(self->pub))
        return;
    self->busy = true;
    self->up = true;
    if (self->was_up) {
        self->stats.reconnects++;
        tell_changed(self, true);
    }
    self->was_up = true;
    if (!self->closed)
        weir_loop_defer(self->loop, &self->turn);
    leave(self);
}

static void on_lost(bus_redis *self)
{
    self->busy = true;
    if (self->up)
        tell_changed(self, false);
    leave(self);
}

/** Redis has forgotten every channel. */
static void on_sub_down(void *user)
{
    bus_redis *self = user;
    self->unconfirmed = 0;
    weir_list_splice(&self->todo, &self->settled);
    weir_list_each (link, next, &self->todo) {
        channel *c = WEIR_CONTAINER_OF(link, channel, link);
        c->state = CHANNEL_ABSENT;
        c->told = false;
    }
    on_lost(self);
}

/** The other one is made anew too, so that `ready` says that both are. */
static void on_pub_down(void *user)
{
    bus_redis *self = user;
    if (redis_client_is_up(self->sub))
        redis_client_reject(self->sub, "the connection that publishes is lost");
    on_lost(self);
}

/* Publishing. */

static void on_published(weir_err err, const redisReply *reply, void *user)
{
    bus_redis *self = user;
    if (!err && reply->type == REDIS_REPLY_INTEGER)
        self->stats.published++;
    else
        self->stats.dropped++; /* perhaps: its answer may be what was lost */
}

static void publish(bus *base, weir_str name, weir_str bytes)
{
    bus_redis *self = (bus_redis *)base;
    const weir_str args[] = {WEIR_STR("PUBLISH"), name, bytes};
    if (redis_client_send(self->pub, args, 3, on_published, self))
        self->stats.dropped++;
}

/* The rest of the table. */

static channel *channel_new(weir_str name)
{
    channel *c = calloc(1, sizeof *c + name.len);
    if (c) {
        c->name_len = name.len;
        memcpy(c->name, name.ptr, name.len);
    }
    return c;
}

static weir_err subscribe(bus *base, weir_str name)
{
    bus_redis *self = (bus_redis *)base;
    channel *c = find(self, name);
    if (name.len == 0 || name.len > BUS_MAX_CHANNEL)
        return WEIR_EINVAL;
    if (c && c->wanted)
        return WEIR_EEXIST;
    if (!c) {
        c = channel_new(name);
        if (!c)
            return WEIR_ENOMEM;
        table_add(&self->channels, &c->node, name_of(c));
    }
    c->wanted = true;
    c->told = false;
    self->wanted++;
    look_at(self, c);
    return WEIR_OK;
}

static void unsubscribe(bus *base, weir_str name)
{
    bus_redis *self = (bus_redis *)base;
    channel *c = find(self, name);
    if (!c || !c->wanted)
        return;
    c->wanted = false;
    self->wanted--;
    if (c->state == CHANNEL_ABSENT)
        forget(self, c);
    else
        look_at(self, c);
}

static void get_stats(const bus *base, bus_stats *out)
{
    const bus_redis *self = (const bus_redis *)base;
    *out = self->stats;
    out->channels = self->wanted;
}

static void close_bus(bus *base)
{
    bus_redis *self = (bus_redis *)base;
    if (self->closed)
        return;
    self->closed = true;
    weir_loop_undefer(self->loop, &self->turn);
    redis_client_free(self->pub);
    redis_client_free(self->sub);
    if (!self->busy)
        destroy(self);
}

static const bus_ops ops = {subscribe, unsubscribe, publish, get_stats, close_bus};

static weir_err connect_both(bus_redis *self, const char *url, weir_why *why)
{
    const redis_client_events sub = {on_up, on_sub_down, on_push, self};
    const redis_client_events pub = {on_up, on_pub_down, NULL, self};
    const redis_client_opts opts = {.max_unsent = BUS_MAX_UNSENT};
    weir_err err = redis_client_new(&self->sub, self->loop, url, &sub, &opts, why);
    if (!err)
        err = redis_client_new(&self->pub, self->loop, url, &pub, &opts, why);
    return err;
}

weir_err bus_redis_open(bus **out, weir_loop *loop, const char *url, const bus_events *events,
                        weir_why *why)
{
    bus_redis *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->base.ops = &ops;
    self->loop = loop;
    self->events = *events;
    self->turn.fn = on_turn;
    weir_list_init(&self->todo);
    weir_list_init(&self->settled);
    weir_err err = table_init(&self->channels);
    if (!err)
        err = connect_both(self, url, why);
    if (err) {
        close_bus(&self->base);
        return err;
    }
    *out = &self->base;
    return WEIR_OK;
}
