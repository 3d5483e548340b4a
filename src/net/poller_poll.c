/* poll(2): an array of what is wanted, handed to the kernel whole at each wait. */
#include "poller.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    FIRST_ROOM = 64
};

typedef struct poll_poller {
    weir__poller base;
    struct pollfd *fds;
    weir_watcher **watchers; /* of the same places */
    int count, room;
    int next; /* where the next look begins, so that the last ones are not starved */
} poll_poller;

static bool grow(poll_poller *p)
{
    int room = p->room ? p->room * 2 : FIRST_ROOM;
    struct pollfd *fds = realloc(p->fds, (size_t)room * sizeof *fds);
    if (!fds)
        return false;
    p->fds = fds;
    weir_watcher **watchers = realloc(p->watchers, (size_t)room * sizeof *watchers);
    if (!watchers)
        return false;
    p->watchers = watchers;
    p->room = room;
    return true;
}

static weir_err poll_set(weir__poller *poller, weir_watcher *watcher)
{
    poll_poller *p = (poll_poller *)poller;
    if (!watcher->added) {
        struct stat
            status; /* poll calls a file ready for ever; epoll refuses it, and so does weir */
        if (fstat(watcher->fd, &status) != 0 || S_ISREG(status.st_mode))
            return WEIR_EINVAL;
        if (p->count == p->room && !grow(p))
            return WEIR_ENOMEM;
        watcher->place = p->count++;
        p->watchers[watcher->place] = watcher;
        p->fds[watcher->place].fd = watcher->fd;
    }
    p->fds[watcher->place].events = (short)((watcher->events & WEIR_READABLE ? POLLIN : 0) |
                                            (watcher->events & WEIR_WRITABLE ? POLLOUT : 0));
    return WEIR_OK;
}

/** The last one takes its place. */
static void poll_remove(weir__poller *poller, weir_watcher *watcher)
{
    poll_poller *p = (poll_poller *)poller;
    int last = --p->count;
    p->fds[watcher->place] = p->fds[last];
    p->watchers[watcher->place] = p->watchers[last];
    p->watchers[watcher->place]->place = watcher->place;
}

static unsigned ready_events(short events)
{
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        return WEIR_READABLE | WEIR_WRITABLE;
    return (events & POLLIN ? WEIR_READABLE : 0u) | (events & POLLOUT ? WEIR_WRITABLE : 0u);
}

/** @param left  how many are ready. @return how many of them were taken */
static int collect(poll_poller *p, int left, weir__ready *ready)
{
    int taken = 0, at = p->next < p->count ? p->next : 0;
    for (int seen = 0; seen < p->count && taken < left && taken < WEIR__READY_MAX; seen++) {
        short events = p->fds[at].revents;
        if (events)
            ready[taken++] = (weir__ready){p->watchers[at], ready_events(events)};
        at = at + 1 < p->count ? at + 1 : 0;
    }
    p->next = at;
    return taken;
}

static weir_err poll_wait(weir__poller *poller, int64_t wait_us, weir__ready *ready, int *count)
{
    poll_poller *p = (poll_poller *)poller;
    struct timespec limit = {wait_us / 1000000, wait_us % 1000000 * 1000};
    int n = ppoll(p->fds, (nfds_t)p->count, wait_us < 0 ? NULL : &limit, NULL);
    if (n < 0 && errno != EINTR)
        return weir_err_from_errno(errno);
    *count = n > 0 ? collect(p, n, ready) : 0;
    return WEIR_OK;
}

static void poll_free(weir__poller *poller)
{
    poll_poller *p = (poll_poller *)poller;
    free(p->fds);
    free(p->watchers);
    free(p);
}

weir_err weir__poller_poll(weir__poller **out)
{
    static const weir__poller_ops ops = {poll_set, poll_remove, poll_wait, poll_free};
    poll_poller *p = calloc(1, sizeof *p);
    if (!p)
        return WEIR_ENOMEM;
    p->base = (weir__poller){.ops = &ops, .fd = -1};
    *out = &p->base;
    return WEIR_OK;
}
