/**
 * @file
 * A chat client: logs in, keeps a ChatService.Chat stream alive, and shows every message of every
 * conversation of its user once, in the order of its seq, whatever the connection does. Everything
 * lives in one weir loop, without threads or waiting, so that a loop may have thousands.
 *
 *     chat_client_new(&client, loop, &opts, &events, user);
 *     chat_client_start(client);
 *     ... events.status() says CHAT_CLIENT_LIVE ...
 *     chat_client_send_to_room(client, WEIR_STR("lobby"), WEIR_STR("hello"), NULL, NULL);
 *     ... events.message(), events.sent() ...
 *     chat_client_free(client);
 *
 * The order of one client's messages to one conversation is the order of the send functions: one
 * of them is on its way at a time, and the next leaves when it is answered. Sends to different
 * conversations go side by side. A direct conversation that this client does not know yet, or a
 * room, is one target however it is named from the moment the server has told of it.
 * @thread the loop's, all of it; inside the callbacks too, chat_client_free() included
 */
#ifndef CHAT_CLIENT_H
#define CHAT_CLIENT_H

#include <weir/weir.h>

#include "weir/chat/v1/account.weir.h"
#include "weir/chat/v1/chat.weir.h"
#include "weir/chat/v1/conversation.weir.h"
#include "weir/chat/v1/people.weir.h"

typedef struct chat_client chat_client;

enum {
    CHAT_CLIENT_ID_MAX = 64,              /**< bytes of a client_id */
    CHAT_CLIENT_NAME_MAX = 64,            /**< bytes of a user's or room's name */
    CHAT_CLIENT_TITLE_MAX = 128,          /**< bytes of a conversation's title */
    CHAT_CLIENT_TEXT_MAX = 4096,          /**< bytes of a message's text */
    CHAT_CLIENT_CONVERSATIONS_MAX = 4096, /**< that it remembers; frames about more are ignored,
                                               counted as refused_frames */
    CHAT_CLIENT_CALLS_MAX = 64,           /**< chat_client_call()s at a time; more: WEIR_EFULL */
};

typedef enum chat_client_state {
    CHAT_CLIENT_IDLE,       /**< not started */
    CHAT_CLIENT_LOGGING_IN, /**< asks for a token */
    CHAT_CLIENT_CONNECTING, /**< the stream begins */
    CHAT_CLIENT_SYNCING,    /**< connected; what was missed is pulled. Sends leave already */
    CHAT_CLIENT_LIVE,       /**< nothing is missing */
    CHAT_CLIENT_WAITING,    /**< tries again after wait_ms */
    CHAT_CLIENT_ENDED       /**< for good: stopped, or refused. Only chat_client_free() is left */
} chat_client_state;

typedef struct chat_client_status {
    chat_client_state state;
    uint32_t wait_ms;      /**< WAITING: for so long */
    weir_status_code code; /**< WAITING and ENDED: why; OK: as asked */
    const char *text;      /**< the same as a sentence; never NULL */
} chat_client_status;

/** What happens. Each may be NULL. Views are good until the callback has returned. */
typedef struct chat_client_events {
    void (*status)(chat_client *client, const chat_client_status *status, void *user);
    /** A message, one's own included. */
    void (*message)(chat_client *client, const chat_message *message, void *user);
    /** It is stored. Comes behind `message` for the same one, unless others are missing before it.
     */
    void (*sent)(chat_client *client, const chat_sent *sent, void *user);
    /** It was refused for good, or its time is over (code 4: then nobody knows). It is forgotten.
     */
    void (*failed)(chat_client *client, const chat_send_failed *failed, void *user);
    /** One is new, or its name, title or role has changed. */
    void (*conversation)(chat_client *client, const chat_conversation *conversation, void *user);
    void (*left)(chat_client *client, uint64_t conversation, void *user);
    /** How far another member has received or read. */
    void (*mark)(chat_client *client, const chat_mark *mark, void *user);
    void (*presence)(chat_client *client, const chat_presence_event *presence, void *user);
    /** A relation has changed: a request, a new friend. */
    void (*person)(chat_client *client, const chat_person *person, void *user);
    /** The node stops; the client moves after so long by itself. */
    void (*drain)(chat_client *client, uint32_t after_ms, void *user);
} chat_client_events;

