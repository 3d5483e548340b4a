/* Sessions: their states, who is told of them, and a new one when ZooKeeper has ended the old. */
#include <weir/zk/session.h>

#include "zk_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>

enum {
    RENEW_SPREAD_US = 250000 /* a server that was away has ended many sessions at once */
};

static void start(weir_zk *zk);

const char *weir_zk_state_text(weir_zk_state state)
{
    static const char *const texts[] = {"connecting", "connected", "disconnected", "lost",
                                        "closed"};
    return (unsigned)state < sizeof texts / sizeof *texts ? texts[state] : "?";
}

weir_zk_state weir_zk_get_state(const weir_zk *zk)
{
    return zk->state;
}

int64_t weir_zk_session_id(const weir_zk *zk)
{
    return zk->id;
}

int64_t weir_zk_session_us(const weir_zk *zk)
{
    return zk->granted_us;
}

const char *weir_zk_why(const weir_zk *zk)
{
    return zk->why.text;
}

weir_loop *weir_zk_loop(const weir_zk *zk)
{
    return zk->loop;
}

/* Listeners. */

void weir_zk_listen(weir_zk *zk, weir_zk_listener *listener, weir_zk_state_fn fn, void *user)
{
    listener->fn = fn;
    listener->user = user;
    listener->zk = zk;
    weir_list_remove(&listener->node);
    weir_list_append(&zk->listeners, &listener->node);
}

void weir_zk_unlisten(weir_zk_listener *listener)
{
    if (!weir_list_linked(&listener->node))
        return;
    if (listener->zk->next_listener == &listener->node)
        listener->zk->next_listener = listener->node.next;
    weir_list_remove(&listener->node);
}

/** A listener may remove itself and others; telling does not nest. */
static void tell(weir_zk *zk, weir_zk_state state)
{
    zk->state = state;
    WEIR_LOG_DEBUG("session %#" PRIx64 " is %s", (uint64_t)zk->id, weir_zk_state_text(state));
    weir__zk_enter(zk);
    weir_list *node = zk->listeners.next;
    while (node != &zk->listeners && !zk->freed) {
        weir_zk_listener *listener = WEIR_CONTAINER_OF(node, weir_zk_listener, node);
        zk->next_listener = node->next;
        listener->fn(zk, state, listener->user);
        node = zk->next_listener;
    }
    zk->next_listener = NULL;
    zk->busy--;
}

/* The states. */

/** The client takes whatever a server says first for a session; of what is no ZooKeeper (SSH,
 * HTTP), the place of the timeout holds letters. */
static bool is_session(const weir_zk *zk)
{
    int timeout_ms = zoo_recv_timeout(zk->handle);
    return timeout_ms > 0 && timeout_ms <= 24 * 3600 * 1000;
}

void weir__zk_on_state(weir_zk *zk, int state)
{
    if (state == ZOO_READONLY_STATE || (state == ZOO_CONNECTED_STATE && !is_session(zk))) {
        zk->dead = zk->bogus = true;
    } else if (state == ZOO_CONNECTED_STATE) {
        zk->failures = 0;
        zk->delay_us = 0;
        zk->why.text[0] = '\0';
        zk->id = zoo_client_id(zk->handle)->client_id;
        zk->granted_us = zoo_recv_timeout(zk->handle) * WEIR_MILLISECONDS(1);
        tell(zk, WEIR_ZK_CONNECTED);
        weir__zk_soon(zk);
    } else if (state == ZOO_EXPIRED_SESSION_STATE) {
        zk->dead = true;
    } else if (state == ZOO_AUTH_FAILED_STATE) {
        zk->dead = zk->refused = true;
    } else if (zk->state == WEIR_ZK_CONNECTED) {
        tell(zk, WEIR_ZK_DISCONNECTED);
    }
}

static void on_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    start(user);
}

static void try_later(weir_zk *zk, weir_err err, const char *why)
{
    weir_why_set(&zk->why, err, "ZooKeeper at %.80s cannot be reached: %s", zk->hosts.names[0],
                 why);
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10), "%s", zk->why.text);
    weir_loop_after(zk->loop, &zk->timer, WEIR_SECONDS(1) + weir__zk_jitter(WEIR_SECONDS(1)),
                    on_timer, zk);
}

/** Everything that hung on the session ends; what is asked meanwhile waits for the next one. */
static void end_session(weir_zk *zk)
{
    const char *why = zk->refused ? "ZooKeeper has refused the credentials"
                                  : "the session has ended; a new one is being made";
    WEIR_LOG_WARN("session %#" PRIx64 ": %s", (uint64_t)zk->id, why);
    zk->state = zk->refused ? WEIR_ZK_CLOSED : WEIR_ZK_LOST;
    weir__zk_close(zk);
    weir__zk_end_requests(zk, zk->refused ? WEIR_EACCES : WEIR_ECLOSED, why);
    weir__zk_end_arms(zk, true);
    weir_why_set(&zk->why, WEIR_ECLOSED, "%s", why);
    zk->dead = false;
    if (!zk->freed)
        tell(zk, zk->state);
    zk->id = 0;
    zk->granted_us = zk->session_us;
    if (!zk->freed && !zk->refused) {
        tell(zk, WEIR_ZK_CONNECTING);
        weir_loop_after(zk->loop, &zk->timer, weir__zk_jitter(RENEW_SPREAD_US), on_timer, zk);
    }
}

