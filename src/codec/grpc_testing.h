/**
 * @file
 * For tests of the engine: two ends back to back in memory, with a clock that the test turns. What
 * an end sees is written down as text; `act` may answer.
 */
#ifndef WEIR_CODEC_GRPC_TESTING_H
#define WEIR_CODEC_GRPC_TESTING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/codec/grpc.h>

/* One end and what it has seen, as text. */
typedef struct end {
    weir_grpc *grpc;
    weir_timers timers;
    weir_pool *pool;
    char seen[4096];
    weir_grpc_call *call; /* the last one */
    int writable;
    int pings, pongs;
    weir_grpc_fate fate; /* of the last call that closed */
    size_t received_bytes;
    void (*act)(struct end *end, weir_grpc_call *call, const char *event);
} end;

typedef struct pair {
    end client, server;
    weir_time now;
} pair;

static inline void note(end *e, const char *fmt, ...) WEIR_PRINTF(2, 3);
static inline void note(end *e, const char *fmt, ...)
{
    size_t len = strlen(e->seen);
    va_list args;
    va_start(args, fmt);
    vsnprintf(e->seen + len, sizeof e->seen - len, fmt, args);
    va_end(args);
}

static inline void act(end *e, weir_grpc_call *call, const char *event)
{
    if (e->act)
        e->act(e, call, event);
}

static inline void on_request(weir_grpc_call *call, void *user)
{
    end *e = user;
    e->call = call;
    note(e, "request %.*s;", WEIR_STR_ARGS(weir_grpc_call_path(call)));
    act(e, call, "request");
}

static inline void on_headers(weir_grpc_call *call, void *user)
{
    note(user, "headers;");
    act(user, call, "headers");
}

static inline void on_message(weir_grpc_call *call, weir_str bytes, void *user)
{
    end *e = user;
    e->received_bytes += bytes.len;
    if (bytes.len <= 32)
        note(e, "message %.*s;", WEIR_STR_ARGS(bytes));
    act(e, call, "message");
}

static inline void on_half_close(weir_grpc_call *call, void *user)
{
    note(user, "half-close;");
    act(user, call, "half-close");
}

static inline void on_writable(weir_grpc_call *call, void *user)
{
    ((end *)user)->writable++;
    act(user, call, "writable");
}

static inline void on_close(weir_grpc_call *call, const weir_status *status, void *user)
{
    end *e = user;
    e->fate = weir_grpc_call_fate(call);
    note(e, "close %s%s%s;", weir_status_name(status->code), status->message.len ? " " : "",
         status->message.len ? status->message.ptr : "");
    act(e, call, "close");
    if (e->call == call)
        e->call = NULL;
}

static inline void on_goaway(weir_grpc *grpc, uint32_t code, weir_str debug, void *user)
{
    (void)grpc;
    note(user, "goaway %s %.*s;", weir_h2_code_name(code), WEIR_STR_ARGS(debug));
}

static inline void on_ping(weir_grpc *grpc, void *user)
{
    (void)grpc;
    ((end *)user)->pings++;
}

static inline void on_ping_ack(weir_grpc *grpc, void *user)
{
    (void)grpc;
    ((end *)user)->pongs++;
}

static const weir_grpc_ops ops = {
    .on_request = on_request,
    .on_headers = on_headers,
    .on_message = on_message,
    .on_half_close = on_half_close,
    .on_writable = on_writable,
    .on_close = on_close,
    .on_goaway = on_goaway,
    .on_ping = on_ping,
    .on_ping_ack = on_ping_ack,
};

static inline void end_open(end *e, weir_h2_role role, const weir_grpc_opts *opts, weir_time now)
{
    weir_timers_init(&e->timers, now);
    assert_ok(weir_pool_new(&e->pool, NULL));
    assert_ok(weir_grpc_new(&e->grpc, role, &ops, e, e->pool, &e->timers, opts));
}

static inline pair *pair_open(const weir_grpc_opts *client, const weir_grpc_opts *server)
{
    pair *p = calloc(1, sizeof *p);
    p->now.us = WEIR_SECONDS(1000);
    end_open(&p->client, WEIR_H2_CLIENT, client, p->now);
    end_open(&p->server, WEIR_H2_SERVER, server, p->now);
    return p;
}

static inline void pair_close(pair *p)
{
    weir_grpc_free(p->client.grpc, "closed");
    weir_grpc_free(p->server.grpc, "closed");
    weir_pool_free(p->client.pool);
    weir_pool_free(p->server.pool);
    free(p);
}

/** Moves what one end says to the other. @return whether there was anything */
static inline bool carry(pair *p, end *from, end *to)
{
    weir_buf wire;
    weir_buf_init(&wire, from->pool);
    assert_ok(weir_grpc_pull(from->grpc, &wire, 1 << 20));
    bool any = weir_buf_len(&wire) > 0;
    while (weir_buf_len(&wire) > 0) {
        weir_str front = weir_buf_front(&wire);
        char *copy = malloc(front.len);
        memcpy(copy, front.ptr, front.len);
        weir_err err = weir_grpc_feed(to->grpc, p->now, copy, front.len);
        free(copy);
        assert_ok(err);
        weir_buf_retrieve(&wire, front.len);
    }
    return any;
}

static inline void settle(pair *p)
{
    for (int turns = 0; turns < 1000; turns++) {
        bool more = carry(p, &p->client, &p->server);
        if (!carry(p, &p->server, &p->client) && !more)
            return;
    }
    fail_msg("the two ends never fall silent");
}

static inline void pass_time(pair *p, int64_t us)
{
    p->now = weir_time_add(p->now, us);
    weir_timers_advance(&p->client.timers, p->now);
    weir_timers_advance(&p->server.timers, p->now);
    settle(p);
}

static inline weir_grpc_call *start(pair *p, weir_time deadline, const weir_metadata *metadata)
{
    weir_grpc_start begin = {
        .path = WEIR_STR("/s.S/M"),
        .authority = WEIR_STR("localhost"),
        .user_agent = WEIR_STR("test"),
        .deadline = deadline,
        .metadata = metadata,
    };
    weir_grpc_call *call = NULL;
    assert_ok(weir_grpc_call_start(&call, p->client.grpc, &begin));
    p->client.call = call;
    return call;
}

static inline void send(weir_grpc_call *call, const char *text)
{
    uint8_t *room = NULL;
    assert_ok(weir_grpc_send_begin(call, strlen(text), &room));
    memcpy(room, text, strlen(text));
    weir_grpc_send_end(call);
}

static inline void finish(weir_grpc_call *call, weir_status_code code, const char *text)
{
    assert_ok(weir_grpc_finish(call, &(weir_status){code, weir_str_from(text), {0}}));
}

/** A server that answers each message and ends when the client does. */
static inline void echo(end *e, weir_grpc_call *call, const char *event)
{
    (void)e;
    if (strcmp(event, "message") == 0)
        send(call, "pong");
    if (strcmp(event, "half-close") == 0)
        finish(call, WEIR_STATUS_OK, "");
}

#endif
