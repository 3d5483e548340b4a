/** @file The inside of the chat client: one struct, whose parts have a file each. */
#ifndef CHAT_CLIENT_IMPL_H
#define CHAT_CLIENT_IMPL_H

#include "chat_client.h"

enum {
    CLIENT_TOKEN_MAX = 4096,
    CLIENT_NODE_MAX = 64,
    CLIENT_SYNC_LIMIT = 500,
    CLIENT_HISTORY_LIMIT = 200,
    CLIENT_HISTORIES_MAX = 4,  /* pulls by History at a time */
    CLIENT_EMPTY_PULLS_MAX = 5 /* before what nobody has is given up */
};

/** A channel with its users: one that is left behind goes when its last call has ended. */
typedef struct client_link {
    weir_channel *channel;
    unsigned users;
} client_link;

/** A message that came before those in front of it; its texts are behind it. */
typedef struct client_held {
    weir_list node;
    chat_message message;
    char bytes[];
} client_held;

typedef struct client_conversation {
    weir_list node;                   /* client.conversations */
    struct client_conversation *next; /* in its bucket */
    weir_list dirty;                  /* client.dirty: a mark is due... */
    weir_time mark_at;                /* ...then */
    weir_list held;                   /* client_held by seq, all beyond position + 1 */
    size_t held_count;
    uint64_t id;
    uint64_t position;      /* everything up to here was shown */
    uint64_t head;          /* the greatest seq that we have heard of */
    uint64_t delivered_seq; /* as the server knows it, or will when our mark has come */
    uint64_t read_seq;      /* to be told, or told */
    uint64_t read_told;     /* the same at the server */
    unsigned empty_pulls;   /* one after the other */
    chat_conversation_kind kind;
    chat_role role;
    bool known;     /* `position` is meant: the server has told of it, or it was imported */
    bool told;      /* the server has told of it */
    uint64_t heads; /* number of the last Heads that had it */
    bool left;      /* kept for its position */
    bool pulling;   /* by History */
    bool refused;   /* History was; until the next Heads */
    char name[CHAT_CLIENT_NAME_MAX + 1];
    char title[CHAT_CLIENT_TITLE_MAX + 1];
} client_conversation;

typedef struct client_sends {
    weir_list lanes;    /* client_lane: targets with something to send */
    weir_timer timer;   /* answers that did not come, waits that are over, times to live */
    size_t count;       /* in all lanes */
    size_t in_flight;   /* of those, at most one per lane */
    weir_time next_ttl; /* the earliest end of a time to live, or an earlier time */
} client_sends;

typedef struct client_stream {
    weir_call_id id;
    bool open;      /* from its start until `closed` */
    bool ready;     /* the first Heads has come */
    bool blocked;   /* until `writable` */
    bool cancelled; /* `closed` is on its way */
    bool moving;    /* Drain has come: nothing new is sent */
    bool leaving;   /* we have half-closed it */
    bool silent;    /* ended because nothing came: the connection is not to be used again */
    bool heads_wanted;
    bool heads_asked; /* and not answered */
    bool heard;       /* a frame came since then */
    bool presence_wanted;
    uint32_t move_after_ms;
    uint64_t generation; /* of the token that it was opened with */
    weir_time since;     /* ready */
    weir_timer heads;    /* the next HeadsRequest */
    weir_timer watchdog; /* for the first Heads, then for the answer of a HeadsRequest */
    weir_timer move;     /* ends a stream that moves */
} client_stream;

typedef struct client_pulls {
    weir_timer timer;
    bool syncing;    /* Sync is under way */
    bool one_by_one; /* Sync has brought nothing: History instead */
    unsigned histories;
    unsigned failures; /* one after the other */
} client_pulls;

typedef struct client_login {
    weir_arena mem;      /* of `auth` */
    weir_metadata auth;  /* empty: no token */
    uint64_t generation; /* of the token */
    weir_timer renew;
    bool running;
    bool registering;
    weir_list parked; /* calls that wait for a new token */
} client_login;

struct chat_client {
    weir_loop *loop;
    const chat_client_events *events;
    void *user;
    chat_client_opts opts; /* with defaults; its texts are in `mem` */
    weir_arena mem;
    unsigned refs;
    bool freed;    /* no callback any more */
    bool stopping; /* `closed` of the stream ends it */
    chat_client_state state;
    chat_presence presence;
    client_link *link;
    uint64_t random;
    uint64_t heads;    /* Heads that have come */
    bool was_ready;    /* a stream has been */
    bool settled;      /* Heads have come: conversations that come from now on are new */
    unsigned attempts; /* since the last stable stream */
    weir_timer wait;
    client_login login;
    client_stream stream;
    client_pulls pulls;
    client_sends sends;
    weir_list conversations;
    client_conversation **buckets;
    size_t bucket_count; /* a power of two */
    size_t conversation_count;
    size_t held_count;
    weir_list dirty; /* conversations whose mark is due */
    weir_timer mark_timer;
    weir_time mark_at; /* when it runs */
    size_t calls;
    char node[CLIENT_NODE_MAX + 1];
    chat_client_counters counters;
};

