/* The /commands. */
#include <stdio.h>
#include <stdlib.h>

#include "screen.h"
#include "session.h"
#include "texts.h"
#include "wrap.h"

enum {
    WORDS_MAX = 64, /* of a command; more are left out */
};

/** A command's words; the first is the command. */
typedef struct words {
    int count;
    char *at[WORDS_MAX];
} words;

bool command_was_done(const weir_status *status)
{
    char why[1024];
    if (status->code == WEIR_STATUS_OK)
        return true;
    text_clean(why, sizeof why, status->message);
    screen_print(text(TEXT_FAILED), weir_status_name(status->code), why);
    return false;
}

static void started(weir_err err)
{
    if (err)
        screen_print(text(TEXT_FAILED), weir_err_name(err), weir_err_text(err));
}

/* People. */

void command_show_person(const chat_person *person)
{
    char name[256];
    text_id id = TEXT_STRANGER;
    text_clean(name, sizeof name, person->profile ? person->profile->name : WEIR_STR(""));
    if (person->relation == CHAT_RELATION_ASKS)
        id = TEXT_ASKS;
    else if (person->relation == CHAT_RELATION_ASKED)
        id = TEXT_ASKED;
    else if (person->relation == CHAT_RELATION_FRIEND)
        id = TEXT_FRIEND;
    else if (person->relation == CHAT_RELATION_BLOCKED)
        id = TEXT_BLOCKED;
    screen_print(text(id), name);
}

void command_show_change(const chat_person *person)
{
    static char last[CHAT_CLIENT_NAME_MAX + 1];
    static chat_relation relation;
    weir_str name = person->profile ? person->profile->name : WEIR_STR("");
    /* A command's answer and the event of the same change: one is enough. */
    if (relation == person->relation && weir_str_eq(name, weir_str_from(last)))
        return;
    relation = person->relation;
    snprintf(last, sizeof last, "%.*s", WEIR_STR_ARGS(name));
    command_show_person(person);
}

static void on_person(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    (void)client;
    (void)user;
    if (command_was_done(status))
        command_show_change(reply);
}

static void on_people(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    (void)client;
    const chat_list_people_response *list = reply;
    if (!command_was_done(status))
        return;
    if (list->people.len == 0)
        screen_print("%s", text(TEXT_NO_FRIENDS));
    for (size_t i = 0; i < list->people.len; i++) {
        const chat_person *person = &list->people.items[i];
        if (person->profile)
            session_name(user, person->profile->name);
        command_show_person(person);
    }
}

static void run_friends(session *self, const words *w)
{
    (void)w;
    started(chat_client_list_people(self->client, on_people, self));
}

static void run_friend(session *self, const words *w)
{
    started(chat_client_request_friend(self->client, weir_str_from(w->at[1]), on_person, self));
}

static void run_accept(session *self, const words *w)
{
    started(chat_client_accept_friend(self->client, weir_str_from(w->at[1]), on_person, self));
}

static void run_block(session *self, const words *w)
{
    started(chat_client_block(self->client, weir_str_from(w->at[1]), on_person, self));
}

/* Conversations. */

static void on_join_again(weir_timer *timer, void *user)
{
    (void)timer;
    session *self = user;
    command_join(self, self->options->room);
}

/** The conversation of the beginning: nobody can choose another one yet. */
static void could_not_begin(session *self, weir_status_code code)
{
    if (self->reading || self->leaving)
        return;
    if (code == WEIR_STATUS_UNAVAILABLE || code == WEIR_STATUS_DEADLINE_EXCEEDED) {
        weir_loop_after(self->loop, &self->join_again, WEIR_SECONDS(1), on_join_again, self);
        return;
    }
    self->result = 1;
    session_leave(self);
}

static void on_entered(chat_client *client, const weir_status *status, const void *reply,
                       void *user)
{
    (void)client;
    session *self = user;
    if (status->code == WEIR_STATUS_CANCELLED)
        return; /* the end of it all */
    if (!command_was_done(status)) {
        could_not_begin(self, status->code);
        return;
    }
    const chat_conversation *c = reply;
    session_place_in(self, c);
    const place *p = session_place(self, c->id);
    bool first = !self->reading;
    session_talk_to(self, c->id, p ? p->label : "?");
    screen_print(text(TEXT_WELCOME), self->label);
    if (first)
        session_begin_with_history(self, c->id);
}

void command_join(session *self, const char *room)
{
    weir_err err = chat_client_join(self->client, weir_str_from(room), true, on_entered, self);
    started(err);
    if (err)
        could_not_begin(self, WEIR_STATUS_UNAVAILABLE);
}

static void run_join(session *self, const words *w)
{
    command_join(self, w->at[1]);
}

static void run_to(session *self, const words *w)
{
    if (strlen(w->at[1]) > CHAT_CLIENT_NAME_MAX)
        screen_print(text(TEXT_NO_CONVERSATION), w->at[1]);
    else
        session_talk_to_user(self, w->at[1]);
}