/** A zeroed field means the default written beside it. Texts are copied. */
typedef struct chat_client_opts {
    const char *target;     /**< as weir_channel_new()'s; NULL: "127.0.0.1:50051" */
    const char *name;       /**< the account's */
    const char *password;   /**< NULL: only `token` is used */
    const char *token;      /**< of an earlier login; NULL: log in */
    const char *device;     /**< at most 64 bytes; NULL: "weir" */
    bool register_missing;  /**< registers the account if it cannot log in */
    bool calls_only;        /**< no stream: LIVE means logged in */
    uint64_t seed;          /**< of jitter; 0: random */
    int64_t request_us;     /**< of unary calls, and for the first Heads; 0: 10 s */
    int64_t answer_us;      /**< a send without an answer leaves again after it; 0: 10 s */
    int64_t silence_us;     /**< a HeadsRequest without any answer ends the stream; 0: 10 s */
    int64_t heads_us;       /**< between HeadsRequests; 0: 30 s */
    int64_t gap_us;         /**< a missing seq is pulled after so long; 0: 30 ms */
    int64_t mark_us;        /**< delivered marks of a conversation are so far apart, those of a
                                 room, which nobody is told, up to ten times; 0: 200 ms */
    int64_t backoff_us;     /**< first wait; doubles, and half of it is jitter; 0: 100 ms */
    int64_t backoff_max_us; /**< 0: 5 s */
    int64_t stable_us;      /**< a stream that lasted so long makes the next wait short; 0: 5 s */
    size_t queue_max;       /**< messages that wait or are on their way; 0: 1000 */
    size_t window;          /**< of those on their way at once; 0: 32 */
    size_t held_max;        /**< early messages kept per conversation; four times as many in all;
                                 what does not fit is pulled later; 0: 256 */
    weir_tls *tls;          /**< a reference is taken; NULL: plaintext */
} chat_client_opts;

/** Since the start; they only grow, but for *_now. */
typedef struct chat_client_counters {
    uint64_t reconnects;      /**< streams that became ready after the first one */
    uint64_t retransmissions; /**< sends that left again */
    uint64_t duplicates;      /**< messages that had been shown already */
    uint64_t echoes;          /**< of those: one's own, known from its Sent */
    uint64_t gaps_pulled;     /**< conversations in which something was missing, per pull */
    uint64_t holes;           /**< seqs that the server does not have any more */
    uint64_t shown;           /**< message events */
    uint64_t sent;            /**< sends acknowledged */
    uint64_t failed;          /**< sends refused or too late */
    uint64_t held_dropped;    /**< early messages beyond held_max */
    uint64_t refused_frames;  /**< frames that make no sense, and conversations beyond the bound */
    uint64_t logins;          /**< LogIn and Register that gave a token */
    uint64_t queued_now;      /**< sends not answered yet */
} chat_client_counters;

/** How far a conversation was shown. */
typedef struct chat_client_position {
    uint64_t conversation;
    uint64_t seq;
} chat_client_position;

/**
 * @param out     yours until chat_client_free()
 * @param loop    borrowed, must outlive the client and turn once more after chat_client_free()
 * @param events  borrowed for the client's life
 * @errors WEIR_EINVAL: no name, a text that is too long, or neither password nor token.
 *         WEIR_ENOMEM: also out of descriptors
 */
WEIR_MUST_CHECK weir_err chat_client_new(chat_client **out, weir_loop *loop,
                                         const chat_client_opts *opts,
                                         const chat_client_events *events, void *user);
/** Begins; nothing has been called before. Repeatable. */
void chat_client_start(chat_client *client);
/** Tells the server how far it has come and closes the stream; ENDED comes within a second. What is
 * queued is forgotten: wait until chat_client_counters.queued_now is 0 before. */
