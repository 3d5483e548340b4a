#include "connector_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/net/watcher.h>

enum {
    JITTER_PERCENT = 20
};

typedef enum connector_state {
    IDLE,
    WAITING,   /* for the delay to pass */
    CONNECTING /* the watcher has a descriptor */
} connector_state;

struct weir_connector {
    weir_loop *loop;
    const weir_connector_ops *ops;
    void *user;
    connector_state state;
    weir_err failure; /* of an attempt that failed at once */
    weir_watcher watcher;
    weir_timer timer;   /* the delay, or the limit of the attempt */
    weir_time earliest; /* for the next attempt */
    int64_t delay_us;   /* after the next failure, without jitter */
    weir_connector_opts opts;
    uint64_t random;
    weir_addr addr;
};

static void begin_attempt(weir_connector *connector);

/** splitmix64 */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/** The delay before the next attempt; the one after that is twice as long. */
static int64_t next_delay(weir_connector *connector)
{
    int64_t delay_us = connector->delay_us;
    int64_t spread_us = delay_us * JITTER_PERCENT / 100;
    int64_t max_us = connector->opts.backoff_max_us;
    connector->delay_us = delay_us > max_us / 2 ? max_us : delay_us * 2;
    if (spread_us == 0)
        return delay_us;
    uint64_t jitter = next_random(&connector->random) % (2 * (uint64_t)spread_us + 1);
    return delay_us - spread_us + (int64_t)jitter;
}

static void close_attempt(weir_connector *connector)
{
    weir_loop_cancel(connector->loop, &connector->timer);
    if (connector->watcher.fd < 0)
        return;
    weir_watcher_stop(&connector->watcher);
    close(connector->watcher.fd);
    connector->watcher.fd = -1;
}

static void delay_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    begin_attempt(user);
}

static void wait_until(weir_connector *connector, weir_time when)
{
    connector->state = WAITING;
    weir_timers_add(weir_loop_timers(connector->loop), &connector->timer, when, delay_over,
                    connector);
}

/** The callback comes last: it may free the connector. */
static void attempt_failed(weir_connector *connector, weir_err why)
{
    int64_t retry_us = next_delay(connector);
    close_attempt(connector);
    connector->earliest = weir_time_add(weir_time_now(), retry_us);
    wait_until(connector, connector->earliest);
    if (connector->ops->on_failed)
        connector->ops->on_failed(connector, why, retry_us, connector->user);
}

bool weir__is_self_connected(int fd)
{
    weir_addr ours = {.len = sizeof ours.storage}, theirs = {.len = sizeof theirs.storage};
    if (getsockname(fd, (struct sockaddr *)&ours.storage, &ours.len) != 0 ||
        getpeername(fd, (struct sockaddr *)&theirs.storage, &theirs.len) != 0)
        return false;
    return ours.storage.ss_family != AF_UNIX && ours.len == theirs.len &&
           memcmp(&ours.storage, &theirs.storage, ours.len) == 0;
}

static weir_err attempt_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        return weir_err_from_errno(error);
    return weir__is_self_connected(fd) ? WEIR_ECONNREFUSED : WEIR_OK;
}

/** The callback comes last: it may free the connector. */
static void attempt_ready(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    weir_connector *connector = user;
    int fd = watcher->fd;
    weir_err err = attempt_result(fd);
    if (err) {
        attempt_failed(connector, err);
        return;
    }
    weir_watcher_stop(watcher);
    watcher->fd = -1;
    weir_loop_cancel(connector->loop, &connector->timer);
    connector->state = IDLE;
    connector->ops->on_connected(connector, fd, connector->user);
}

static void timed_out(weir_timer *timer WEIR_UNUSED, void *user)
{
    attempt_failed(user, WEIR_ETIMEDOUT);
}

static void failed_at_once(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_connector *connector = user;
    attempt_failed(connector, connector->failure);
}

static weir_err connect_socket(weir_connector *connector)
{
    const weir_addr *addr = &connector->addr;
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_err_from_errno(errno);
    weir_watcher_init(&connector->watcher, connector->loop, fd, attempt_ready, connector);
    if (connect(fd, (const struct sockaddr *)&addr->storage, addr->len) != 0 &&
        errno != EINPROGRESS && errno != EINTR)
        return weir_err_from_errno(errno);
    return weir_watcher_want(&connector->watcher, WEIR_WRITABLE);
}

/** No callback comes before it returns. */
static void begin_attempt(weir_connector *connector)
{
    connector->state = CONNECTING;
    connector->earliest = weir_time_add(weir_time_now(), connector->delay_us);
    connector->failure = connect_socket(connector);
    if (connector->failure)
        weir_loop_after(connector->loop, &connector->timer, 0, failed_at_once, connector);
    else
        weir_loop_after(connector->loop, &connector->timer, connector->opts.timeout_us, timed_out,
                        connector);
}

static int64_t or_default(int64_t value_us, int64_t default_us)
{
    return value_us > 0 ? value_us : default_us;
}

weir_err weir_connector_new(weir_connector **out, weir_loop *loop, const weir_addr *addr,
                            const weir_connector_ops *ops, void *user,
                            const weir_connector_opts *opts)
{
    static const weir_connector_opts defaults;
    weir_connector *connector = calloc(1, sizeof *connector);
    if (!connector)
        return WEIR_ENOMEM;
    opts = opts ? opts : &defaults;
    connector->loop = loop;
    connector->ops = ops;
    connector->user = user;
    connector->addr = *addr;
    connector->opts.timeout_us = or_default(opts->timeout_us, WEIR_SECONDS(20));
    connector->opts.backoff_us = or_default(opts->backoff_us, WEIR_SECONDS(1));
    connector->opts.backoff_max_us = or_default(opts->backoff_max_us, WEIR_SECONDS(120));
    connector->random =
        opts->seed ? opts->seed : (uint64_t)weir_time_now().us ^ (uintptr_t)connector;
    weir_watcher_init(&connector->watcher, loop, -1, attempt_ready, connector);
    weir_connector_reset(connector);
    *out = connector;
    return WEIR_OK;
}

void weir_connector_start(weir_connector *connector)
{
    weir_loop_assert(connector->loop);
    if (connector->state != IDLE)
        return;
    if (weir_time_before(weir_time_now(), connector->earliest))
        wait_until(connector, connector->earliest);
    else
        begin_attempt(connector);
}

void weir_connector_reset(weir_connector *connector)
{
    connector->delay_us = connector->opts.backoff_us;
    connector->earliest = (weir_time){0};
}

void weir_connector_stop(weir_connector *connector)
{
    weir_loop_assert(connector->loop);
    close_attempt(connector);
    connector->state = IDLE;
}

void weir_connector_free(weir_connector *connector)
{
    if (!connector)
        return;
    weir_connector_stop(connector);
    free(connector);
}
