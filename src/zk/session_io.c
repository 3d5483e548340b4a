/* The client's handle in the loop: its descriptor, its timeouts, and when it may connect. */
#include "zk_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/log.h>

enum {
    FIRST_DELAY_US = 200000,
    LAST_DELAY_US = 5000000,
    SPREAD_US = 100000, /* so that the clients of a lost server do not come at once */
    MESSAGES = 64,      /* in one turn */
    CLOSE_OP = -11
};

int64_t weir__zk_jitter(int64_t us)
{
    return (int64_t)arc4random_uniform((uint32_t)us + 1);
}

/** The client's lines. They come inside its calls; who looks at errno after these must find it. */
static void on_log(const char *message)
{
    int kept = errno;
    WEIR_LOG_DEBUG("client: %s", message);
    errno = kept;
}

/* Failures. */

/** The hosts as they were given, cut to fit a sentence. */
static const char *hosts_text(const weir_zk *zk, char out[90])
{
    size_t used = 0;
    for (size_t i = 0; i < zk->hosts.count && used + 30 < 90; i++)
        used += (size_t)snprintf(out + used, 60, "%s%.50s", i ? "," : "", zk->hosts.names[i]);
    return out;
}

static const char *reason_of(int code, int number)
{
    if (code == ZOPERATIONTIMEOUT || number == ETIMEDOUT)
        return "no answer";
    if (number == EHOSTDOWN || number == 0) /* what the client calls an end of the stream */
        return "the server closes connections: is it ZooKeeper, and has it a quorum?";
    return strerror(number);
}

/** A round through all the hosts goes quickly, the next one waits, longer and longer. */
static void choose_delay(weir_zk *zk)
{
    int64_t us = weir__zk_jitter(SPREAD_US);
    if (zk->failures >= zk->hosts.count) {
        int64_t most_us = zk->granted_us / 4 < LAST_DELAY_US ? zk->granted_us / 4 : LAST_DELAY_US;
        if (zk->delay_us > most_us)
            zk->delay_us = most_us;
        us = zk->delay_us - zk->delay_us / 5 + weir__zk_jitter(zk->delay_us * 2 / 5);
        zk->delay_us = zk->delay_us * 8 / 5;
    }
    zk->not_before = weir_time_add(weir_loop_now(zk->loop), us);
}

void weir__zk_failed(weir_zk *zk, int code)
{
    int number = errno;
    char hosts[90];
    zk->failures++;
    if (zk->delay_us < FIRST_DELAY_US)
        zk->delay_us = FIRST_DELAY_US;
    choose_delay(zk);
    weir_why_set(&zk->why, WEIR_EUNREACH, "ZooKeeper at %s cannot be reached: %s",
                 hosts_text(zk, hosts), reason_of(code, number));
    WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10), "%s", zk->why.text);
    if (zk->failures % (3 * zk->hosts.count) == 0) /* they may have moved */
        weir__zk_hosts_start(&zk->hosts);
}

/* Waiting. */

static void on_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__zk_step(user);
}

static void on_ready(weir_watcher *watcher, unsigned ready, void *user)
{
    weir_zk *zk = user;
    int code = ZOK;
    int events = (ready & WEIR_READABLE ? ZOOKEEPER_READ : 0) |
                 (ready & WEIR_WRITABLE ? ZOOKEEPER_WRITE : 0);
    weir_watcher_stop(watcher); /* the client may close the descriptor, and open it again */
    weir__zk_enter(zk);
    for (int i = 0; i < MESSAGES && code == ZOK && !zk->freed && !zk->dead; i++) {
        errno = 0;
        code = zookeeper_process(zk->handle, events);
        events = ZOOKEEPER_READ;
    }
    if (code != ZOK && code != ZNOTHING && !zk->dead)
        weir__zk_failed(zk, code);
    if (weir__zk_leave(zk)) {
        weir__zk_send(zk);
        weir__zk_step(zk);
    }
}

static void watch(weir_zk *zk, int fd, int interest)
{
    unsigned events = (interest & ZOOKEEPER_READ ? WEIR_READABLE : 0u) |
                      (interest & ZOOKEEPER_WRITE ? WEIR_WRITABLE : 0u);
    if (fd < 0 || events == 0)
        return;
    weir_watcher_init(&zk->watcher, zk->loop, fd, on_ready, zk);
    if (weir_watcher_want(&zk->watcher, events))
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_ERROR, WEIR_SECONDS(1),
                       "cannot wait for ZooKeeper's descriptor; it will be tried again");
}

