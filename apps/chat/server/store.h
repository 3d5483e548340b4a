/**
 * @file
 * Where messages are kept: the interface that every store implements, and the one in memory.
 * A "stream" is a topic or a room; messages are encoded bytes.
 */
#ifndef CHAT_SERVER_STORE_H
#define CHAT_SERVER_STORE_H

#include <weir/base/base.h>

/** Takes one message of store_recent(). The view is good during the call. */
typedef void (*store_each_fn)(weir_str message, void *user);

typedef struct store store;

/** All of them may be called from any thread. */
typedef struct store_ops {
    weir_err (*append)(store *self, weir_str stream, weir_str message);
    weir_err (*recent)(store *self, weir_str stream, unsigned max, store_each_fn each, void *user);
    void (*close)(store *self);
} store_ops;

/** The beginning of every store. */
struct store {
    const store_ops *ops;
};

/** Keeps a message. @errors WEIR_ENOMEM, WEIR_EIO: it is not kept */
static inline weir_err store_append(store *self, weir_str stream, weir_str message)
{
    return self->ops->append(self, stream, message);
}

/** The last `max` messages of a stream, oldest first. @errors WEIR_ENOMEM, WEIR_EIO */
static inline weir_err store_recent(store *self, weir_str stream, unsigned max, store_each_fn each,
                                    void *user)
{
    return self->ops->recent(self, stream, max, each, user);
}

/** NULL is fine. */
static inline void store_close(store *self)
{
    if (self)
        self->ops->close(self);
}

/**
 * A store in memory: the last `max_messages` of all streams together; older ones are forgotten.
 * @errors WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err store_memory_open(store **out, size_t max_messages);

#endif
