#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect.h"
#include "editor.h"
#include "screen.h"
#include "state.h"
#include "texts.h"
#include "wrap.h"

enum {
    QUEUE_PAUSE = 500, /* messages that wait: a pipe is read no faster */
};
static const int64_t save_us = WEIR_SECONDS(5);
static const int64_t give_up_us = WEIR_SECONDS(30);

static size_t queued(const session *self)
{
    chat_client_counters now;
    chat_client_get_counters(self->client, &now);
    return now.queued_now;
}

/* Where lines go. */

static void set_label(session *self, const char *label)
{
    char prompt[LABEL_MAX + 2];
    snprintf(self->label, sizeof self->label, "%s", label);
    snprintf(prompt, sizeof prompt, "%s> ", label);
    self->has_target = true;
    editor_set_prompt(prompt);
}

void session_talk_to(session *self, uint64_t conversation, const char *label)
{
    self->current = conversation;
    self->current_user[0] = 0;
    set_label(self, label);
}

void session_talk_to_user(session *self, const char *user)
{
    char label[LABEL_MAX];
    snprintf(self->current_user, sizeof self->current_user, "%s", user);
    text_clean(label, sizeof label, weir_str_from(user));
    place *p = session_place_named(self, label);
    self->current = p && p->kind == CHAT_CONVERSATION_KIND_DIRECT ? p->id : 0;
    set_label(self, label);
    screen_print(text(TEXT_TALKING_TO), label);
}

void session_say(session *self, weir_str line)
{
    weir_err err = WEIR_OK;
    if (line.len == 0)
        return;
    if (!self->has_target) {
        screen_print("%s", text(TEXT_NO_TARGET));
        return;
    }
    if (*self->current_user)
        err = chat_client_send_to_user(self->client, weir_str_from(self->current_user), line, NULL,
                                       NULL);
    else
        err = chat_client_send_to_conversation(self->client, self->current, line, NULL, NULL);
    if (err == WEIR_EFULL)
        screen_print("%s", text(TEXT_QUEUE_FULL));
    else if (err)
        screen_print(text(TEXT_NOT_SENT), weir_err_text(err));
    if (err)
        self->result = 1;
}

/* History, before the position. The input begins behind the first one, so that what is said stands
 * below it. */

static void on_history(chat_client *client, const weir_status *status, const void *reply,
                       void *user)
{
    (void)client;
    session *self = user;
    const chat_history_response *page = reply;
    size_t count = command_was_done(status) ? page->messages.len : 0;
    for (size_t i = 0; i < count; i++) {
        const chat_message *m = &page->messages.items[i];
        const place *p = session_place(self, m->conversation);
        screen_message(m, p && m->conversation != self->current ? p->label : "");
    }
    session_read(self);
}

static uint64_t position_of(const session *self, uint64_t conversation)
{
    size_t room = CHAT_CLIENT_CONVERSATIONS_MAX;
    uint64_t seq = 0;
    chat_client_position *at = malloc(room * sizeof *at);
    size_t count = at ? chat_client_positions(self->client, at, room) : 0;
    for (size_t i = 0; i < count && i < room; i++) {
        if (at[i].conversation == conversation)
            seq = at[i].seq;
    }
    free(at);
    return seq;
}

static bool ask_history(session *self, uint64_t conversation, uint64_t before, unsigned limit)
{
    if (limit == 0 || before <= 1)
        return false;
    weir_err err =
        chat_client_history(self->client, conversation, 0, before, limit, on_history, self);
    if (err)
        screen_print(text(TEXT_FAILED), weir_err_name(err), weir_err_text(err));
    return !err;
}

void session_show_history(session *self, uint64_t conversation, unsigned limit)
{
    ask_history(self, conversation, position_of(self, conversation) + 1, limit);
}

void session_begin_with_history(session *self, uint64_t conversation)
{
    const place *p = session_place(self, conversation);
    uint64_t position = position_of(self, conversation);
    uint64_t before = position + 1;
    if (p && p->first_seq > 0)
        before = p->first_seq;
    else if (p && p->begin_seq > position) /* the stream has not told of it yet */
        before = p->begin_seq + 1;
    if (!ask_history(self, conversation, before, self->options->recent))
        session_read(self);
}

/* Ending. */

static void leave_if_stored(session *self)
{
    if (self->leaving && queued(self) == 0)
        chat_client_stop(self->client);
}

void session_leave(session *self)
{
    self->leaving = true;
    input_stop(&self->input);
    editor_close();
    leave_if_stored(self);
}

static void on_signal(int number, void *user)
{
    (void)number;
    session *self = user;
    if (self->leaving) { /* the second one does not wait */
        self->result = 1;
        weir_loop_quit(self->loop);
    } else {
        session_leave(self);
    }
}

