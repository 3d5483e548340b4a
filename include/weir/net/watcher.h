/**
 * @file
 * Watcher: a descriptor and the events wanted on it (muduo calls it a Channel). For descriptors of
 * the user's own; connections and listeners have theirs inside.
 */
#ifndef WEIR_NET_WATCHER_H
#define WEIR_NET_WATCHER_H

#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

enum {
    WEIR_READABLE = 1,
    WEIR_WRITABLE = 2
};

typedef struct weir_watcher weir_watcher;

/** `events`: what is ready. An error or a hang-up shows as every wanted event. */
typedef void (*weir_watcher_fn)(weir_watcher *watcher, unsigned events, void *user);

/** In the caller's object; the fields are weir's own. */
struct weir_watcher {
    weir_list node; /* in the loop, while anything is wanted */
    weir_loop *loop;
    weir_watcher_fn fn;
    void *user;
    int fd;
    int place;            /* in poll(2)'s array */
    unsigned char events; /* wanted */
    bool added;           /* to the poller */
    bool edge;            /* told of changes only */
};

/** Nothing is watched yet. @param fd  borrowed: closing it is the caller's, after weir_watcher_stop
 */
WEIR_API void weir_watcher_init(weir_watcher *watcher, weir_loop *loop, int fd, weir_watcher_fn fn,
                                void *user);

/**
 * Level-triggered from now on; replaces what was wanted before. No events: kept, but silent.
 * @thread the loop's
 * @errors WEIR_EINVAL: the descriptor cannot be waited for; WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_watcher_want(weir_watcher *watcher, unsigned events);

/** No callback comes any more, not even for events already collected. Repeatable. @thread the
 * loop's */
WEIR_API void weir_watcher_stop(weir_watcher *watcher);

WEIR_END_DECLS

#endif
