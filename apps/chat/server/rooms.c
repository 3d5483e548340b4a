/* ChatService: rooms in which everybody hears everybody else. */
#include "app.h"

/** A running Chat call that has joined, in the call's arena. */
typedef struct talker {
    atomic_ullong missed;
    weir_str user;
    weir_str room;
    hub_member member;
} talker;

/** Gives a message to everybody else in the talker's room. */
static weir_err broadcast(app *self, const talker *from, const chat_chat_message *message,
                          bool keep)
{
    weir_payload *payload;
    weir_err err = weir_payload_new(&payload, &chat_chat_message_descriptor, message);
    if (err)
        return err;
    if (keep)
        err = store_append(self->store, from->room, weir_payload_bytes(payload));
    if (!err)
        hub_send(self->rooms, from->room, payload, from->member.call);
    weir_payload_unref(payload);
    return err;
}

static void announce(app *self, const talker *who, chat_chat_message_type type)
{
    char id[CHAT_ID_MAX];
    chat_chat_message message = {
        .id = chat_next_id(self, id),
        .room = who->room,
        .user = who->user,
        .timestamp_us = weir_wall_now().us,
        .type = type,
    };
    if (broadcast(self, who, &message, false))
        WEIR_LOG_WARN("out of memory: a coming or going was not announced");
}

static void welcome(weir_call *call, app *self, const talker *who)
{
    char id[CHAT_ID_MAX];
    size_t others = hub_count(self->rooms, who->room) - 1;
    chat_chat_message hello = {
        .id = chat_next_id(self, id),
        .room = who->room,
        .text = weir_call_printf(call, "welcome to %.*s; %zu other%s here",
                                 WEIR_STR_ARGS(who->room), others, others == 1 ? " is" : "s are"),
        .timestamp_us = weir_wall_now().us,
        .type = CHAT_CHAT_MESSAGE_TYPE_WELCOME,
    };
    if (chat_chat_service_chat_send(call, &hello) != WEIR_OK)
        weir_call_cancel(call);
}

static void replay_one(weir_str bytes, void *user)
{
    weir_call *call = user;
    chat_chat_message *stored;
    if (chat_chat_message_decode(&stored, weir_call_arena(call), bytes) == WEIR_OK &&
        chat_chat_service_chat_send(call, stored) != WEIR_OK)
        WEIR_LOG_DEBUG("a stored message did not fit into a new stream");
}

static talker *new_talker(weir_call *call, const chat_chat_message *first)
{
    weir_arena *arena = weir_call_arena(call);
    talker *t = weir_arena_zalloc(arena, sizeof *t);
    if (!t)
        return NULL;
    t->user = weir_arena_copy(arena, first->user);
    t->room = weir_arena_copy(arena, first->room);
    t->member.call = weir_call_id_of(call);
    t->member.missed = &t->missed;
    return t->user.ptr && t->room.ptr ? t : NULL;
}

static talker *join(weir_call *call, app *self, const chat_chat_message *first)
{
    if (!chat_name_is_valid(first->user, CHAT_MAX_USER) ||
        !chat_name_is_valid(first->room, CHAT_MAX_NAME)) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                       "the first message must name a user (1 to %d bytes) and a room (1 to %d)",
                       CHAT_MAX_USER, CHAT_MAX_NAME);
        return NULL;
    }
    talker *t = new_talker(call, first);
    weir_err err = t ? hub_join(self->rooms, t->room, &t->member) : WEIR_ENOMEM;
    if (err) {
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "%s", weir_err_text(err));
        return NULL;
    }
    weir_call_set_data(call, t);
    welcome(call, self, t);
    unsigned recent = first->recent < CHAT_MAX_RECENT ? first->recent : CHAT_MAX_RECENT;
    if (recent > 0 && store_recent(self->store, t->room, recent, replay_one, call))
        WEIR_LOG_WARN("stored messages could not be read");
    announce(self, t, CHAT_CHAT_MESSAGE_TYPE_JOINED);
    return t;
}

static void chat_said(weir_call *call, const chat_chat_message *said, void *user)
{
    app *self = user;
    talker *t = weir_call_data(call);
    if (!t && !(t = join(call, self, said)))
        return;
    if (said->text.len == 0)
        return;
    if (said->text.len > CHAT_MAX_TEXT) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "text is longer than %d bytes",
                       CHAT_MAX_TEXT);
        return;
    }
    char id[CHAT_ID_MAX];
    chat_chat_message message = {
        .id = chat_next_id(self, id),
        .room = t->room,
        .user = t->user,
        .text = said->text,
        .timestamp_us = weir_wall_now().us,
        .type = CHAT_CHAT_MESSAGE_TYPE_TEXT,
    };
    weir_err err = broadcast(self, t, &message, true);
    if (err)
        weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

static void chat_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    weir_call_finish(call);
}

/** The reader has caught up: say what it missed. */
static void chat_writable(weir_call *call, void *user)
{
    talker *t = weir_call_data(call);
    unsigned long long missed = t ? atomic_exchange(&t->missed, 0) : 0;
    if (missed == 0)
        return;
    char id[CHAT_ID_MAX];
    chat_chat_message note = {
        .id = chat_next_id(user, id),
        .room = t->room,
        .timestamp_us = weir_wall_now().us,
        .type = CHAT_CHAT_MESSAGE_TYPE_OVERFLOW,
        .missed = missed,
    };
    if (chat_chat_service_chat_send(call, &note) != WEIR_OK)
        atomic_fetch_add(&t->missed, missed);
}

static void chat_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user)
{
    app *self = user;
    talker *t = weir_call_data(call);
    if (!t)
        return;
    hub_leave(self->rooms, &t->member);
    announce(self, t, CHAT_CHAT_MESSAGE_TYPE_LEFT);
}

weir_err rooms_serve(weir_server *server, app *self)
{
    static const chat_chat_service_methods methods = {
        .chat = {.message = chat_said,
                 .half_closed = chat_half_closed,
                 .writable = chat_writable,
                 .closed = chat_closed},
    };
    return chat_chat_service_serve(server, &methods, self);
}