static void save(session *self)
{
    int why =
        self->options->state && self->was_live ? state_save(self->options->state, self->client) : 0;
    if (why) {
        fprintf(stderr, text(TEXT_STATE_FILE), self->options->state, strerror(why));
        self->result = 1;
    }
}

static void on_save(weir_timer *timer, void *user)
{
    session *self = user;
    save(self);
    weir_loop_after(self->loop, timer, save_us, on_save, self);
}

/* Input. */

static void on_input_line(weir_str line, void *user)
{
    session *self = user;
    char command[INPUT_LINE_MAX + 1];
    if (weir_str_starts(line, WEIR_STR("/"))) {
        memcpy(command, line.ptr, line.len);
        command[line.len] = 0;
        command_run(self, command);
    } else {
        session_say(self, line);
    }
    if (queued(self) >= QUEUE_PAUSE)
        input_pause(&self->input);
}

static void on_input_ended(void *user)
{
    session_leave(user);
}

static void on_edited(const char *line, void *user)
{
    if (!line)
        session_leave(user);
    else if (*line)
        on_input_line(weir_str_of(line, strnlen(line, INPUT_LINE_MAX)), user);
}

/** A message is printed when it is stored; while that takes time, it stays to be seen. */
static bool is_shown_again(const char *line, void *user)
{
    const session *self = user;
    return *line != '/' && self->has_target &&
           chat_client_state_of(self->client) == CHAT_CLIENT_LIVE;
}

static const editor_events edited = {
    .line = on_edited, .takes = is_shown_again, .candidate = session_candidate};

void session_read(session *self)
{
    char prompt[LABEL_MAX + 2];
    if (self->reading || self->leaving)
        return;
    self->reading = true;
    snprintf(prompt, sizeof prompt, "%s> ", self->label);
    if (isatty(STDIN_FILENO) && screen_is_terminal() &&
        editor_open(self->loop, prompt, &edited, self) == WEIR_OK)
        return;
    self->input.loop = self->loop;
    self->input.line = on_input_line;
    self->input.ended = on_input_ended;
    self->input.user = self;
    input_start(&self->input);
}

/* What happens. */

static void begin_talking(session *self)
{
    char label[32];
    if (self->options->to) {
        session_talk_to_user(self, self->options->to);
        session_begin_with_history(self, self->current);
    } else if (self->options->group) {
        const place *p = session_place(self, self->options->group);
        snprintf(label, sizeof label, "%llu", (unsigned long long)self->options->group);
        session_talk_to(self, self->options->group, p ? p->label : label);
        screen_print(text(TEXT_WELCOME), self->label);
        session_begin_with_history(self, self->current);
    } else {
        command_join(self, self->options->room);
    }
}

static void on_live(session *self)
{
    if (self->told_waiting && self->was_live && screen_is_terminal())
        screen_print(text(TEXT_CONNECTED), chat_client_node(self->client));
    self->told_waiting = false;
    weir_loop_cancel(self->loop, &self->give_up);
    if (self->was_live)
        return;
    self->was_live = true;
    begin_talking(self);
}

/** A script does not try for ever. */
static void on_give_up(weir_timer *timer, void *user)
{
    (void)timer;
    session *self = user;
    if (screen_is_terminal())
        return; /* somebody sees it and can decide */
    fprintf(stderr, text(TEXT_GAVE_UP), self->options->server,
            weir_status_name(WEIR_STATUS_UNAVAILABLE));
    self->result = 1;
    weir_loop_quit(self->loop);
}

/** A script's output is what was said. */
static void tell_waiting(const char *text_of_server)
{
    char why[512];
    text_clean(why, sizeof why, weir_str_from(text_of_server));
    if (screen_is_terminal()) {
        screen_print(text(TEXT_WAITING), why);
    } else {
        fprintf(stderr, text(TEXT_WAITING), why);
        fputc('\n', stderr);
    }
}

static void tell_end(const session *self, const chat_client_status *status)
{
    char why[512];
    text_clean(why, sizeof why, weir_str_from(status->text));
    fprintf(stderr, text(TEXT_ENDED), weir_status_name(status->code), why);
    if (status->code == WEIR_STATUS_UNAUTHENTICATED && !self->options->registers)
        fprintf(stderr, text(TEXT_REGISTER), self->options->user);
}

static void on_status(chat_client *client, const chat_client_status *status, void *user)
{
    (void)client;
    session *self = user;
    if (status->state == CHAT_CLIENT_LIVE) {
        on_live(self);
    } else if (status->state == CHAT_CLIENT_WAITING && !self->told_waiting) {
        self->told_waiting = true;
        if (!weir_timer_pending(&self->give_up))
            weir_loop_after(self->loop, &self->give_up, give_up_us, on_give_up, self);
        if (status->code != WEIR_STATUS_OK)
            tell_waiting(status->text);
    } else if (status->state == CHAT_CLIENT_ENDED) {
        editor_close();
        if (status->code != WEIR_STATUS_OK) {
            tell_end(self, status);
            self->result = 1;
        }
        weir_loop_quit(self->loop);
    }
}