/* client.c */
void client_ref(chat_client *self);
void client_unref(chat_client *self);
/** Counts a user of the channel. @return the link */
client_link *client_link_use(chat_client *self);
void client_link_done(client_link *link);
/** A new channel in place of the old one, for what begins from now on. */
void client_link_replace(chat_client *self);
void client_set_status(chat_client *self, const chat_client_status *status);
void client_set_state(chat_client *self, chat_client_state state);
/** Logs in or opens the stream, whatever is next. */
void client_begin(chat_client *self);
/** Tries again after the backoff. */
void client_retry(chat_client *self, weir_status_code code, const char *text);
void client_wait(chat_client *self, int64_t wait_us, weir_status_code code, const char *text);
/** For good. */
void client_end(chat_client *self, weir_status_code code, const char *text);
int64_t client_backoff_us(chat_client *self, unsigned attempts);
/** Worth another try. */
bool client_is_retryable(weir_status_code code);

/* client_login.c */
void client_login_init(chat_client *self);
void client_login_fini(chat_client *self);
bool client_has_token(const chat_client *self);
WEIR_MUST_CHECK weir_err client_set_token(chat_client *self, weir_str token);
void client_login_start(chat_client *self);
/** The token of that generation was refused. @return false: there is no way to a new one */
bool client_token_refused(chat_client *self, uint64_t generation);

/* client_call.c */
void client_calls_unpark(chat_client *self, const weir_status *failed);
/** As chat_client_call(), without its bound, for the client's own. */
WEIR_MUST_CHECK weir_err client_call_start(chat_client *self, const weir_method *method,
                                           const void *request, chat_client_reply_fn done,
                                           void *user);

/* client_stream.c */
void client_stream_open(chat_client *self);
void client_stream_cancel(chat_client *self);
/** Says how far we have come, and half-closes; cancels it if that does not end it in a second. */
void client_stream_leave(chat_client *self);
/** A send was answered: a stream that moves may go when it was the last one. */
void client_stream_idle(chat_client *self);
void client_stream_stop_timers(chat_client *self);
/** @errors WEIR_EAGAIN: `writable` will flush */
WEIR_MUST_CHECK weir_err client_stream_write(chat_client *self, const chat_client_frame *frame);
/** Writes what is due: requests, marks, messages. */
void client_stream_flush(chat_client *self);
void client_want_heads(chat_client *self);

/* client_conversations.c */
client_conversation *client_conversation_find(const chat_client *self, uint64_t id);
/** NULL: the bound is reached, or out of memory. */
client_conversation *client_conversation_get(chat_client *self, uint64_t id);
/** The one of that kind and name, or NULL. */
client_conversation *client_conversation_named(const chat_client *self, chat_conversation_kind kind,
                                               weir_str name);
/** What the server says of one. */
void client_conversation_in(chat_client *self, const chat_conversation *from);
void client_conversation_left(chat_client *self, uint64_t id);
void client_conversations_heads(chat_client *self, const chat_heads *heads);
void client_conversations_fini(chat_client *self);
static inline bool client_has_gap(const client_conversation *c)
{
    return c->known && !c->left && c->position < c->head;
}

/* client_messages.c */
/** One message, pushed or pulled. @return whether it, or what it was in front of, was shown */
bool client_message_in(chat_client *self, const chat_message *message);
/** Shows what was held and is next. */
void client_messages_release(chat_client *self, client_conversation *c);
void client_messages_drop(chat_client *self, client_conversation *c);

/* client_pull.c */
void client_pull_soon(chat_client *self);
void client_pull_now(chat_client *self);

/* client_sends.c */
void client_sends_init(chat_client *self);
void client_sends_fini(chat_client *self);
/** @errors WEIR_EAGAIN: the stream takes no more now */
weir_err client_sends_flush(chat_client *self);
void client_sends_answered(chat_client *self, const chat_sent *sent);
void client_sends_refused(chat_client *self, const chat_send_failed *failed);
/** What was on its way leaves again with the next stream. */
void client_sends_interrupted(chat_client *self);

/* client_marks.c */
void client_mark_due(chat_client *self, client_conversation *c);
/** @param all  also those whose time has not come
 * @errors WEIR_EAGAIN: the stream takes no more now */
weir_err client_marks_flush(chat_client *self, bool all);

#endif
