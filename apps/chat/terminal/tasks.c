#include "tasks.h"

#include "connect.h"

#include <stdio.h>
#include <stdlib.h>

#include "chat_client.h"
#include "screen.h"
#include "subscribe.h"
#include "texts.h"
#include "weir/chat/v1/admin.weir.h"
#include "wrap.h"

typedef struct task {
    const options *options;
    weir_loop *loop;
    chat_client *client;
    weir_err (*begin)(struct task *self); /* when it has logged in */
    subscription *subscription;
    bool begun;
    int result;
} task;

static void finish(task *self, int result)
{
    self->result = result;
    weir_loop_quit(self->loop);
}

/** @return whether it is OK; else it is over */
static bool was_done(task *self, const weir_status *status)
{
    if (status->code == WEIR_STATUS_OK)
        return true;
    char why[512];
    text_clean(why, sizeof why, weir_str_from(weir_status_text(status)));
    fprintf(stderr, text(TEXT_ENDED), weir_status_name(status->code), why);
    if (status->code == WEIR_STATUS_UNAUTHENTICATED && !self->options->registers)
        fprintf(stderr, text(TEXT_REGISTER), self->options->user);
    finish(self, 1);
    return false;
}

/* notify */

static void on_notified(chat_client *client, const weir_status *status, const void *reply,
                        void *user)
{
    (void)client;
    const chat_send_notification_response *sent = reply;
    if (!was_done(user, status))
        return;
    printf(text(TEXT_NOTIFIED), (int)sent->seq);
    finish(user, 0);
}

static weir_err notify(task *self)
{
    char **args = self->options->args;
    chat_send_notification_request request = {.topic = weir_str_from(args[1]),
                                              .title = weir_str_from(args[2]),
                                              .body = weir_str_from(args[3])};
    return chat_client_call(
        self->client, chat_client_method(&chat_notification_service_service, "SendNotification"),
        &request, on_notified, self);
}

/* friends */

static void on_people(chat_client *client, const weir_status *status, const void *reply, void *user)
{
    (void)client;
    const chat_list_people_response *list = reply;
    static const char *const relations[] = {"?", "asked", "asks", "friend", "blocked"};
    if (!was_done(user, status))
        return;
    for (size_t i = 0; i < list->people.len; i++) {
        const chat_person *person = &list->people.items[i];
        char name[256];
        text_clean(name, sizeof name, person->profile ? person->profile->name : WEIR_STR("?"));
        printf("%s %s\n", name,
               relations[person->relation > 0 && person->relation <= CHAT_RELATION_BLOCKED
                             ? person->relation
                             : 0]);
    }
    finish(user, 0);
}

static weir_err friends(task *self)
{
    return chat_client_list_people(self->client, on_people, self);
}

/* history */

static void on_history(chat_client *client, const weir_status *status, const void *reply,
                       void *user)
{
    (void)client;
    const chat_history_response *page = reply;
    if (!was_done(user, status))
        return;
    for (size_t i = 0; i < page->messages.len; i++)
        screen_message(&page->messages.items[i], "");
    finish(user, 0);
}

static bool is_wanted(const options *o, const chat_conversation *c)
{
    if (o->group)
        return c->id == o->group;
    if (o->to)
        return c->kind == CHAT_CONVERSATION_KIND_DIRECT &&
               weir_str_eq(c->name, weir_str_from(o->to));
    return c->kind == CHAT_CONVERSATION_KIND_ROOM && weir_str_eq(c->name, weir_str_from(o->room));
}

static void on_conversations(chat_client *client, const weir_status *status, const void *reply,
                             void *user)
{
    task *self = user;
    const chat_list_conversations_response *list = reply;
    const options *o = self->options;
    if (!was_done(self, status))
        return;
    for (size_t i = 0; i < list->conversations.len; i++) {
        const chat_conversation *c = &list->conversations.items[i];
        if (!is_wanted(o, c))
            continue;
        if (c->last_seq == UINT64_MAX ||
            chat_client_history(client, c->id, 0, c->last_seq + 1, o->recent ? o->recent : 50,
                                on_history, self))
            finish(self, 1);
        return;
    }
    fprintf(stderr, text(TEXT_ENDED), weir_status_name(WEIR_STATUS_NOT_FOUND),
            o->to ? o->to : o->room);
    finish(self, 1);
}