static void on_message(chat_client *client, const chat_message *m, void *user)
{
    session *self = user;
    place *p = session_place(self, m->conversation);
    bool here = m->conversation == self->current;
    if (p && p->first_seq == 0)
        p->first_seq = m->seq;
    screen_message(m, here || !p ? "" : p->label);
    session_name(self, m->sender);
    if (here)
        chat_client_mark_read(client, m->conversation, m->seq);
}

static void was_answered(session *self)
{
    if (queued(self) < QUEUE_PAUSE / 2)
        input_resume(&self->input);
    leave_if_stored(self);
}

static void on_sent(chat_client *client, const chat_sent *sent, void *user)
{
    (void)client;
    session *self = user;
    if (*self->current_user && self->current == 0)
        self->current = sent->message->conversation; /* the first to that user */
    was_answered(self);
}

static void on_failed(chat_client *client, const chat_send_failed *failed, void *user)
{
    (void)client;
    session *self = user;
    char why[512];
    text_clean(why, sizeof why, failed->text);
    screen_print(text(TEXT_NOT_SENT),
                 *why ? why : weir_status_name((weir_status_code)failed->code));
    self->result = 1;
    was_answered(self);
}

static void on_conversation(chat_client *client, const chat_conversation *c, void *user)
{
    (void)client;
    session *self = user;
    const options *o = self->options;
    session_place_in(self, c);
    /* The room that is being entered: what comes before the answer belongs there already. */
    if (!self->reading && !o->to && !o->group && c->kind == CHAT_CONVERSATION_KIND_ROOM &&
        weir_str_eq(c->name, weir_str_from(o->room)))
        self->current = c->id;
}

static void on_left(chat_client *client, uint64_t conversation, void *user)
{
    (void)client;
    session *self = user;
    const place *p = session_place(self, conversation);
    if (p)
        screen_print(text(TEXT_LEFT), p->label);
    if (self->current == conversation)
        self->has_target = false;
    session_place_left(self, conversation);
}

static void on_presence(chat_client *client, const chat_presence_event *event, void *user)
{
    (void)client;
    char name[256];
    session_name(user, event->user);
    text_clean(name, sizeof name, event->user);
    screen_print(text(event->presence == CHAT_PRESENCE_ONLINE ? TEXT_PRESENCE_ONLINE
                      : event->presence == CHAT_PRESENCE_AWAY ? TEXT_PRESENCE_AWAY
                                                              : TEXT_PRESENCE_OFFLINE),
                 name);
}

static void on_person(chat_client *client, const chat_person *person, void *user)
{
    (void)client;
    session_name(user, person->profile->name);
    command_show_change(person);
}

static void on_drain(chat_client *client, uint32_t after_ms, void *user)
{
    (void)client;
    (void)after_ms;
    (void)user;
    if (screen_is_terminal())
        screen_print("%s", text(TEXT_MOVING));
}

static const chat_client_events events = {
    .status = on_status,
    .message = on_message,
    .sent = on_sent,
    .failed = on_failed,
    .conversation = on_conversation,
    .left = on_left,
    .presence = on_presence,
    .person = on_person,
    .drain = on_drain,
};

/* The whole. */

static weir_err open_session(session *self)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    weir_err err = weir_loop_new(&self->loop, NULL);
    if (!err)
        err = weir_signals_open(&self->signals, self->loop, &ends, on_signal, self);
    return err ? err : connect_new(&self->client, self->loop, self->options, false, &events, self);
}

static void close_session(session *self)
{
    editor_close();
    input_stop(&self->input);
    if (self->client)
        save(self);
    chat_client_free(self->client);
    weir_signals_close(self->signals);
    if (self->loop) {
        weir_loop_cancel(self->loop, &self->save);
        weir_loop_cancel(self->loop, &self->give_up);
        weir_loop_cancel(self->loop, &self->join_again);
        (void)!weir_loop_run_once(self->loop, 0);
        weir_loop_free(self->loop);
    }
    session_places_free(self);
}

int session_run(const options *o)
{
    session self = {.options = o};
    weir_err err = open_session(&self);
    int why = !err && o->state ? state_load(o->state, self.client) : 0;
    if (err || why) {
        if (why)
            fprintf(stderr, text(TEXT_STATE_FILE), o->state, strerror(why));
        self.result = 1;
    } else {
        chat_client_start(self.client);
        weir_loop_after(self.loop, &self.give_up, give_up_us, on_give_up, &self);
        if (o->state)
            weir_loop_after(self.loop, &self.save, save_us, on_save, &self);
        if (weir_loop_run(self.loop))
            self.result = 1;
    }
    close_session(&self);
    return self.result;
}
