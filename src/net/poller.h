/**
 * @file
 * Poller: waits for descriptors. What a loop needs of epoll, poll(2) and their like.
 */
#ifndef WEIR_NET_POLLER_H
#define WEIR_NET_POLLER_H

#include <weir/net/watcher.h>

typedef struct weir__poller weir__poller;

enum {
    /** Beside WEIR_READABLE, of an edge: the peer has ended its direction, or worse. */
    WEIR__HANGUP = 4
};

/** A watcher whose descriptor is ready. */
typedef struct weir__ready {
    weir_watcher *watcher; /* NULL: stopped meanwhile */
    unsigned events;
} weir__ready;

enum {
    WEIR__READY_MAX = 256
};

typedef struct weir__poller_ops {
    /** Watches for `watcher->events`, which are not none; `watcher->added` says whether it already
     * was watched. */
    weir_err (*set)(weir__poller *poller, weir_watcher *watcher);
    /** `watcher->added` is true. */
    void (*remove)(weir__poller *poller, weir_watcher *watcher);
    /** Waits at most `wait_us` (negative: for ever) and fills `ready`. A signal ends it early. */
    weir_err (*wait)(weir__poller *poller, int64_t wait_us, weir__ready *ready, int *count);
    void (*free)(weir__poller *poller);
} weir__poller_ops;

/** First member of every poller. */
struct weir__poller {
    const weir__poller_ops *ops;
    int fd;    /* readable when something is ready; -1: there is none */
    bool edge; /* a watcher may ask to be told of changes only (`watcher->edge`), of all at once */
};

/** @errors WEIR_EMFILE, WEIR_ENOMEM */
weir_err weir__poller_epoll(weir__poller **out, bool edge);
/** @errors WEIR_ENOMEM */
weir_err weir__poller_poll(weir__poller **out);

#endif
