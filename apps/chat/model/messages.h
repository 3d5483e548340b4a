/**
 * @file
 * Messages in the database: stored once, read by seq. All functions run within a transaction.
 *
 * Exactly once: (sender, client_id) and (conversation, seq) are unique keys. The conversation's row
 * is locked by the UPDATE that counts, so seqs have no gap and no double; whoever races with the
 * same client id is refused by its key, is run again, and finds the message. READ COMMITTED is
 * enough for that.
 */
#ifndef CHAT_MODEL_MESSAGES_H
#define CHAT_MODEL_MESSAGES_H

#include "conversations.h"
#include "weir/chat/v1/notification.weir.h"

/** What a message of type 0 is; notifications have their type there. */
enum {
    MESSAGE_TEXT = 0,
    MESSAGES_PER_HISTORY = 200,
    MESSAGES_PER_SYNC = 500
};

/** A message to be stored: `to` or `topic`. */
typedef struct message_new {
    const caller *from;
    weir_str client_id;
    chat_send_message_request_to_case to;
    uint64_t conversation;
    weir_str name; /**< a user's, a room's, or with `topic` a topic's */
    bool topic;    /**< made if it is missing; one need not be in it */
    int type;
    weir_str title;
    weir_str text;
} message_new;

/** What has become of it. */
typedef struct message_stored {
    uint64_t id;
    uint64_t conversation;
    uint64_t seq;
    int64_t time_us;
    bool repeated; /**< it was there already: nothing was stored now */
    bool made;     /**< the direct conversation is new */
    uint64_t peer; /**< then: the other user */
} message_stored;

WEIR_MUST_CHECK weir_err messages_store(db *d, ids *source, const message_new *in,
                                        message_stored *out, refusal *why);

/** A page. @param mem  the messages live there */
WEIR_MUST_CHECK weir_err messages_history(db *d, uint64_t me, const chat_history_request *request,
                                          weir_arena *mem, chat_history_response *out,
                                          refusal *why);
/** What the caller has not: of each conversation what is behind its position. */
WEIR_MUST_CHECK weir_err messages_sync(db *d, uint64_t me, const chat_sync_request *request,
                                       weir_arena *mem, chat_sync_response *out);
/** Moves a member's marks forward, never back and never past the last message. */
WEIR_MUST_CHECK weir_err messages_mark(db *d, uint64_t user, const chat_mark *mark);

/** Notifications of a topic behind `after`, oldest first. A topic that does not exist has none.
 * @param limit  one more is asked for, to tell `more` */
WEIR_MUST_CHECK weir_err messages_of_topic(db *d, weir_str topic, uint64_t after, size_t limit,
                                           weir_arena *mem, chat_notification **items,
                                           size_t *count, bool *more);
/** Its last seq; 0: there is none. */
WEIR_MUST_CHECK weir_err messages_topic_end(db *d, weir_str topic, uint64_t *last_seq);

#endif
