/**
 * @file
 * Who is there: advice, never what delivery depends on. Each device of a user is an entry that
 * expires by itself unless it is refreshed; a user is what the most present device is. An entry
 * carries its node's name, so that what a dead node has left behind expires, and a device that goes
 * late erases only itself.
 *
 * Two implementations: within the process ("local": all of these see the same users, in whatever
 * loop they are), and Redis ("redis://...", a hash per user with a time to live, changed by
 * scripts, so atomically).
 * @thread the loop's
 */
#ifndef CHAT_PRESENCE_PRESENCE_H
#define CHAT_PRESENCE_PRESENCE_H

#include <weir/net/loop.h>

typedef struct presence presence;

typedef enum presence_state {
    PRESENCE_OFFLINE,
    PRESENCE_AWAY,
    PRESENCE_ONLINE
} presence_state;

/** A user's. */
typedef struct presence_info {
    presence_state state;
    int64_t last_seen_us; /**< microseconds since 1970, when the last device went or expired; 0:
                             online, or not known (kept 30 days) */
} presence_info;

/** An answer, in the loop. @param infos  one per user that was asked about; NULL with an error */
typedef void (*presence_fn)(weir_err err, const presence_info *infos, size_t count, void *user);
/** The user's state before and after a change, in the loop: whether others must be told. */
typedef void (*presence_changed_fn)(weir_err err, uint64_t user_id, presence_state before,
                                    presence_state after, void *user);

/** Every implementation's table. */
typedef struct presence_ops {
    weir_err (*set)(presence *self, uint64_t user_id, uint64_t device, presence_state state,
                    presence_changed_fn fn, void *user);
    weir_err (*get)(presence *self, const uint64_t *user_ids, size_t count, presence_fn fn,
                    void *user);
    void (*close)(presence *self);
} presence_ops;

/** The beginning of every presence. */
struct presence {
    const presence_ops *ops;
};

enum {
    PRESENCE_MAX_DEVICES = 16, /* of a user; the one that expires first makes room */
    PRESENCE_MAX_ASKED = 1000  /* users of one presence_get() */
};

/** A zeroed field means the default written beside it. */
typedef struct presence_opts {
    const char *url;  /**< "local", "redis://[:PASSWORD@]HOST:PORT" or "redis+unix://PATH" */
    const char *node; /**< this node's name, for entries */
    int64_t ttl_us;   /**< of an entry; 0: 60 s */
    size_t max_users; /**< "local": remembered; more forget the longest gone; 0: 200,000 */
} presence_opts;

/** Redis that is away does not make it fail: see presence_get(). @errors WEIR_EINVAL, WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err presence_open(presence **out, weir_loop *loop, const presence_opts *opts,
                                       weir_why *why);

/**
 * A device is there (and again within ttl_us), or has gone (PRESENCE_OFFLINE).
 * @param device  unique at this node
 * @param fn      may be NULL; not inside this function
 * @errors WEIR_ENOMEM, WEIR_EFULL: too much unanswered: `fn` does not run. To `fn`: WEIR_ECLOSED:
 *         Redis is away, which takes 2 s to notice. WEIR_EIO, WEIR_EPROTO: it refuses the command,
 *         or answers what makes no sense
 */
static inline weir_err presence_set(presence *self, uint64_t user_id, uint64_t device,
                                    presence_state state, presence_changed_fn fn, void *user)
{
    return self->ops->set(self, user_id, device, state, fn, user);
}

/** @errors as presence_set(); WEIR_EINVAL: more than PRESENCE_MAX_ASKED users */
static inline weir_err presence_get(presence *self, const uint64_t *user_ids, size_t count,
                                    presence_fn fn, void *user)
{
    return self->ops->get(self, user_ids, count, fn, user);
}

/** Entries of this node stay until they expire. Answers still owed come with WEIR_ECANCELED, inside
 * this function. NULL is fine. */
static inline void presence_close(presence *self)
{
    if (self)
        self->ops->close(self);
}

#endif
