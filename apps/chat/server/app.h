/**
 * @file
 * What the services of a node share.
 *
 * Threads: calls live in the server's loops; handlers that block run on its workers; the store's
 * jobs end on storage threads; and the accepting loop (`loop`) owns the bus, presence and
 * everything that is told to others, in the order in which it comes.
 */
#ifndef CHAT_SERVER_APP_H
#define CHAT_SERVER_APP_H

#include <stdatomic.h>
#include <weir/weir.h>

#include "bus/bus.h"
#include "hub.h"
#include "model/accounts.h"
#include "model/ids.h"
#include "options.h"
#include "presence/presence.h"
#include "store/storage.h"

enum {
    CHAT_MAX_USER = 32, /* bytes of a user's name */
    CHAT_MAX_NAME = 64, /* of a room's or topic's */
    CHAT_MAX_CLIENT_ID = 64,
    CHAT_MAX_TITLE = 256,
    CHAT_MAX_TEXT = 4096
};

/** What an admin sees; see counters.c. */
typedef struct counters {
    atomic_ullong sessions;      /* chat streams, now */
    atomic_ullong subscriptions; /* to topics, now */
    atomic_ullong stored;        /* messages */
    atomic_ullong repeated;      /* sends of what was stored already */
    atomic_ullong refused;       /* sends */
    atomic_ullong failed;        /* sends that the store could not take */
    atomic_ullong pushed;        /* frames to streams */
    atomic_ullong missed;        /* frames that a stream was too slow for */
    atomic_ullong logins;
    atomic_ullong logins_refused;
    atomic_ullong heads;         /* asked for, or sent because pushes may be missing */
    atomic_ullong marks;         /* stored */
    atomic_ullong marks_dropped; /* found no room; a later one says as much */
} counters;

typedef struct app {
    const options *opts;
    weir_loop *loop; /* the accepting one */
    weir_server *server;
    char node[128];           /* its name: for people */
    uint64_t origin;          /* random: whose a message on the bus is */
    unsigned char secret[32]; /* of tokens; all nodes share it */
    ids ids;
    storage *storage;
    bus *bus;
    presence *presence;
    hub *chats;  /* groups "c/CONVERSATION", "u/USER" and "all" */
    hub *topics; /* groups "t/TOPIC" */
    struct channels *channels;
    struct devices *devices;
    struct marks *marks;
    struct password_gate *passwords;
    weir_rate_limiter *sends;       /* per user */
    weir_rate_limiter *calls;       /* per user, of those that only the store limits */
    weir_rate_limiter *logins;      /* per address */
    weir_rate_limiter *login_names; /* per name and address */
    counters counters;
    weir_timer check;         /* of subscriptions, for what a bus may have lost */
    void (*stop)(void *user); /* as SIGTERM does; any thread */
    void *stop_user;
} app;

/** Opens everything above but the server, which it does not touch. @param why  a sentence */
WEIR_MUST_CHECK weir_err app_open(app *self, weir_loop *loop, const options *opts, weir_why *why);
/** When no call is left. Whatever was begun is finished: marks are stored, jobs run. */
void app_close(app *self);

/* The services, each added to `server` with `self` as their user. */
WEIR_MUST_CHECK weir_err account_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err people_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err conversation_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err message_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err chat_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err notification_serve(weir_server *server, app *self);
WEIR_MUST_CHECK weir_err admin_serve(weir_server *server, app *self);

/** Tells clients to go elsewhere: the node is about to stop. @thread the app's loop */
void app_drain(app *self);

/** Whether a name of a user, room or topic may be used: 1 to `max` bytes of a-z 0-9 . _ - */
bool chat_name_is_valid(weir_str name, size_t max);
/** "c/18446744073709551615" and the like. */
#define CHAT_CHANNEL_MAX 80
weir_str chat_channel(char out[CHAT_CHANNEL_MAX], char kind, uint64_t id);

#endif