static bool has_connection(const weir_zk *zk)
{
    int state = zoo_state(zk->handle);
    return state == ZOO_CONNECTED_STATE || state == ZOO_CONNECTING_STATE ||
           state == ZOO_ASSOCIATING_STATE;
}

void weir__zk_step(weir_zk *zk)
{
    int fd = -1, interest = 0, code;
    struct timeval tv = {0};
    weir_time now = weir_loop_now(zk->loop);
    if (!zk->handle || zk->busy)
        return;
    weir_watcher_stop(&zk->watcher);
    if (!has_connection(zk) && weir_time_before(now, zk->not_before)) {
        weir_loop_at(zk->loop, &zk->timer, zk->not_before, on_timer, zk);
        return;
    }
    weir__zk_enter(zk);
    errno = 0;
    code = zookeeper_interest(zk->handle, &fd, &interest, &tv);
    if (code != ZOK && !zk->dead)
        weir__zk_failed(zk, code);
    if (!weir__zk_leave(zk))
        return;
    int64_t wait_us = tv.tv_sec * WEIR_SECONDS(1) + tv.tv_usec;
    if (code != ZOK)
        wait_us = weir_time_diff(zk->not_before, now);
    else
        watch(zk, fd, interest);
    weir_loop_after(zk->loop, &zk->timer, wait_us > 1000 ? wait_us : 1000, on_timer, zk);
}

/* The handle's life. */

static void on_session(zhandle_t *handle WEIR_UNUSED, int type, int state,
                       const char *path WEIR_UNUSED, void *user)
{
    weir_zk *zk = user;
    if (type == ZOO_SESSION_EVENT && !zk->freed)
        weir__zk_on_state(zk, state);
}

weir_err weir__zk_open(weir_zk *zk)
{
    zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
    zk->handle = zookeeper_init2(zk->hosts.servers, on_session, (int)(zk->session_us / 1000), NULL,
                                 zk, ZOO_NO_LOG_CLIENTENV, on_log);
    if (!zk->handle)
        return errno == ENOMEM ? WEIR_ENOMEM : WEIR_EIO;
    zoo_set_servers_resolution_delay(zk->handle, -1); /* they are numbers */
    if (zk->auth &&
        zoo_add_auth(zk->handle, "digest", zk->auth, (int)strlen(zk->auth), NULL, NULL) != ZOK) {
        zookeeper_close(zk->handle);
        zk->handle = NULL;
        return WEIR_ENOMEM;
    }
    return WEIR_OK;
}

/** Read-only is what no ZooKeeper says, because it was not asked for. */
static bool is_up(const weir_zk *zk)
{
    int state = zoo_state(zk->handle);
    return state == ZOO_CONNECTED_STATE || state == ZOO_READONLY_STATE;
}

/** The client's own way would wait for the server's answer: this sends the request, and lets the
 * client find its connection closed. What has been received is not looked at any more. */
static void send_close(weir_zk *zk)
{
    struct timeval tv;
    char scrap[4096];
    int fd = -1, interest = 0;
    const uint32_t message[] = {htonl(8), htonl(1), htonl((uint32_t)CLOSE_OP)};
    if (!is_up(zk) || zookeeper_interest(zk->handle, &fd, &interest, &tv) != ZOK || fd < 0)
        return;
    /* Else the end of another request has not been sent yet. */
    if (!(interest & ZOOKEEPER_WRITE) && !zk->bogus)
        (void)!send(fd, message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_RDWR);
    while (recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0)
        ;
    for (int i = 0; i < 10 && is_up(zk); i++)
        zookeeper_process(zk->handle, ZOOKEEPER_READ);
}

void weir__zk_close(weir_zk *zk)
{
    weir_watcher_stop(&zk->watcher);
    weir_loop_cancel(zk->loop, &zk->timer);
    weir_loop_undefer(zk->loop, &zk->turn);
    if (!zk->handle)
        return;
    send_close(zk);
    zookeeper_close(zk->handle);
    zk->handle = NULL;
}
