/* epoll: level-triggered, but for watchers that can take edges in a poller that has them. */
#include "poller.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct epoll_poller {
    weir__poller base;
    bool no_pwait2; /* the kernel is older than 5.11 */
    struct epoll_event events[WEIR__READY_MAX];
} epoll_poller;

static uint32_t wanted(const weir_watcher *watcher)
{
    if (watcher->edge)
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    return (watcher->events & WEIR_READABLE ? EPOLLIN : 0u) |
           (watcher->events & WEIR_WRITABLE ? EPOLLOUT : 0u);
}

static weir_err epoll_set(weir__poller *poller, weir_watcher *watcher)
{
    struct epoll_event event = {.events = wanted(watcher), .data.ptr = watcher};
    int op = watcher->added ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(poller->fd, op, watcher->fd, &event) == 0)
        return WEIR_OK;
    return errno == ENOMEM || errno == ENOSPC ? WEIR_ENOMEM : WEIR_EINVAL;
}

static void epoll_remove(weir__poller *poller, weir_watcher *watcher)
{
    epoll_ctl(poller->fd, EPOLL_CTL_DEL, watcher->fd, NULL);
}

static int wait_for_events(epoll_poller *p, int64_t wait_us)
{
    if (wait_us > 0 && !p->no_pwait2) {
        struct timespec limit = {wait_us / 1000000, wait_us % 1000000 * 1000};
        int n = epoll_pwait2(p->base.fd, p->events, WEIR__READY_MAX, &limit, NULL);
        if (n >= 0 || errno != ENOSYS)
            return n;
        p->no_pwait2 = true;
    }
    int64_t wait_ms = wait_us < 0 ? -1 : wait_us / 1000 + (wait_us % 1000 != 0);
    return epoll_wait(p->base.fd, p->events, WEIR__READY_MAX,
                      wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms);
}

static unsigned ready_events(uint32_t events, const weir_watcher *watcher)
{
    bool over = events & (EPOLLERR | EPOLLHUP);
    return (over || events & EPOLLIN ? WEIR_READABLE : 0u) |
           (over || events & EPOLLOUT ? WEIR_WRITABLE : 0u) |
           (watcher->edge && (over || events & EPOLLRDHUP) ? WEIR__HANGUP : 0u);
}

static weir_err epoll_poller_wait(weir__poller *poller, int64_t wait_us, weir__ready *ready,
                                  int *count)
{
    epoll_poller *p = (epoll_poller *)poller;
    int n = wait_for_events(p, wait_us);
    if (n < 0 && errno != EINTR)
        return weir_err_from_errno(errno);
    *count = n < 0 ? 0 : n;
    for (int i = 0; i < *count; i++) {
        ready[i].watcher = p->events[i].data.ptr;
        ready[i].events = ready_events(p->events[i].events, ready[i].watcher);
    }
    return WEIR_OK;
}

static void epoll_free(weir__poller *poller)
{
    close(poller->fd);
    free(poller);
}

weir_err weir__poller_epoll(weir__poller **out, bool edge)
{
    static const weir__poller_ops ops = {epoll_set, epoll_remove, epoll_poller_wait, epoll_free};
    epoll_poller *p = calloc(1, sizeof *p);
    if (!p)
        return WEIR_ENOMEM;
    p->base = (weir__poller){.ops = &ops, .fd = epoll_create1(EPOLL_CLOEXEC), .edge = edge};
    if (p->base.fd < 0) {
        weir_err err = weir_err_from_errno(errno);
        free(p);
        return err;
    }
    *out = &p->base;
    return WEIR_OK;
}
