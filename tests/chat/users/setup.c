/* Everybody comes, then the conversations are made: nobody talks before each has all its members.
 */
#include <stdlib.h>

#include "users.h"

#define STARTS_US WEIR_MILLISECONDS(3) /* between two users who come */
#define LOOKS_US  WEIR_MILLISECONDS(50)

static WEIR_NORETURN void give_up(const char *what, const weir_status *status)
{
    fprintf(stderr, "chat-users: %s: %s\n", what, weir_status_text(status));
    exit(1);
}

static void room_name(const place *of, char name[USER_NAME_MAX])
{
    snprintf(name, USER_NAME_MAX, "room%u", (unsigned)(of - of->world->places));
}

static void on_joined(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    place *in = user;
    (void)client;
    (void)reply;
    if (status->code)
        give_up("a room cannot be joined", status);
    in->joined++;
}

static void join_others(place *room)
{
    char name[USER_NAME_MAX];
    room_name(room, name);
    for (unsigned i = 1; i < room->count; i++) {
        chat_client *member = room->world->users[room->members[i]].client;
        if (chat_client_join(member, weir_str_from(name), false, on_joined, room))
            abort();
    }
}

static void on_made(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    place *made = user;
    const chat_conversation *is = reply;
    (void)client;
    if (status->code)
        give_up("a conversation cannot be made", status);
    made->id = is->id;
    made->joined = made->kind == CHAT_CONVERSATION_KIND_ROOM ? 1 : made->count;
    transcript_place(made->world, made);
    if (made->kind == CHAT_CONVERSATION_KIND_ROOM)
        join_others(made);
}

static weir_err make_group(chat_client *client, place *of)
{
    weir_str members[PLACE_MEMBERS_MAX];
    for (unsigned i = 1; i < of->count; i++)
        members[i - 1] = weir_str_from(of->world->users[of->members[i]].name);
    return chat_client_create_group(client, WEIR_STR("a group"), members, of->count - 1, on_made,
                                    of);
}

static void make(place *of)
{
    person *maker = &of->world->users[of->members[0]];
    char name[USER_NAME_MAX];
    weir_err err = WEIR_OK;
    room_name(of, name);
    if (of->kind == CHAT_CONVERSATION_KIND_DIRECT)
        err = person_say(maker, (unsigned)(of - of->world->places)) ? WEIR_OK : WEIR_EFULL;
    else if (of->kind == CHAT_CONVERSATION_KIND_GROUP)
        err = make_group(maker->client, of);
    else
        err = chat_client_create_room(maker->client, weir_str_from(name), WEIR_STR("a room"),
                                      on_made, of);
    if (err) {
        fprintf(stderr, "chat-users: %s\n", weir_err_text(err));
        exit(1);
    }
}

static bool all_are_live(const world *self)
{
    for (unsigned i = 0; i < self->opts.users; i++) {
        const chat_client *client = self->users[i].client;
        if (!client || chat_client_state_of(client) != CHAT_CLIENT_LIVE)
            return false;
    }
    return true;
}

static bool all_are_made(const world *self)
{
    for (unsigned i = 0; i < self->place_count; i++) {
        if (self->places[i].joined < self->places[i].count)
            return false;
    }
    return true;
}

static void on_look(weir_timer *timer, void *user)
{
    world *self = user;
    if (!self->is_making && all_are_live(self)) {
        self->is_making = true;
        for (unsigned i = 0; i < self->place_count; i++)
            make(&self->places[i]);
    }
    self->is_ready = self->is_making && all_are_made(self);
    if (!self->is_ready)
        weir_loop_after(self->loop, timer, LOOKS_US, on_look, self);
}

static void on_start(weir_timer *timer, void *user)
{
    world *self = user;
    if (!person_start(&self->users[self->started++])) {
        fputs("chat-users: a client cannot be made\n", stderr);
        exit(1);
    }
    if (self->started < self->opts.users)
        weir_loop_after(self->loop, timer, STARTS_US, on_start, self);
    else
        weir_loop_after(self->loop, timer, LOOKS_US, on_look, self);
}

void setup_start(world *self)
{
    weir_loop_after(self->loop, &self->starter, 0, on_start, self);
}
