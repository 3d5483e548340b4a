#define WEIR_LOG_MODULE "chat"

#include "redis_client.h"

#include "redis_url.h"

#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>
#include <weir/net/tcp_client.h>

enum {
    TICK_US = 250000,
    STABLE_US = 10000000, /* one lost earlier counts as a failed attempt */
    MAX_UNSENT = 16 << 20,
    MAX_PENDING = 200000
};

struct redis_client {
    weir_loop *loop;
    weir_tcp_client *tcp;
    weir_conn *conn; /* from its on_up until its on_down has returned */
    redis_client_events events;
    redis_client_opts opts;
    redis_url url;
    redis_replies replies; /* of this connection */
    pending pending;
    weir_timer tick;
    weir_time heard; /* the last byte, or the first command that waits for an answer since */
    bool up, was_up, freed;
    bool subscribed; /* this connection's first word of pub/sub has been said */
    uint64_t reconnects;
};

bool redis_client_is_up(const redis_client *self)
{
    return self->up;
}

uint64_t redis_client_reconnects(const redis_client *self)
{
    return self->reconnects;
}

static void drop(redis_client *self, weir_err err, const char *what)
{
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10), "Redis at %s: %s", self->url.target,
                   what);
    if (self->conn)
        weir_conn_abort(self->conn, err);
}

void redis_client_reject(redis_client *self, const char *what)
{
    drop(self, WEIR_EPROTO, what);
}

/* Sending. */

/** What is unanswered gets its time from now on, if nothing was; not from when this turn began,
 * which may be long ago. */
static void expect(redis_client *self)
{
    if (self->pending.count == 0)
        self->heard = weir_time_now();
}

static weir_err send_command(redis_client *self, const weir_str *args, size_t count)
{
    char *command;
    size_t len;
    weir_err err = redis_command(&command, &len, args, count);
    if (err)
        return err;
    if (len > self->opts.max_unsent || weir_conn_unsent(self->conn) > self->opts.max_unsent - len)
        err = WEIR_EFULL;
    else
        err = weir_conn_send(self->conn, command, len);
    redisFreeCommand(command);
    return err;
}

static weir_err send_pending(redis_client *self, const weir_str *args, size_t count,
                             redis_reply_fn fn, void *user)
{
    if (self->pending.count >= self->opts.max_pending)
        return WEIR_EFULL;
    weir_err err = pending_reserve(&self->pending);
    if (!err)
        err = send_command(self, args, count);
    if (err)
        return err;
    expect(self);
    pending_push(&self->pending, fn, user);
    return WEIR_OK;
}

weir_err redis_client_send(redis_client *self, const weir_str *args, size_t count,
                           redis_reply_fn fn, void *user)
{
    return self->up ? send_pending(self, args, count, fn, user) : WEIR_ECLOSED;
}

weir_err redis_client_send_pubsub(redis_client *self, const weir_str *args, size_t count)
{
    if (!self->up)
        return WEIR_ECLOSED;
    weir_err err = send_command(self, args, count);
    if (!err)
        self->subscribed = true;
    return err;
}

/* Health. */

static void on_pong(weir_err err, const redisReply *reply, void *user)
{
    redis_client *self = user;
    bool pong = redis_reply_is(reply, "PONG") || redis_reply_is(redis_reply_at(reply, 0), "pong");
    if (!err && !pong)
        drop(self, WEIR_EPROTO, "a PING was not answered by a PONG");
}

static void on_tick(weir_timer *timer WEIR_UNUSED, void *user)
{
    redis_client *self = user;
    const weir_str ping = WEIR_STR("PING");
    int64_t quiet_us = weir_time_diff(weir_loop_now(self->loop), self->heard);
    if (self->pending.count > 0 && quiet_us >= REDIS_ANSWER_US) {
        drop(self, WEIR_ETIMEDOUT, "it does not answer");
        return;
    }
    if (self->pending.count == 0 && quiet_us >= REDIS_PING_US - TICK_US &&
        send_pending(self, &ping, 1, on_pong, self))
        drop(self, WEIR_ENOMEM, "a PING could not be sent");
    weir_loop_after(self->loop, &self->tick, TICK_US, on_tick, self);
}

/* A connection's beginning. */

static void on_auth(weir_err err, const redisReply *reply, void *user)
{
    redis_client *self = user;
    if (!err && !redis_reply_is(reply, "OK"))
        drop(self, WEIR_EACCES, "the password was not accepted");
}

static void on_hello(weir_err err, const redisReply *reply, void *user)
{
    redis_client *self = user;
    if (err || weir_conn_get_state(self->conn) != WEIR_CONN_CONNECTED)
        return;
    if (!redis_reply_is(reply, "PONG")) {
        weir_str text = redis_reply_text(reply);
        char what[200];
        snprintf(what, sizeof what, "it does not serve: %.*s",
                 (int)(text.len < 150 ? text.len : 150), text.len ? text.ptr : "");
        drop(self, WEIR_EPROTO, what);
        return;
    }
    self->up = true;
    if (self->was_up)
        self->reconnects++;
    self->was_up = true;
    WEIR_LOG_INFO("Redis at %s: connected", self->url.target);
    if (self->events.up)
        self->events.up(self->events.user);
}

static weir_err greet(redis_client *self)
{
    const weir_str auth[] = {WEIR_STR("AUTH"), weir_str_from(self->url.password)};
    const weir_str ping = WEIR_STR("PING");
    weir_err err = redis_replies_init(&self->replies);
    if (!err && self->url.password[0])
        err = send_pending(self, auth, 2, on_auth, self);
    if (!err)
        err = send_pending(self, &ping, 1, on_hello, self);
    return err;
}

