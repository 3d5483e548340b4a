/**
 * @file
 * What the tests of the bus share: a bus that notes what it is told.
 */
#ifndef CHAT_BUS_BUS_TEST_H
#define CHAT_BUS_BUS_TEST_H

#include "bus.h"
#include "redis_server.h"
#include "run_until.h"
#include "test.h"

/** A bus and what it has told. */
typedef struct peer {
    bus *bus;
    int messages, ready, downs, ups;
    char channel[BUS_MAX_CHANNEL + 1]; /* of the last message, or of `ready` */
    char bytes[64];
    size_t len;
    int out_of_order; /* messages that are no "N", one more than the one before */
    int last;
    void (*on_message)(struct peer *p);
} peer;

static inline void note_channel(peer *p, weir_str channel)
{
    snprintf(p->channel, sizeof p->channel, "%.*s", WEIR_STR_ARGS(channel));
}

static inline void note_message(weir_str channel, weir_str bytes, void *user)
{
    peer *p = user;
    p->messages++;
    note_channel(p, channel);
    p->len = bytes.len;
    memset(p->bytes, 0, sizeof p->bytes);
    memcpy(p->bytes, bytes.ptr, bytes.len < sizeof p->bytes ? bytes.len : sizeof p->bytes - 1);
    p->out_of_order += atoi(p->bytes) != p->last + 1;
    p->last = atoi(p->bytes);
    if (p->on_message)
        p->on_message(p);
}

static inline void note_ready(weir_str channel, void *user)
{
    peer *p = user;
    p->ready++;
    note_channel(p, channel);
}

static inline void note_changed(bool up, void *user)
{
    peer *p = user;
    if (up)
        p->ups++;
    else
        p->downs++;
}

static inline void open_peer(peer *p, weir_loop *loop, const char *url)
{
    const bus_events events = {note_message, note_ready, note_changed, p};
    weir_why why = {""};
    *p = (peer){0};
    weir_err err = bus_open(&p->bus, loop, url, &events, &why);
    if (err)
        fail_msg("%s: %s", weir_err_name(err), why.text);
}

/** And it is ready. */
static inline void subscribe_to(peer *p, weir_loop *loop, const char *channel)
{
    int before = p->ready;
    assert_ok(bus_subscribe(p->bus, weir_str_from(channel)));
    assert_int_equal(p->ready, before); /* not inside the function */
    run_until(loop, p->ready > before);
    assert_string_equal(p->channel, channel);
}

static inline void say(const peer *p, const char *channel, const char *text)
{
    bus_publish(p->bus, weir_str_from(channel), weir_str_from(text));
}

static inline bus_stats stats_of(const peer *p)
{
    bus_stats stats;
    bus_get_stats(p->bus, &stats);
    return stats;
}

#endif
