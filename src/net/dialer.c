#include <weir/net/dialer.h>

#include "dialer_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/net/watcher.h>

typedef struct attempt {
    weir_watcher watcher; /* its fd is -1 before and after */
    weir_dialer *dialer;
    weir_addr addr;
} attempt;

struct weir_dialer {
    weir_loop *loop;
    weir_dial_fn fn;
    void *user;
    weir_timer stagger; /* until the next attempt */
    weir_timer limit;   /* of the whole */
    int64_t stagger_us;
    size_t count;
    size_t begun;       /* attempts[0..begun) */
    size_t open;        /* of these, those without an answer */
    attempt *last;      /* that failed */
    weir_err err;       /* of `last` */
    attempt attempts[]; /* in the order of their turns */
};

/* One attempt */

static bool is_self_connected(int fd)
{
    weir_addr ours = {.len = sizeof ours.storage}, theirs = {.len = sizeof theirs.storage};
    if (getsockname(fd, (struct sockaddr *)&ours.storage, &ours.len) != 0 ||
        getpeername(fd, (struct sockaddr *)&theirs.storage, &theirs.len) != 0)
        return false;
    return ours.storage.ss_family != AF_UNIX && ours.len == theirs.len &&
           memcmp(&ours.storage, &theirs.storage, ours.len) == 0;
}

weir_err weir__dial_result(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        return weir_err_from_errno(error);
    return is_self_connected(fd) ? WEIR_ECONNREFUSED : WEIR_OK;
}

static void drop_socket(attempt *a)
{
    if (a->watcher.fd < 0)
        return;
    weir_watcher_stop(&a->watcher);
    close(a->watcher.fd);
    a->watcher.fd = -1;
}

static weir_err begin_connect(attempt *a)
{
    const weir_addr *addr = &a->addr;
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_err_from_errno(errno);
    a->watcher.fd = fd;
    if (connect(fd, (const struct sockaddr *)&addr->storage, addr->len) != 0 &&
        errno != EINPROGRESS && errno != EINTR)
        return weir_err_from_errno(errno);
    return weir_watcher_want(&a->watcher, WEIR_WRITABLE);
}

/* All of them */

static void note_failure(attempt *a, weir_err err)
{
    drop_socket(a);
    a->dialer->last = a;
    a->dialer->err = err;
}

/** Everything but the callback's descriptor is closed before it is called. */
static void finish(weir_dialer *dialer, weir_err err, int fd, const weir_addr *peer)
{
    weir_dial_fn fn = dialer->fn;
    void *user = dialer->user;
    weir_addr copy = *peer;
    weir_dialer_cancel(dialer);
    fn(err, fd, &copy, user);
}

static void begin_next(weir_dialer *dialer);

static void on_stagger(weir_timer *timer WEIR_UNUSED, void *user)
{
    begin_next(user);
}

/** Goes on to the next address that can be tried at all. */
static void begin_next(weir_dialer *dialer)
{
    while (dialer->begun < dialer->count) {
        attempt *a = &dialer->attempts[dialer->begun++];
        weir_err err = begin_connect(a);
        if (!err) {
            dialer->open++;
            weir_loop_after(dialer->loop, &dialer->stagger, dialer->stagger_us, on_stagger, dialer);
            return;
        }
        note_failure(a, err);
    }
    if (dialer->open == 0)
        finish(dialer, dialer->err, -1, &dialer->last->addr);
}

static void on_writable(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    attempt *a = user;
    weir_err err = weir__dial_result(watcher->fd);
    a->dialer->open--;
    if (err) {
        note_failure(a, err);
        begin_next(a->dialer);
        return;
    }
    int fd = watcher->fd;
    weir_watcher_stop(watcher);
    watcher->fd = -1;
    finish(a->dialer, WEIR_OK, fd, &a->addr);
}

static void on_timeout(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_dialer *dialer = user;
    finish(dialer, WEIR_ETIMEDOUT, -1, &dialer->attempts[dialer->begun - 1].addr);
}

/** The next address from `at` on that is of `family`, or, unless `same`, of another; `count`: none
 */
static size_t find_next(const weir_addr *addrs, size_t count, size_t at, sa_family_t family,
                        bool same)
{
    while (at < count && (addrs[at].storage.ss_family == family) != same)
        at++;
    return at;
}

/** The families take turns, beginning with that of the first; within one the order stays. */
static void take_turns(weir_dialer *dialer, const weir_addr *addrs)
{
    size_t count = dialer->count, same = 0, other = 0;
    sa_family_t family = addrs[0].storage.ss_family;
    for (size_t i = 0; i < count; i++) {
        same = find_next(addrs, count, same, family, true);
        other = find_next(addrs, count, other, family, false);
        bool takes_same = other == count || (same < count && i % 2 == 0);
        dialer->attempts[i].addr = addrs[takes_same ? same++ : other++];
    }
}

weir_err weir_dialer_start(weir_dialer **out, weir_loop *loop, const weir_addr *addrs, size_t count,
                           const weir_dialer_opts *opts, weir_dial_fn fn, void *user)
{
    static const weir_dialer_opts defaults;
    if (count == 0)
        return WEIR_EINVAL;
    count = count < WEIR_DIALER_MAX ? count : WEIR_DIALER_MAX;
    weir_dialer *dialer = calloc(1, sizeof *dialer + count * sizeof dialer->attempts[0]);
    if (!dialer)
        return WEIR_ENOMEM;
    opts = opts ? opts : &defaults;
    dialer->loop = loop;
    dialer->fn = fn;
    dialer->user = user;
    dialer->stagger_us = opts->stagger_us > 0 ? opts->stagger_us : WEIR_MILLISECONDS(250);
    dialer->count = count;
    take_turns(dialer, addrs);
    for (size_t i = 0; i < count; i++) {
        attempt *a = &dialer->attempts[i];
        a->dialer = dialer;
        weir_watcher_init(&a->watcher, loop, -1, on_writable, a);
    }
    weir_loop_at(loop, &dialer->stagger, (weir_time){0}, on_stagger, dialer); /* at once */
    weir_loop_after(loop, &dialer->limit,
                    opts->timeout_us > 0 ? opts->timeout_us : WEIR_SECONDS(20), on_timeout, dialer);
    *out = dialer;
    return WEIR_OK;
}

void weir_dialer_cancel(weir_dialer *dialer)
{
    if (!dialer)
        return;
    weir_loop_assert(dialer->loop);
    for (size_t i = 0; i < dialer->begun; i++)
        drop_socket(&dialer->attempts[i]);
    weir_loop_cancel(dialer->loop, &dialer->stagger);
    weir_loop_cancel(dialer->loop, &dialer->limit);
    free(dialer);
}
