#include <weir/net/listener.h>

#include "addr_impl.h"
#include "listen_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/net/watcher.h>

enum {
    ACCEPTS_PER_TURN = 1024,
    REST_US = 100000, /* when not even refusing works */
    LOG_EVERY_US = 1000000
};

struct weir_listener {
    weir_watcher watcher;
    weir_deferred release;
    weir_timer rest;
    weir_accept_fn fn;
    void *user;
    int reserve; /* given up for a moment to refuse a connection; -1: lost */
    weir_time logged;
    uint64_t refused; /* since then */
    weir_addr addr;
    bool inherited; /* who has bound it removes its path */
    bool closed;
};

/* Accepting */

static void log_refusals(weir_listener *listener, const char *reason)
{
    weir_time now = weir_time_now();
    listener->refused++;
    if (listener->logged.us != 0 && weir_time_diff(now, listener->logged) < LOG_EVERY_US)
        return;
    char text[WEIR_ADDR_TEXT_MAX];
    WEIR_LOG_WARN("%s: %llu connections refused: %s", weir_addr_text(&listener->addr, text),
                  (unsigned long long)listener->refused, reason);
    listener->logged = now;
    listener->refused = 0;
}

static void wait_for_connections(weir_listener *listener);

static void rested(weir_timer *timer WEIR_UNUSED, void *user)
{
    wait_for_connections(user);
}

/** A waiting connection keeps the listener ready: do not spin on it. */
static void rest(weir_listener *listener)
{
    weir_loop *loop = listener->watcher.loop;
    weir_watcher_stop(&listener->watcher);
    weir_loop_after(loop, &listener->rest, REST_US, rested, listener);
}

static void wait_for_connections(weir_listener *listener)
{
    if (weir_watcher_want(&listener->watcher, WEIR_READABLE))
        rest(listener);
}

/** Out of descriptors: takes one waiting connection on the reserve and closes it. @return false:
 * the reserve is of no use now */
static bool refuse_one(weir_listener *listener)
{
    if (listener->reserve >= 0)
        close(listener->reserve);
    int fd = accept4(listener->watcher.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        close(fd);
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && listener->reserve >= 0;
}

/** @return whether to go on accepting */
static bool accept_failed(weir_listener *listener, int error)
{
    switch (error) {
    case EAGAIN:
        return false;
    case EMFILE:
    case ENFILE:
        log_refusals(listener, weir_err_text(WEIR_EMFILE));
        if (refuse_one(listener))
            return true;
        rest(listener);
        return false;
    case ENOMEM:
    case ENOBUFS:
        log_refusals(listener, weir_err_text(WEIR_ENOMEM));
        rest(listener);
        return false;
    default:
        return true; /* that connection has failed, not the listener */
    }
}

static void accept_waiting(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    weir_listener *listener = user;
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->closed; i++) {
        weir_addr peer = {.len = sizeof peer.storage};
        int fd = accept4(watcher->fd, (struct sockaddr *)&peer.storage, &peer.len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && !accept_failed(listener, errno))
            break;
        if (fd < 0)
            continue;
        weir__addr_unmap(&peer);
        listener->fn(listener, fd, &peer, listener->user);
    }
}

void weir_listener_accept_now(weir_listener *listener)
{
    weir_loop_assert(listener->watcher.loop);
    accept_waiting(&listener->watcher, WEIR_READABLE, listener);
}

/* Opening */

static void release(weir_deferred *work)
{
    free(WEIR_CONTAINER_OF(work, weir_listener, release));
}

/** @param fd  owned when all went well */
static weir_err watch(weir_listener *listener, weir_loop *loop, int fd)
{
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (listener->reserve < 0)
        return weir_err_from_errno(errno);
    weir_watcher_init(&listener->watcher, loop, fd, accept_waiting, listener);
    weir_err err = weir_watcher_want(&listener->watcher, WEIR_READABLE);
    if (err)
        close(listener->reserve);
    return err;
}

static weir_err open_listener(weir_listener *listener, weir_loop *loop,
                              const weir_listener_opts *opts)
{
    int fd = opts->fd;
    listener->inherited = fd > 0;
    weir_err err = listener->inherited ? weir__listen_socket_adopt(fd, &listener->addr)
                                       : weir__listen_socket_open(&fd, &listener->addr, opts);
    if (!err)
        err = watch(listener, loop, fd);
    if (err && listener->inherited)
        close(fd);
    else if (err && fd > 0)
        weir__listen_socket_close(fd, &listener->addr);
    return err;
}

weir_err weir_listener_open(weir_listener **out, weir_loop *loop, const weir_addr *addr,
                            weir_accept_fn fn, void *user, const weir_listener_opts *opts,
                            weir_why *why)
{
    static const weir_listener_opts defaults;
    weir_loop_assert(loop);
    char text[WEIR_ADDR_TEXT_MAX];
    opts = opts ? opts : &defaults;
    weir_listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        if (opts->fd > 0)
            close(opts->fd);
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    }
    listener->fn = fn;
    listener->user = user;
    listener->addr = *addr;
    listener->release.fn = release;
    weir_err err = open_listener(listener, loop, opts);
    if (err) {
        free(listener);
        return weir_why_set(why, err, "cannot listen on %s: %s", weir_addr_text(addr, text),
                            weir_err_text(err));
    }
    *out = listener;
    return WEIR_OK;
}

const weir_addr *weir_listener_addr(const weir_listener *listener)
{
    return &listener->addr;
}

void weir_listener_close(weir_listener *listener)
{
    if (!listener || listener->closed)
        return;
    weir_loop *loop = listener->watcher.loop;
    listener->closed = true;
    weir_watcher_stop(&listener->watcher);
    weir_loop_cancel(loop, &listener->rest);
    if (listener->inherited)
        close(listener->watcher.fd);
    else
        weir__listen_socket_close(listener->watcher.fd, &listener->addr);
    if (listener->reserve >= 0)
        close(listener->reserve);
    weir_loop_defer(loop, &listener->release); /* it may have been called in the accept callback */
}