void chat_client_stop(chat_client *client);
/** No callback comes any more, but for chat_client_call()s', which end with CANCELLED. NULL is
 * fine.
 */
void chat_client_free(chat_client *client);

chat_client_state chat_client_state_of(const chat_client *client);
void chat_client_get_counters(const chat_client *client, chat_client_counters *out);
/** The account's name. Until chat_client_free(). */
const char *chat_client_name(const chat_client *client);
/** Which node serves the stream; "" when unknown. Until the next event. */
const char *chat_client_node(const chat_client *client);
/** For streams of the caller's own: with chat_client_metadata(), not kept beyond the callback. */
weir_channel *chat_client_channel(const chat_client *client);
/** "authorization", once logged in. */
const weir_metadata *chat_client_metadata(const chat_client *client);

/**
 * Where a conversation goes on, from an earlier run: before the start.
 * @errors WEIR_ESTATE: started. WEIR_EINVAL: conversation 0. WEIR_EFULL, WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err chat_client_set_position(chat_client *client,
                                                  chat_client_position position);
/** The positions of all conversations that have one. @return how many there are, which may be more
 * than `max` */
size_t chat_client_positions(const chat_client *client, chat_client_position *out, size_t max);

/* Sending. */

/** A zeroed field means the default written beside it. */
typedef struct chat_client_send_opts {
    weir_str client_id; /**< 1 to 64 bytes; empty: 32 random hexadecimal digits */
    int64_t ttl_us;     /**< it fails when it is not answered by then; 0: it is tried for ever */
} chat_client_send_opts;

/**
 * Queues a message: `sent` or `failed` comes once, with its client_id, unless an error is returned
 * or the client ends. Also before the client is live.
 * @param opts       NULL is all defaults
 * @param client_id  CHAT_CLIENT_ID_MAX + 1 bytes for it, with a NUL; may be NULL
 * @errors WEIR_EFULL: queue_max wait. WEIR_EMSGSIZE: the text. WEIR_EUTF8: the text.
 *         WEIR_EINVAL: empty text, or no such name. WEIR_EEXIST: that client_id is queued.
 *         WEIR_ECLOSED: ended. WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err chat_client_send_to_user(chat_client *client, weir_str user, weir_str text,
                                                  const chat_client_send_opts *opts,
                                                  char *client_id);
/** The same to a room, which one must have joined. */
WEIR_MUST_CHECK weir_err chat_client_send_to_room(chat_client *client, weir_str room, weir_str text,
                                                  const chat_client_send_opts *opts,
                                                  char *client_id);
WEIR_MUST_CHECK weir_err chat_client_send_to_conversation(chat_client *client,
                                                          uint64_t conversation, weir_str text,
                                                          const chat_client_send_opts *opts,
                                                          char *client_id);

/** Everything up to `seq` is read; beyond what was shown it is cut. Leaves with the next delivered
 * mark. An unknown conversation is ignored. */
void chat_client_mark_read(chat_client *client, uint64_t conversation, uint64_t seq);
/** Tells the friends; kept over reconnects. */
void chat_client_set_presence(chat_client *client, chat_presence presence);
/** Asks now whether something was missed, as every heads_us. */
void chat_client_check(chat_client *client);

/* Unary calls. */

/** @param reply  of the method's type; NULL unless the status is OK; until this returns */
typedef void (*chat_client_reply_fn)(chat_client *client, const weir_status *status,
                                     const void *reply, void *user);

/** The method of that name ("RequestFriend"), or NULL. @thread any */
const weir_method *chat_client_method(const weir_service *service, const char *name);

/**
 * Any unary call of the chat's services, with the token; once more with a new token when the old
 * one is refused. It may be waiting for a connection as long as request_us.
 * @param done  comes once, unless an error is returned; may be NULL
 * @errors WEIR_ESTATE: there is no token yet, or it has ended. WEIR_EFULL: CHAT_CLIENT_CALLS_MAX.
 *         WEIR_ENOMEM, WEIR_EMSGSIZE
 */