static void on_up(weir_conn *conn, void *user)
{
    redis_client *self = user;
    self->conn = conn;
    self->subscribed = false;
    weir_err err = greet(self);
    if (err)
        drop(self, err, weir_err_text(err));
    else
        weir_loop_after(self->loop, &self->tick, TICK_US, on_tick, self);
}

/* Replies. */

/** The subscriptions' own, and not "pong", which is a command's answer. */
static bool is_push(const redis_client *self, const redisReply *reply)
{
    const redisReply *kind = redis_reply_at(reply, 0);
    return self->subscribed && reply->elements >= 3 && kind->type == REDIS_REPLY_STRING &&
           redis_reply_at(reply, 1)->type == REDIS_REPLY_STRING;
}

static void on_reply(redis_client *self, const redisReply *reply)
{
    pending_command command;
    if (reply->type == REDIS_REPLY_ARRAY && is_push(self, reply)) {
        if (self->events.push)
            self->events.push(reply, self->events.user);
    } else if (!pending_pop(&self->pending, &command)) {
        drop(self, WEIR_EPROTO, "an answer to nothing");
    } else if (command.fn) {
        command.fn(WEIR_OK, reply, command.user);
    }
}

/** Whether there may be more: not after an end, whoever began it. */
static bool goes_on(const redis_client *self)
{
    return !self->freed && weir_conn_get_state(self->conn) == WEIR_CONN_CONNECTED;
}

static void read_replies(redis_client *self)
{
    while (goes_on(self)) {
        redisReply *reply = NULL;
        if (redis_replies_next(&self->replies, &reply)) {
            drop(self, WEIR_EPROTO, "what it says is not of Redis's protocol, or too long");
            return;
        }
        if (!reply)
            return;
        on_reply(self, reply);
        freeReplyObject(reply);
    }
}

static void on_message(weir_conn *conn WEIR_UNUSED, weir_buf *in, void *user)
{
    redis_client *self = user;
    self->heard = weir_loop_now(self->loop);
    while (weir_buf_len(in) > 0 && goes_on(self)) {
        weir_str bytes = weir_buf_front(in);
        if (redis_replies_feed(&self->replies, bytes)) {
            drop(self, WEIR_ENOMEM, "out of memory");
            return;
        }
        weir_buf_retrieve(in, bytes.len);
        read_replies(self);
    }
}

/* Ends. */

static void end_pending(redis_client *self, weir_err err)
{
    pending_command command;
    while (pending_pop(&self->pending, &command)) {
        if (command.fn)
            command.fn(err, NULL, command.user);
    }
}

static void destroy(redis_client *self)
{
    redis_replies_fini(&self->replies);
    free(self->pending.ring);
    explicit_bzero(&self->url, sizeof self->url);
    free(self);
}

static void on_down(weir_conn *conn, weir_err why, void *user)
{
    redis_client *self = user;
    bool was_up = self->up;
    self->up = false;
    weir_loop_cancel(self->loop, &self->tick);
    end_pending(self, WEIR_ECLOSED);
    redis_replies_fini(&self->replies);
    if (was_up && !self->freed) {
        WEIR_LOG_WARN("Redis at %s: the connection is lost: %s", self->url.target,
                      why ? weir_conn_why(conn) : "the server has closed it");
        if (self->events.down)
            self->events.down(self->events.user);
    }
    self->conn = NULL;
    if (self->freed)
        destroy(self);
}

static void on_failed(weir_tcp_client *client WEIR_UNUSED, weir_err err WEIR_UNUSED,
                      const char *why, int64_t retry_us WEIR_UNUSED, void *user WEIR_UNUSED)
{
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10), "Redis cannot be reached: %s", why);
}

static const weir_conn_ops ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};

/* Its life. */

static weir_err connect_to(redis_client *self)
{
    const weir_tcp_client_opts opts = {
        .reconnect = true,
        .stable_us = STABLE_US,
        .on_failed = on_failed,
        .connector = {.timeout_us = REDIS_CONNECT_US,
                      .backoff_us = REDIS_BACKOFF_US,
                      .backoff_max_us = REDIS_BACKOFF_MAX_US},
    };
    weir_err err = weir_tcp_client_new(&self->tcp, self->loop, self->url.target, &ops, self, &opts);
    if (!err)
        weir_tcp_client_start(self->tcp);
    return err;
}

weir_err redis_client_new(redis_client **out, weir_loop *loop, const char *url,
                          const redis_client_events *events, const redis_client_opts *opts,
                          weir_why *why)
{
    redis_client *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->loop = loop;
    self->events = *events;
    if (opts)
        self->opts = *opts;
    if (self->opts.max_unsent == 0)
        self->opts.max_unsent = MAX_UNSENT;
    if (self->opts.max_pending == 0)
        self->opts.max_pending = MAX_PENDING;
    weir_err err = redis_url_parse(&self->url, url, why);
    if (!err)
        err = connect_to(self);
    if (err) {
        destroy(self);
        return err;
    }
    *out = self;
    return WEIR_OK;
}

void redis_client_free(redis_client *self)
{
    if (!self || self->freed)
        return;
    self->freed = true;
    self->up = false;
    weir_loop_cancel(self->loop, &self->tick);
    end_pending(self, WEIR_ECANCELED);
    weir_tcp_client_free(self->tcp);
    if (!self->conn) /* else on_down is still to come, or on the stack */
        destroy(self);
}
