/**
 * @file
 * What the two services of weir-chatd share.
 */
#ifndef CHAT_SERVER_APP_H
#define CHAT_SERVER_APP_H

#include <stdatomic.h>
#include <weir/weir.h>

#include "hub.h"
#include "store.h"
#include "weir/chat/v1/chat.weir.h"

enum {
    CHAT_MAX_USER = 64,
    CHAT_MAX_NAME = 128, /* of a topic or room */
    CHAT_MAX_TITLE = 256,
    CHAT_MAX_TEXT = 4096,
    CHAT_MAX_TOPICS = 64,
    CHAT_MAX_RECENT = 100
};

typedef struct app {
    hub *topics;
    hub *rooms;
    store *store;
    atomic_ullong last_id;
} app;

/** Bytes for chat_next_id(). */
#define CHAT_ID_MAX 24

/**
 * The next id: 16 hexadecimal digits, the time in them, so that ids sort by age as text; unique
 * within this server.
 */
weir_str chat_next_id(app *self, char out[CHAT_ID_MAX]);

/** Whether a name of a user, topic or room may be used: 1 to `max` bytes, no control characters. */
bool chat_name_is_valid(weir_str name, size_t max);

/** weir_chat_v1.NotificationService and ChatService; added to `server`, with `self` as their user.
 */
WEIR_MUST_CHECK weir_err notify_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err rooms_serve(weir_server *server, app *self);

/** Tells every subscriber that the server is alive, with a notification of type SYSTEM. */
void notify_system(app *self, weir_str body);

#endif