/** Not ZooKeeper: there was no session, so that nothing ends. */
static void leave_stranger(weir_zk *zk)
{
    weir__zk_close(zk);
    zk->dead = zk->bogus = false;
    try_later(zk, WEIR_EPROTO, "what answers is no ZooKeeper");
}

static void destroy(weir_zk *zk)
{
    weir__zk_hosts_stop(&zk->hosts);
    weir__zk_enter(zk); /* nothing that comes from here begins it again */
    weir__zk_close(zk);
    weir__zk_end_arms(zk, false);
    if (zk->auth)
        explicit_bzero(zk->auth, strlen(zk->auth));
    free(zk->auth);
    free(zk);
}

bool weir__zk_leave(weir_zk *zk)
{
    if (--zk->busy > 0)
        return true;
    if (zk->dead && !zk->freed) {
        weir__zk_enter(zk);
        if (zk->bogus)
            leave_stranger(zk);
        else
            end_session(zk);
        return weir__zk_leave(zk) && zk->handle;
    }
    if (zk->freed)
        destroy(zk);
    else
        return true;
    return false;
}

static void on_turn(weir_deferred *work)
{
    weir_zk *zk = WEIR_CONTAINER_OF(work, weir_zk, turn);
    weir__zk_enter(zk);
    weir__zk_send(zk);
    if (weir__zk_leave(zk))
        weir__zk_step(zk);
}

void weir__zk_soon(weir_zk *zk)
{
    if (!zk->freed)
        weir_loop_defer(zk->loop, &zk->turn);
}

/* A handle, once the hosts are known. */

void weir__zk_on_hosts(weir_zk *zk, weir_err err)
{
    if (zk->handle) { /* only servers that have moved are of interest */
        if (err == WEIR_OK && zk->hosts.named)
            zoo_set_servers(zk->handle, zk->hosts.servers);
        return;
    }
    if (err) {
        try_later(zk, err, zk->hosts.why.text);
        return;
    }
    err = weir__zk_open(zk);
    if (err)
        try_later(zk, err, weir_err_text(err));
    else
        weir__zk_soon(zk);
}

static void start(weir_zk *zk)
{
    weir__zk_hosts_start(&zk->hosts);
}

/* Its life. */

static void fill(weir_zk *zk, weir_loop *loop, const weir_zk_opts *opts)
{
    zk->loop = loop;
    weir_list_init(&zk->listeners);
    weir_list_init(&zk->again);
    weir_list_init(&zk->waiting);
    weir_list_init(&zk->sent);
    weir_list_init(&zk->ending);
    weir_list_init(&zk->arms);
    zk->turn.fn = on_turn;
    zk->session_us = opts->session_us > 0 ? opts->session_us : WEIR_SECONDS(10);
    zk->granted_us = zk->session_us;
    zk->operation_us = opts->operation_us > 0 ? opts->operation_us : WEIR_SECONDS(10);
    zk->operations = opts->operations ? opts->operations : 20000;
}

weir_err weir_zk_new(weir_zk **out, weir_loop *loop, const char *hosts, const weir_zk_opts *opts,
                     weir_why *why)
{
    static const weir_zk_opts defaults;
    if (!opts)
        opts = &defaults;
    if (opts->auth && !strchr(opts->auth, ':'))
        return weir_why_set(why, WEIR_EINVAL,
                            "the credentials for ZooKeeper are not of the form USER:PASSWORD");
    if (opts->session_us > WEIR_SECONDS(3600) || (opts->session_us > 0 && opts->session_us < 1000))
        return weir_why_set(why, WEIR_EINVAL, "a session's timeout is from 1 ms to 1 hour");
    weir_zk *zk = calloc(1, sizeof *zk);
    if (!zk)
        return WEIR_ENOMEM;
    fill(zk, loop, opts);
    weir_err err = weir__zk_hosts_read(&zk->hosts, zk, hosts, why);
    if (!err && opts->auth && !(zk->auth = strdup(opts->auth)))
        err = WEIR_ENOMEM;
    if (err) {
        free(zk);
        return err;
    }
    weir_loop_after(loop, &zk->timer, 0, on_timer, zk);
    *out = zk;
    return WEIR_OK;
}

void weir_zk_free(weir_zk *zk)
{
    if (!zk || zk->freed)
        return;
    zk->freed = true;
    weir__zk_enter(zk);
    zk->state = WEIR_ZK_CLOSED;
    while (!weir_list_empty(&zk->listeners)) {
        weir_list *node = zk->listeners.next;
        weir_zk_unlisten(WEIR_CONTAINER_OF(node, weir_zk_listener, node));
    }
    weir__zk_end_requests(zk, WEIR_ECANCELED, "the session is closed");
    weir__zk_end_arms(zk, false);
    weir__zk_leave(zk);
}