WEIR_MUST_CHECK weir_err chat_client_call(chat_client *client, const weir_method *method,
                                          const void *request, chat_client_reply_fn done,
                                          void *user);

/* The usual ones; errors as chat_client_call(). The reply is the type in the comment. */

/** chat_person */
WEIR_MUST_CHECK weir_err chat_client_request_friend(chat_client *client, weir_str name,
                                                    chat_client_reply_fn done, void *user);
/** chat_person */
WEIR_MUST_CHECK weir_err chat_client_accept_friend(chat_client *client, weir_str name,
                                                   chat_client_reply_fn done, void *user);
/** chat_person */
WEIR_MUST_CHECK weir_err chat_client_remove_friend(chat_client *client, weir_str name,
                                                   chat_client_reply_fn done, void *user);
/** chat_person */
WEIR_MUST_CHECK weir_err chat_client_block(chat_client *client, weir_str name,
                                           chat_client_reply_fn done, void *user);
/** chat_person */
WEIR_MUST_CHECK weir_err chat_client_unblock(chat_client *client, weir_str name,
                                             chat_client_reply_fn done, void *user);
/** chat_list_people_response */
WEIR_MUST_CHECK weir_err chat_client_list_people(chat_client *client, chat_client_reply_fn done,
                                                 void *user);
/** chat_conversation */
WEIR_MUST_CHECK weir_err chat_client_create_group(chat_client *client, weir_str title,
                                                  const weir_str *members, size_t count,
                                                  chat_client_reply_fn done, void *user);
/** chat_conversation */
WEIR_MUST_CHECK weir_err chat_client_create_room(chat_client *client, weir_str name, weir_str title,
                                                 chat_client_reply_fn done, void *user);
/** chat_conversation @param create  make the room if there is none */
WEIR_MUST_CHECK weir_err chat_client_join(chat_client *client, weir_str room, bool create,
                                          chat_client_reply_fn done, void *user);
/** chat_member_response */
WEIR_MUST_CHECK weir_err chat_client_leave(chat_client *client, uint64_t conversation,
                                           chat_client_reply_fn done, void *user);
/** chat_member_response */
WEIR_MUST_CHECK weir_err chat_client_add_member(chat_client *client, uint64_t conversation,
                                                weir_str name, chat_client_reply_fn done,
                                                void *user);
/** chat_member_response */
WEIR_MUST_CHECK weir_err chat_client_remove_member(chat_client *client, uint64_t conversation,
                                                   weir_str name, chat_client_reply_fn done,
                                                   void *user);
/** chat_member_response */
WEIR_MUST_CHECK weir_err chat_client_set_role(chat_client *client, uint64_t conversation,
                                              weir_str name, chat_role role,
                                              chat_client_reply_fn done, void *user);
/** chat_list_members_response @param after  names behind it; empty: from the first */
WEIR_MUST_CHECK weir_err chat_client_list_members(chat_client *client, uint64_t conversation,
                                                  weir_str after, chat_client_reply_fn done,
                                                  void *user);
/** chat_list_conversations_response */
WEIR_MUST_CHECK weir_err chat_client_list_conversations(chat_client *client,
                                                        chat_client_reply_fn done, void *user);
/** chat_history_response: a page, which changes no position.
 * @param before_seq  the latest before it; 0: those after after_seq
 * @param limit       at most 200; 0: 50 */
WEIR_MUST_CHECK weir_err chat_client_history(chat_client *client, uint64_t conversation,
                                             uint64_t after_seq, uint64_t before_seq,
                                             uint32_t limit, chat_client_reply_fn done, void *user);
/** chat_profile @param name  empty: one's own */
WEIR_MUST_CHECK weir_err chat_client_get_profile(chat_client *client, weir_str name,
                                                 chat_client_reply_fn done, void *user);
/** chat_profile */
WEIR_MUST_CHECK weir_err chat_client_set_profile(chat_client *client, weir_str display_name,
                                                 weir_str about, chat_client_reply_fn done,
                                                 void *user);

#endif
