/**
 * @file
 * Conversations and who is in them, in the database. All functions run within a transaction.
 *
 * What an owner or admin does to members locks the conversation's row first, by an UPDATE that
 * changes nothing, so that roles are not raced past. Limits are checked without a lock: those who
 * race may pass one by as many as they are.
 */
#ifndef CHAT_MODEL_CONVERSATIONS_H
#define CHAT_MODEL_CONVERSATIONS_H

#include "accounts.h"
#include "ids.h"
#include "weir/chat/v1/conversation.weir.h"

enum {
    CONVERSATIONS_PER_USER = 1000,
    CONVERSATIONS_MAX_MEMBERS = 10000
};

/** Those of a user. @param items  in `mem` */
WEIR_MUST_CHECK weir_err conversations_list(db *d, uint64_t me, weir_arena *mem,
                                            chat_conversation **items, size_t *count);
/** One of them. @errors WEIR_ENOENT: there is none, or `me` is not in it */
WEIR_MUST_CHECK weir_err conversations_get(db *d, uint64_t me, uint64_t id, weir_arena *mem,
                                           chat_conversation *out);

/** The conversation of two users; made if it is missing, which `made` tells. */
WEIR_MUST_CHECK weir_err conversations_direct(db *d, ids *source, uint64_t me, uint64_t peer,
                                              uint64_t *id, bool *made, refusal *why);
/** The id of the room or topic of that name. @errors WEIR_ENOENT */
WEIR_MUST_CHECK weir_err conversations_named(db *d, chat_conversation_kind kind, weir_str name,
                                             uint64_t *id);
/** The same; made if it is missing. */
WEIR_MUST_CHECK weir_err conversations_ensure(db *d, ids *source, chat_conversation_kind kind,
                                              weir_str name, uint64_t *id, bool *made);

/** A group or a room, `me` its owner. Members that do not exist are refused.
 * @param user_ids  who is in it, in `mem` */
WEIR_MUST_CHECK weir_err conversations_create(db *d, ids *source, uint64_t me,
                                              const chat_create_conversation_request *request,
                                              weir_arena *mem, uint64_t *id, uint64_t **user_ids,
                                              size_t *count, refusal *why);
WEIR_MUST_CHECK weir_err conversations_join(db *d, ids *source, uint64_t me, weir_str room,
                                            bool create, uint64_t *id, refusal *why);
WEIR_MUST_CHECK weir_err conversations_leave(db *d, uint64_t me, uint64_t id, refusal *why);

typedef enum member_action {
    MEMBER_ADD,
    MEMBER_REMOVE,
    MEMBER_SET_ROLE
} member_action;

/** By an owner or admin. @param user_id  whom it was done to */
WEIR_MUST_CHECK weir_err conversations_change_member(db *d, uint64_t me, member_action action,
                                                     const chat_member_request *request,
                                                     uint64_t *user_id, refusal *why);
/** Ordered by name. */
WEIR_MUST_CHECK weir_err conversations_members(db *d, uint64_t me,
                                               const chat_list_members_request *request,
                                               weir_arena *mem, chat_list_members_response *out,
                                               refusal *why);

#endif
