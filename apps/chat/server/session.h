/**
 * @file
 * A device's stream: which conversations it hears, and the Heads that tell it how far they go.
 *
 * A stream joins its conversations first and reads how far they go afterwards, so that whatever is
 * not in the Heads is pushed: nothing falls between.
 * @thread the call's loop, where nothing else is said
 */
#ifndef CHAT_SERVER_SESSION_H
#define CHAT_SERVER_SESSION_H

#include "app.h"
#include "weir/chat/v1/chat.weir.h"

enum {
    /* Sends of a stream that are unanswered before no more of it is read; with a store that writes
     * on several threads it is one, so that they are stored in their order. */
    SESSION_MAX_SENDS = 64
};

typedef struct session {
    app *app;
    weir_call *call;
    caller who;
    hub_member user, all;
    atomic_ullong missed;  /* frames that it was too slow for */
    struct joined *joined; /* conversations, by their ids' order in the last list */
    size_t joined_count;
    weir_timer later; /* until a refresh that was put off */
    weir_time last;   /* when one began */
    unsigned sends;
    bool begun;
    bool paused;
    bool half_closed; /* it ends when all sends are answered */
    bool refreshing;
    bool again; /* refresh once more when this one is over */
} session;

/** In the call's arena; kept as the call's data. NULL: out of memory */
session *session_new(app *host, weir_call *call);
/** After Hello. The first Heads follow. */
void session_begin(session *self, const chat_hello *hello);
/** Looks anew at which conversations there are, and sends Heads. */
void session_refresh(session *self);
/** Whether it hears a conversation, and its kind. */
bool session_hears(const session *self, uint64_t conversation, chat_conversation_kind *kind);
/** The call is over. */
void session_end(session *self);

#endif
