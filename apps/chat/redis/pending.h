/**
 * @file
 * Commands that have been sent and not answered, in their order: Redis answers in the same.
 */
#ifndef CHAT_REDIS_PENDING_H
#define CHAT_REDIS_PENDING_H

#include <stddef.h>
#include <stdlib.h>
#include <weir/base/err.h>

struct redisReply;

/** The answer to a command; `reply` is valid until it returns, NULL with an error. An error of
 * Redis's own is a reply. */
typedef void (*redis_reply_fn)(weir_err err, const struct redisReply *reply, void *user);

typedef struct pending_command {
    redis_reply_fn fn; /* may be NULL */
    void *user;
} pending_command;

/** A ring that doubles; zeroed is valid and empty. */
typedef struct pending {
    pending_command *ring;
    size_t size, first, count;
} pending;

enum {
    PENDING_FIRST = 64
};

static inline weir_err pending_grow(pending *self)
{
    size_t size = self->size ? self->size * 2 : PENDING_FIRST;
    pending_command *ring = malloc(size * sizeof *ring);
    if (!ring)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < self->count; i++)
        ring[i] = self->ring[(self->first + i) & (self->size - 1)];
    free(self->ring);
    self->ring = ring;
    self->size = size;
    self->first = 0;
    return WEIR_OK;
}

/** Room for one more. @errors WEIR_ENOMEM */
static inline weir_err pending_reserve(pending *self)
{
    return self->count < self->size ? WEIR_OK : pending_grow(self);
}

/** After pending_reserve(). */
static inline void pending_push(pending *self, redis_reply_fn fn, void *user)
{
    self->ring[(self->first + self->count++) & (self->size - 1)] = (pending_command){fn, user};
}

/** @return false: there is none */
static inline bool pending_pop(pending *self, pending_command *out)
{
    if (self->count == 0)
        return false;
    *out = self->ring[self->first];
    self->first = (self->first + 1) & (self->size - 1);
    self->count--;
    return true;
}

#endif
