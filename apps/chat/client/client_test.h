/**
 * @file
 * What the client's tests share: a client and a server that misbehaves on purpose, both in one
 * loop, and what the client has told.
 */
#ifndef CHAT_CLIENT_TEST_H
#define CHAT_CLIENT_TEST_H

#include "chat_client.h"

#include <stdio.h>
#include <stdlib.h>

#include "fake_server.h"

typedef struct bench {
    weir_loop *loop;
    fake_server *server;
    chat_client *client;
    chat_client_opts opts;
    char log[16384]; /* "1:1=hello " per message; what else happens in [] */
    unsigned messages, sent, failed, drains, replies;
    uint32_t failed_code;
    chat_client_status last;
    bool free_at_message, stop_at_sent;
    weir_status_code reply_code;
} bench;

static inline void note(bench *b, const char *fmt, ...)
{
    size_t len = strlen(b->log);
    va_list args;
    va_start(args, fmt);
    vsnprintf(b->log + len, sizeof b->log - len, fmt, args);
    va_end(args);
}

static inline void on_status(chat_client *client, const chat_client_status *status, void *user)
{
    (void)client;
    bench *b = user;
    b->last = *status;
}

static inline void on_message(chat_client *client, const chat_message *m, void *user)
{
    bench *b = user;
    b->messages++;
    if (b->messages <= 100)
        note(b, "%d:%d=%.*s ", (int)m->conversation, (int)m->seq, WEIR_STR_ARGS(m->text));
    if (b->free_at_message) {
        chat_client_free(client);
        b->client = NULL;
    }
}

static inline void on_sent(chat_client *client, const chat_sent *sent, void *user)
{
    (void)sent;
    bench *b = user;
    b->sent++;
    if (b->stop_at_sent)
        chat_client_stop(client);
}

static inline void on_failed(chat_client *client, const chat_send_failed *failed, void *user)
{
    (void)client;
    bench *b = user;
    b->failed++;
    b->failed_code = failed->code;
}

static inline void on_left(chat_client *client, uint64_t conversation, void *user)
{
    (void)client;
    note(user, "[left %d] ", (int)conversation);
}

static inline void on_drain(chat_client *client, uint32_t after_ms, void *user)
{
    (void)client;
    (void)after_ms;
    ((bench *)user)->drains++;
}

static inline void on_reply(chat_client *client, const weir_status *status, const void *reply,
                            void *user)
{
    (void)client;
    (void)reply;
    bench *b = user;
    b->replies++;
    b->reply_code = status->code;
}

static const chat_client_events events = {.status = on_status,
                                          .message = on_message,
                                          .sent = on_sent,
                                          .failed = on_failed,
                                          .left = on_left,
                                          .drain = on_drain};

/** Until the condition holds; a test that waits for ever is ended by its time limit. */
#define until(b, condition)                                                                        \
    do {                                                                                           \
        weir_time until_limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));                  \
        while (!(condition)) {                                                                     \
            assert_ok(weir_loop_run_once((b)->loop, WEIR_MILLISECONDS(50)));                       \
            if (!weir_time_before(weir_time_now(), until_limit))                                   \
                fail_msg("never: %s; log: %s", #condition, (b)->log);                              \
        }                                                                                          \
    } while (0)

static inline bench *open_bench(void)
{
    bench *b = calloc(1, sizeof *b);
    b->server = calloc(1, sizeof *b->server);
    assert_ok(weir_loop_new(&b->loop, NULL));
    b->server->loop = b->loop;
    b->server->account = b->server->pushes = true;
    fake_add(b->server, 1, CHAT_CONVERSATION_KIND_ROOM, "lobby");
    fake_listen(b->server, "127.0.0.1:0");
    b->opts = (chat_client_opts){.name = "ann",
                                 .password = "secret12",
                                 .seed = 7,
                                 .gap_us = WEIR_MILLISECONDS(20),
                                 .mark_us = WEIR_MILLISECONDS(5),
                                 .backoff_us = WEIR_MILLISECONDS(4),
                                 .backoff_max_us = WEIR_MILLISECONDS(50)};
    return b;
}

static inline void start(bench *b)
{
    b->opts.target = b->server->addr;
    if (!b->client)
        assert_ok(chat_client_new(&b->client, b->loop, &b->opts, &events, b));
    chat_client_start(b->client);
}

static inline bool live(const bench *b)
{
    return chat_client_state_of(b->client) == CHAT_CLIENT_LIVE;
}

static inline void go_live(bench *b)
{
    start(b);
    until(b, live(b));
}

static inline chat_client_counters counters(const bench *b)
{
    chat_client_counters out;
    chat_client_get_counters(b->client, &out);
    return out;
}

static inline void close_bench(bench *b)
{
    chat_client_free(b->client);
    weir_server_stop(b->server->server, fake_stopped, b->server);
    until(b, b->server->stopped);
    weir_server_free(b->server->server);
    assert_ok(weir_loop_run_once(b->loop, 0));
    weir_loop_free(b->loop);
    free(b->server);
    free(b);
}

static inline void say(bench *b, const char *text)
{
    assert_ok(
        chat_client_send_to_room(b->client, WEIR_STR("lobby"), weir_str_from(text), NULL, NULL));
}

#endif
