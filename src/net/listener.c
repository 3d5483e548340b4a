#include <weir/net/listener.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/net/watcher.h>

enum {
    BACKLOG = 4096,
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
        if (fd >= 0)
            listener->fn(listener, fd, &peer, listener->user);
        else if (!accept_failed(listener, errno))
            break;
    }
}

/* Opening */

static bool is_unix_path(const weir_addr *addr)
{
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&addr->storage;
    return addr->storage.ss_family == AF_UNIX && sun->sun_path[0] != '\0';
}

static void remove_path(const weir_addr *addr)
{
    unlink(((const struct sockaddr_un *)&addr->storage)->sun_path);
}

/** Whether the socket at that path has no listener any more: a server that was killed left it. */
static bool is_stale(const weir_addr *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool stale = connect(fd, (const struct sockaddr *)&addr->storage, addr->len) != 0 &&
                 errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int bind_to(int fd, const weir_addr *addr)
{
    const struct sockaddr *sa = (const struct sockaddr *)&addr->storage;
    int rc = bind(fd, sa, addr->len);
    if (rc != 0 && errno == EADDRINUSE && is_unix_path(addr) && is_stale(addr)) {
        remove_path(addr);
        rc = bind(fd, sa, addr->len);
    }
    return rc;
}

static weir_err bind_and_listen(int fd, weir_addr *addr, const weir_listener_opts *opts)
{
    int on = 1;
    int backlog = opts->backlog > 0 ? opts->backlog : BACKLOG;
    if (!is_unix_path(addr) && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return weir_err_from_errno(errno);
    if (opts->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return weir_err_from_errno(errno);
    if (bind_to(fd, addr) != 0)
        return weir_err_from_errno(errno);
    if (listen(fd, backlog) != 0) {
        weir_err err = weir_err_from_errno(errno);
        if (is_unix_path(addr))
            remove_path(addr);
        return err;
    }
    addr->len = sizeof addr->storage;
    getsockname(fd, (struct sockaddr *)&addr->storage, &addr->len);
    return WEIR_OK;
}

static weir_err open_socket(int *out, weir_addr *addr, const weir_listener_opts *opts)
{
    int fd = socket(addr->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return weir_err_from_errno(errno);
    weir_err err = bind_and_listen(fd, addr, opts);
    if (err)
        close(fd);
    else
        *out = fd;
    return err;
}

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
    int fd = -1;
    weir_err err = open_socket(&fd, &listener->addr, opts);
    if (err)
        return err;
    err = watch(listener, loop, fd);
    if (err) {
        close(fd);
        if (is_unix_path(&listener->addr))
            remove_path(&listener->addr);
    }
    return err;
}

weir_err weir_listener_open(weir_listener **out, weir_loop *loop, const weir_addr *addr,
                            weir_accept_fn fn, void *user, const weir_listener_opts *opts,
                            weir_why *why)
{
    static const weir_listener_opts defaults;
    weir_loop_assert(loop);
    char text[WEIR_ADDR_TEXT_MAX];
    weir_listener *listener = calloc(1, sizeof *listener);
    if (!listener)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    listener->fn = fn;
    listener->user = user;
    listener->addr = *addr;
    listener->release.fn = release;
    weir_err err = open_listener(listener, loop, opts ? opts : &defaults);
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
    close(listener->watcher.fd);
    if (listener->reserve >= 0)
        close(listener->reserve);
    if (is_unix_path(&listener->addr))
        remove_path(&listener->addr);
    weir_loop_defer(loop, &listener->release); /* it may have been called in the accept callback */
}
