/**
 * @file
 * How nodes tell each other what has happened: channels by name, at most once. What is lost here is
 * pulled from the store; the bus says when that may be so.
 *
 * Two implementations: within the process ("local": all such buses of the process hear each other,
 * in whatever loop they are), and Redis pub/sub ("redis://...").
 * @thread the loop's
 */
#ifndef CHAT_BUS_BUS_H
#define CHAT_BUS_BUS_H

#include <weir/net/loop.h>

typedef struct bus bus;

/** What a bus tells, in its loop. */
typedef struct bus_events {
    /** Published on a channel that is subscribed, by any node, this one included. */
    void (*message)(weir_str channel, weir_str bytes, void *user);
    /** From now on nothing that is published on the channel is missed: after bus_subscribe(), and
     * again for each channel after the connection had been lost. */
    void (*ready)(weir_str channel, void *user);
    /** The connection was lost (up: false; until `ready`, channels may miss something), or is back.
     * Never with "local". */
    void (*changed)(bool up, void *user);
    void *user;
} bus_events;

/** Counters. */
typedef struct bus_stats {
    uint64_t published;
    uint64_t received;
    uint64_t dropped; /**< not published: away, or too much unsent; or lost with the connection
                         before Redis had confirmed it */
    uint64_t reconnects;
    uint64_t channels; /**< subscribed now */
} bus_stats;

/** Every implementation's table. */
typedef struct bus_ops {
    weir_err (*subscribe)(bus *self, weir_str channel);
    void (*unsubscribe)(bus *self, weir_str channel);
    void (*publish)(bus *self, weir_str channel, weir_str bytes);
    void (*get_stats)(const bus *self, bus_stats *out);
    void (*close)(bus *self);
} bus_ops;

/** The beginning of every bus. */
struct bus {
    const bus_ops *ops;
};

enum {
    BUS_MAX_CHANNEL = 128,    /* bytes of a name */
    BUS_MAX_UNSENT = 16 << 20 /* bytes that wait for Redis; more is dropped and counted */
};

/**
 * @param url     "local", "redis://[:PASSWORD@]HOST:PORT" or "redis+unix://PATH"; a Redis that is
 * away does not make it fail: it goes on trying, 50 ms to 2 s apart with jitter
 * @param events  copied
 * @param why     a sentence on failure
 * @errors WEIR_EINVAL: the URL. WEIR_ENOMEM.
 */
WEIR_MUST_CHECK weir_err bus_open(bus **out, weir_loop *loop, const char *url,
                                  const bus_events *events, weir_why *why);

/** Once per channel. `ready` follows, not inside this function.
 * @errors WEIR_EINVAL: no name, or longer than BUS_MAX_CHANNEL. WEIR_ENOMEM, WEIR_EEXIST */
static inline weir_err bus_subscribe(bus *self, weir_str channel)
{
    return self->ops->subscribe(self, channel);
}

/** A channel that is not subscribed is fine. */
static inline void bus_unsubscribe(bus *self, weir_str channel)
{
    self->ops->unsubscribe(self, channel);
}

/** Best effort. `message` follows here too if the channel is subscribed here, not inside this
 * function. */
static inline void bus_publish(bus *self, weir_str channel, weir_str bytes)
{
    self->ops->publish(self, channel, bytes);
}

static inline void bus_get_stats(const bus *self, bus_stats *out)
{
    self->ops->get_stats(self, out);
}

/** No event follows. NULL is fine. */
static inline void bus_close(bus *self)
{
    if (self)
        self->ops->close(self);
}

#endif
