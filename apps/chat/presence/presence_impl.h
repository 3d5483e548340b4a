/**
 * @file
 * What both implementations share: a request and its answer, which is never inside the function
 * that asked.
 */
#ifndef CHAT_PRESENCE_PRESENCE_IMPL_H
#define CHAT_PRESENCE_PRESENCE_IMPL_H

#include "presence.h"

#define PRESENCE_TTL_US  WEIR_SECONDS(60)
#define PRESENCE_KEEP_US (WEIR_SECONDS(30) * 24 * 3600) /* last_seen_us */

enum {
    PRESENCE_MAX_NODE = 128,       /* bytes of a node's name */
    PRESENCE_MAX_REQUESTS = 20000, /* unanswered; more are refused */
    PRESENCE_MAX_USERS = 200000
};

/** One presence_set() or presence_get(). */
typedef struct presence_request {
    weir_list link;
    void *owner;
    presence_fn on_get;         /* NULL: a set */
    presence_changed_fn on_set; /* may be NULL */
    void *user;
    weir_err err;
    presence_state before, after; /* of a set, whose user is ids[0] */
    uint64_t device;
    presence_state state;
    bool retried;
    size_t count;
    presence_info *infos; /* of a get; behind the ids */
    uint64_t ids[];
} presence_request;

/** @return NULL: out of memory */
presence_request *presence_request_new(void *owner, const uint64_t *ids, size_t count);
/** Tells the answer and is gone. */
void presence_request_end(presence_request *self, weir_err err);

/** Answers for the end of the turn. */
typedef struct presence_answers {
    weir_loop *loop;
    weir_list list;
    weir_deferred turn;
    size_t count;
    bool busy, closed;
    void (*gone)(struct presence_answers *self); /* frees what it is in */
} presence_answers;

void presence_answers_init(presence_answers *self, weir_loop *loop,
                           void (*gone)(presence_answers *self));
/** Takes the request; its answer is `err`, later. */
void presence_answers_add(presence_answers *self, presence_request *request, weir_err err);
/** What is left is answered WEIR_ECANCELED, inside this function; `gone` follows, perhaps too. */
void presence_answers_close(presence_answers *self);

WEIR_MUST_CHECK weir_err presence_local_open(presence **out, weir_loop *loop,
                                             const presence_opts *opts);
WEIR_MUST_CHECK weir_err presence_redis_open(presence **out, weir_loop *loop,
                                             const presence_opts *opts, weir_why *why);

#endif