static weir_err history(task *self)
{
    return chat_client_list_conversations(self->client, on_conversations, self);
}

/* For admins. */

static void on_counters(chat_client *client, const weir_status *status, const void *reply,
                        void *user)
{
    (void)client;
    const chat_counters_response *counters = reply;
    char name[256];
    if (!was_done(user, status))
        return;
    text_clean(name, sizeof name, counters->node);
    printf("node %s\n", name);
    for (size_t i = 0; i < counters->counters.len; i++) {
        text_clean(name, sizeof name, counters->counters.items[i].name);
        printf("%s %llu\n", name, (unsigned long long)counters->counters.items[i].value);
    }
    finish(user, 0);
}

static weir_err counters(task *self)
{
    return chat_client_call(self->client,
                            chat_client_method(&chat_admin_service_service, "GetCounters"),
                            &(chat_counters_request){0}, on_counters, self);
}

static void on_drained(chat_client *client, const weir_status *status, const void *reply,
                       void *user)
{
    (void)client;
    (void)reply;
    if (!was_done(user, status))
        return;
    fputs(text(TEXT_DRAINING), stdout);
    finish(user, 0);
}

static weir_err drain(task *self)
{
    return chat_client_call(self->client,
                            chat_client_method(&chat_admin_service_service, "DrainNode"),
                            &(chat_drain_request){0}, on_drained, self);
}

/* subscribe */

static void on_unsubscribed(const weir_status *status, void *user)
{
    if (was_done(user, status))
        finish(user, 0);
}

static weir_err subscribe(task *self)
{
    const options *o = self->options;
    return subscription_open(&self->subscription, self->client, self->loop, o->args + 1,
                             (size_t)o->count - 1, o->recent < 100 ? o->recent : 100,
                             on_unsubscribed, self);
}

/* Which of them. */

static const struct {
    const char *name;
    int least, most; /* words, the name too */
    weir_err (*begin)(task *self);
} tasks[] = {
    {"subscribe", 2, SUBSCRIPTION_TOPICS_MAX + 1, subscribe},
    {"notify", 4, 4, notify},
    {"history", 1, 1, history},
    {"friends", 1, 1, friends},
    {"counters", 1, 1, counters},
    {"drain", 1, 1, drain},
};

static weir_err (*task_of(const options *o))(task *)
{
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        if (strcmp(tasks[i].name, o->args[0]) == 0 && o->count >= tasks[i].least &&
            o->count <= tasks[i].most)
            return tasks[i].begin;
    }
    options_refuse(text(TEXT_BAD_COMMAND));
}

static void on_status(chat_client *client, const chat_client_status *status, void *user)
{
    (void)client;
    task *self = user;
    weir_status why = {.code = status->code, .message = weir_str_from(status->text)};
    if (status->state == CHAT_CLIENT_LIVE && !self->begun) {
        self->begun = true;
        weir_err err = self->begin(self);
        if (err) {
            why = (weir_status){.code = (weir_status_code)weir_err_status(err),
                                .message = weir_str_from(weir_err_text(err))};
            was_done(self, &why);
        }
    } else if (status->state == CHAT_CLIENT_ENDED ||
               (status->state == CHAT_CLIENT_WAITING && !self->begun)) {
        was_done(self, &why);
    }
}

static const chat_client_events events = {.status = on_status};

int task_run(const options *o)
{
    task self = {.options = o, .begin = task_of(o), .result = 1};
    weir_err err = weir_loop_new(&self.loop, NULL);
    if (!err)
        err = connect_new(&self.client, self.loop, o, true, &events, &self);
    if (!err) {
        chat_client_start(self.client);
        if (weir_loop_run(self.loop))
            self.result = 1;
    }
    subscription_close(self.subscription);
    chat_client_free(self.client);
    if (self.loop) {
        (void)!weir_loop_run_once(self.loop, 0);
        weir_loop_free(self.loop);
    }
    fflush(stdout);
    return self.result;
}