static void run_group(session *self, const words *w)
{
    weir_str members[WORDS_MAX];
    for (int i = 2; i < w->count; i++)
        members[i - 2] = weir_str_from(w->at[i]);
    started(chat_client_create_group(self->client, weir_str_from(w->at[1]), members,
                                     (size_t)(w->count - 2), on_entered, self));
}

static void on_left(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    (void)client;
    (void)reply;
    (void)user;
    command_was_done(status); /* the `left` event says that it is so */
}

static void run_leave(session *self, const words *w)
{
    (void)w;
    if (self->current == 0)
        screen_print("%s", text(TEXT_NO_TARGET));
    else
        started(chat_client_leave(self->client, self->current, on_left, self));
}

static void list_places(session *self)
{
    char line[4096] = "";
    for (size_t i = 0, len = 0; i < self->place_count && len < sizeof line; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, "%s%s", i > 0 ? ", " : "",
                                self->places[i].label);
    screen_print(text(TEXT_CONVERSATIONS), line);
}

static void run_switch(session *self, const words *w)
{
    if (w->count < 2) {
        list_places(self);
        return;
    }
    const place *p = session_place_named(self, w->at[1]);
    if (!p) {
        screen_print(text(TEXT_NO_CONVERSATION), w->at[1]);
    } else {
        session_talk_to(self, p->id, p->label);
        screen_print(text(TEXT_TALKING_TO), p->label);
    }
}

static void on_members(chat_client *client, const weir_status *status, const void *reply,
                       void *user)
{
    (void)client;
    char line[4096] = "", name[256];
    const chat_list_members_response *list = reply;
    if (!command_was_done(status))
        return;
    for (size_t i = 0, len = 0; i < list->members.len && len < sizeof line; i++) {
        session_name(user, list->members.items[i].user);
        text_clean(name, sizeof name, list->members.items[i].user);
        len += (size_t)snprintf(line + len, sizeof line - len, "%s%s", i > 0 ? ", " : "", name);
    }
    screen_print(text(TEXT_MEMBERS), line);
    if (list->more)
        screen_print("%s", text(TEXT_MORE));
}

static void run_who(session *self, const words *w)
{
    (void)w;
    if (self->current == 0)
        screen_print("%s", text(TEXT_NO_TARGET));
    else
        started(
            chat_client_list_members(self->client, self->current, (weir_str){0}, on_members, self));
}

static void run_history(session *self, const words *w)
{
    unsigned long count = w->count > 1 ? strtoul(w->at[1], NULL, 10) : 20;
    if (self->current == 0)
        screen_print("%s", text(TEXT_NO_TARGET));
    else
        session_show_history(self, self->current, count > 200 ? 200 : (unsigned)count);
}

/* The rest. */

static void run_status(session *self, const words *w)
{
    (void)w;
    chat_client_counters now;
    chat_client_get_counters(self->client, &now);
    screen_print(text(TEXT_STATUS), chat_client_node(self->client), (int)now.queued_now,
                 (int)now.shown, (int)now.reconnects, (int)now.duplicates);
}

static void run_help(session *self, const words *w)
{
    (void)self;
    (void)w;
    screen_print("%s", text(TEXT_HELP));
}

static void run_quit(session *self, const words *w)
{
    (void)w;
    session_leave(self);
}

const char *const command_names[] = {"/accept", "/block",   "/friend", "/friends", "/group",
                                     "/help",   "/history", "/join",   "/leave",   "/quit",
                                     "/status", "/switch",  "/to",     "/who",     NULL};

static const struct {
    void (*run)(session *self, const words *w);
    int least; /* words, the command too */
} commands[] = {
    {run_accept, 2}, {run_block, 2},   {run_friend, 2}, {run_friends, 1}, {run_group, 3},
    {run_help, 1},   {run_history, 1}, {run_join, 2},   {run_leave, 1},   {run_quit, 1},
    {run_status, 1}, {run_switch, 1},  {run_to, 2},     {run_who, 1},
};

static void split(char *line, words *w)
{
    char *rest = NULL;
    w->count = 0;
    for (char *word = strtok_r(line, " ", &rest); word && w->count < WORDS_MAX;
         word = strtok_r(NULL, " ", &rest))
        w->at[w->count++] = word;
}

void command_run(session *self, const char *line)
{
    char copy[INPUT_LINE_MAX + 1];
    words w;
    snprintf(copy, sizeof copy, "%s", line);
    split(copy, &w);
    for (size_t i = 0; command_names[i]; i++) {
        if (strcmp(command_names[i], w.at[0]) != 0)
            continue;
        if (w.count < commands[i].least)
            screen_print(text(TEXT_NEEDS_ARGUMENT), w.at[0]);
        else
            commands[i].run(self, &w);
        return;
    }
    screen_print(text(TEXT_UNKNOWN_COMMAND), w.at[0]);
}
