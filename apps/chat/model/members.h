/**
 * @file
 * Who is in a conversation: what conversations.c and conversations_members.c share.
 */
#ifndef CHAT_MODEL_MEMBERS_H
#define CHAT_MODEL_MEMBERS_H

#include "conversations.h"

/** A member's row. */
typedef struct member {
    chat_conversation_kind kind; /**< the conversation's */
    chat_role role;
    uint64_t first_seq;
    uint64_t last_seq; /**< the conversation's */
} member;

/** @errors WEIR_ENOENT: not in it */
WEIR_MUST_CHECK weir_err members_find(db *d, uint64_t conversation, uint64_t user, member *out);
/** @param first_seq  what the member may read begins there
 * @param seen  up to there it counts as delivered and read
 * @errors WEIR_EEXIST: is in it */
WEIR_MUST_CHECK weir_err members_add(db *d, uint64_t conversation, uint64_t user, chat_role role,
                                     uint64_t first_seq, uint64_t seen);
/** As members_add(), unless a limit refuses it; who is in it already, stays as is. */
WEIR_MUST_CHECK weir_err members_join(db *d, uint64_t conversation, uint64_t user, chat_role role,
                                      uint64_t first_seq, refusal *why);
/** Whether a user may be in one more conversation. */
WEIR_MUST_CHECK weir_err members_check_room(db *d, uint64_t user, refusal *why);
/** The same of somebody whom `me` wants to bring in: not if they have blocked `me`. */
WEIR_MUST_CHECK weir_err members_check_invite(db *d, uint64_t me, uint64_t user, refusal *why);

#endif
