/**
 * @file
 * What the layer's tests share: a session with the ZooKeeper of tests/support/with_zookeeper.py,
 * and connections that break.
 */
#ifndef WEIR_ZK_ZK_TEST_H
#define WEIR_ZK_ZK_TEST_H

#include "run_until.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/net/loop.h>
#include <weir/zk/zk.h>

enum {
    SESSION_US = 1000000,        /* of sessions that shall end by a pause */
    KILLED_SESSION_US = 4000000, /* of processes that are killed, and must not lose it before */
    LONG_SESSION_US = 10000000   /* of others: a busy machine does not end them */
};

/** "127.0.0.1:PORT" */
static inline const char *zk_hosts(void)
{
    const char *hosts = getenv("WEIR_TEST_ZK");
    if (!hosts)
        fail_msg("run me by tests/support/with_zookeeper.py");
    return hosts;
}

static inline weir_zk *new_session_of(weir_loop *loop, int64_t session_us, const char *auth)
{
    weir_zk *zk = NULL;
    assert_ok(weir_zk_new(&zk, loop, zk_hosts(),
                          &(weir_zk_opts){.session_us = session_us, .auth = auth}, NULL));
    return zk;
}

static inline weir_zk *new_session(weir_loop *loop, const char *auth)
{
    return new_session_of(loop, SESSION_US, auth);
}

static inline weir_zk *long_session(weir_loop *loop, const char *auth)
{
    return new_session_of(loop, LONG_SESSION_US, auth);
}

/** What an operation has ended with; copied. */
typedef struct outcome {
    int times;
    weir_err err;
    char why[300], path[200], data[200], names[400];
    size_t child_count;
    weir_zk_stat stat;
} outcome;

static inline void note_outcome(const weir_zk_result *result, void *user)
{
    outcome *o = user;
    o->times++;
    o->err = result->err;
    o->stat = result->stat;
    o->child_count = result->child_count;
    snprintf(o->why, sizeof o->why, "%s", result->why);
    snprintf(o->path, sizeof o->path, "%s", result->path);
    snprintf(o->data, sizeof o->data, "%.*s", WEIR_STR_ARGS(result->data));
    o->names[0] = '\0';
    for (size_t i = 0; i < result->child_count && i < 8; i++)
        snprintf(o->names + strlen(o->names), sizeof o->names - strlen(o->names), "%s ",
                 result->children[i]);
}

/** Runs one operation to its end: outcome of(loop, weir_zk_get(zk, NULL, path, NULL, ...)) */
#define outcome_of(loop, out, call)                                                                \
    do {                                                                                           \
        *(out) = (outcome){0};                                                                     \
        assert_ok(call);                                                                           \
        run_until(loop, (out)->times > 0);                                                         \
    } while (0)

/** Each of this process's connections to ZooKeeper ends, as by a broken network. */
static inline int cut_connections(void)
{
    int cut = 0;
    unsigned port = (unsigned)atoi(strrchr(zk_hosts(), ':') + 1);
    for (int fd = 3; fd < 1000; fd++) {
        struct sockaddr_in addr;
        socklen_t len = sizeof addr;
        if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0 && addr.sin_family == AF_INET &&
            ntohs(addr.sin_port) == port)
            cut += shutdown(fd, SHUT_RDWR) == 0;
    }
    return cut;
}

/** The process stands still for so long that ZooKeeper ends its sessions. */
static inline void pause_past_session(void)
{
    usleep(SESSION_US * 5 / 2);
}

/** A listener that keeps what it was told. */
typedef struct zk_history {
    weir_zk_listener listener;
    char text[300];
    int lost, connected;
    weir_zk *free_on_connected;
} zk_history;

static inline void note_state(weir_zk *zk, weir_zk_state state, void *user)
{
    zk_history *h = user;
    assert_int_equal(weir_zk_get_state(zk), state);
    snprintf(h->text + strlen(h->text), sizeof h->text - strlen(h->text), "%s ",
             weir_zk_state_text(state));
    h->lost += state == WEIR_ZK_LOST;
    h->connected += state == WEIR_ZK_CONNECTED;
    if (state == WEIR_ZK_CONNECTED && h->free_on_connected)
        weir_zk_free(h->free_on_connected);
}

/** What a watch has told. */
typedef struct zk_seen {
    int fired;
    weir_zk_event event;
} zk_seen;

static inline void note_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    zk_seen *s = user;
    s->fired++;
    s->event = event;
}

#endif
