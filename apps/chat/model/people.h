/**
 * @file
 * Relations between users in the database: a row for each direction. All functions run within a
 * transaction.
 */
#ifndef CHAT_MODEL_PEOPLE_H
#define CHAT_MODEL_PEOPLE_H

#include "accounts.h"
#include "weir/chat/v1/people.weir.h"

enum {
    PEOPLE_MAX_RELATIONS = 1000
};

typedef enum people_action {
    PEOPLE_REQUEST,
    PEOPLE_ACCEPT,
    PEOPLE_REMOVE,
    PEOPLE_BLOCK,
    PEOPLE_UNBLOCK
} people_action;

/** What a change has made of both sides. */
typedef struct people_change {
    uint64_t peer;
    chat_relation mine;   /**< what the caller now has of the peer */
    chat_relation theirs; /**< the other way round */
    chat_relation theirs_before;
} people_change;

WEIR_MUST_CHECK weir_err people_apply(db *d, uint64_t me, weir_str peer_name, people_action action,
                                      people_change *out, refusal *why);

/** One of people_list(). */
typedef struct people_row {
    uint64_t id;
    weir_str name;
    weir_str display_name;
    chat_relation relation;
} people_row;

/** Everybody that a user has a relation with. @param items  in `mem` */
WEIR_MUST_CHECK weir_err people_list(db *d, uint64_t me, weir_arena *mem, people_row **items,
                                     size_t *count);
/** What `me` has of `peer`. */
WEIR_MUST_CHECK weir_err people_relation(db *d, uint64_t me, uint64_t peer, chat_relation *out);

#endif
