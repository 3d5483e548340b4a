#include "sending.h"

#include <stdlib.h>

#include "auth.h"
#include "tell.h"
#include "work.h"

static weir_status status(weir_status_code code, const char *text)
{
    return (weir_status){code, weir_str_from(text), {"", 0}};
}

/** What is wrong with a request before the store is asked. */
static weir_status check(app *host, const chat_send_message_request *request)
{
    const char *wrong = NULL;
    if (request->client_id.len == 0 || request->client_id.len > CHAT_MAX_CLIENT_ID)
        wrong = "client_id must be 1 to 64 bytes";
    else if (request->text.len == 0 || request->text.len > CHAT_MAX_TEXT)
        wrong = "text must be 1 to 4096 bytes";
    else if (request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_NOT_SET)
        wrong = "to whom? set conversation, user or room";
    else if (request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_USER &&
             !chat_name_is_valid(request->to.user, CHAT_MAX_USER))
        wrong = "a user's name is 1 to 32 of a-z 0-9 . _ -";
    else if (request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_ROOM &&
             !chat_name_is_valid(request->to.room, CHAT_MAX_NAME))
        wrong = "a room's name is 1 to 64 of a-z 0-9 . _ -";
    if (!wrong)
        return WEIR_BLOCKING_OK;
    atomic_fetch_add(&host->counters.refused, 1);
    return status(WEIR_STATUS_INVALID_ARGUMENT, wrong);
}

weir_status sending_check_rate(app *host, const caller *from, weir_loop *loop)
{
    if (weir_rate_limiter_take(host->sends, weir_str_of(&from->id, sizeof from->id),
                               weir_loop_now(loop), NULL))
        return WEIR_BLOCKING_OK;
    atomic_fetch_add(&host->counters.refused, 1);
    return status(WEIR_STATUS_RESOURCE_EXHAUSTED, "too fast: send again a little later");
}

/** On its way; its texts are behind it. */
typedef struct flight {
    storage_job job;
    weir_task task;
    sending is;
    message_stored out;
    refusal why;
    char texts[];
} flight;

static weir_err store(db *d, storage_job *job)
{
    flight *self = WEIR_CONTAINER_OF(job, flight, job);
    return messages_store(d, &self->is.app->ids, &self->is.message, &self->out, &self->why);
}

/** A conversation that is new to both. */
static void tell_made(flight *self)
{
    chat_conversation made = {.id = self->out.conversation,
                              .kind = CHAT_CONVERSATION_KIND_DIRECT,
                              .last_seq = self->out.seq,
                              .first_seq = 1,
                              .role = CHAT_ROLE_MEMBER};
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_CONVERSATION, .frame.conversation = &made};
    made.name = weir_str_from(self->is.from.name);
    tell_user(self->is.app, self->out.peer, &frame);
    made.name = self->is.message.name;
    tell_user(self->is.app, self->is.from.id, &frame);
}

static void tell_message(flight *self)
{
    const message_new *in = &self->is.message;
    chat_message message = {
        .id = self->out.id,
        .conversation = self->out.conversation,
        .seq = self->out.seq,
        .sender = weir_str_from(self->is.from.name),
        .client_id = in->client_id,
        .text = in->text,
        .time_us = self->out.time_us,
    };
    tell_conversation(
        self->is.app, self->out.conversation,
        &(chat_server_frame){CHAT_SERVER_FRAME_FRAME_MESSAGE, .frame.message = &message});
}

static void tell_note(flight *self)
{
    const message_new *in = &self->is.message;
    tell_topic(self->is.app, &(chat_notification){
                                 .id = self->out.id,
                                 .topic = in->name,
                                 .seq = self->out.seq,
                                 .type = (chat_notification_type)in->type,
                                 .title = in->title,
                                 .body = in->text,
                                 .time_us = self->out.time_us,
                                 .sender = weir_str_from(self->is.from.name),
                             });
}

static void on_stored(weir_task *task, weir_err err)
{
    flight *self = WEIR_CONTAINER_OF(task, flight, task);
    if (!err && self->out.made)
        tell_made(self);
    if (!err && self->is.message.topic)
        tell_note(self);
    else if (!err)
        tell_message(self);
    free(self);
}

static weir_status count(flight *self, weir_err err, const char *why)
{
    counters *c = &self->is.app->counters;
    if (err) {
        atomic_fetch_add(&c->failed, 1);
        return work_status(err, why);
    }
    if (self->why.code) {
        atomic_fetch_add(&c->refused, 1);
        return status(self->why.code, self->why.text);
    }
    atomic_fetch_add(self->out.repeated ? &c->repeated : &c->stored, 1);
    return WEIR_BLOCKING_OK;
}

static void end(storage_job *job, weir_err err, const char *why)
{
    flight *self = WEIR_CONTAINER_OF(job, flight, job);
    weir_status ended = count(self, err, why);
    self->is.answer(&self->is, &self->out, &ended);
    /* A repeated one was told when it was stored, and is pulled by those who missed that. */
    if (ended.code == WEIR_STATUS_OK && !self->out.repeated)
        weir_loop_post(self->is.app->loop, &self->task, on_stored);
    else
        free(self);
}

static weir_str keep(char **to, weir_str text)
{
    char *at = *to;
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    *to += text.len;
    return weir_str_of(at, text.len);
}

weir_status sending_begin(const sending *begun)
{
    const message_new *in = &begun->message;
    flight *self =
        calloc(1, sizeof *self + in->client_id.len + in->name.len + in->title.len + in->text.len);
    if (!self)
        return work_status(WEIR_ENOMEM, NULL);
    char *to = self->texts;
    self->job = (storage_job){.run = store, .done = end};
    self->is = *begun;
    self->is.message.from = &self->is.from;
    self->is.message.client_id = keep(&to, in->client_id);
    self->is.message.name = keep(&to, in->name);
    self->is.message.title = keep(&to, in->title);
    self->is.message.text = keep(&to, in->text);
    weir_err err = storage_submit(begun->app->storage, &self->job);
    if (err) {
        atomic_fetch_add(&begun->app->counters.failed, 1);
        free(self);
    }
    return work_status(err, NULL);
}

static weir_str name_of(const chat_send_message_request *request)
{
    if (request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_USER)
        return request->to.user;
    return request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_ROOM ? request->to.room : WEIR_STR("");
}

static sending sending_of(app *host, weir_call *call, const chat_send_message_request *request,
                          sending_fn fn)
{
    bool by_id = request->to_case == CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION;
    return (sending){
        .app = host,
        .call = weir_call_id_of(call),
        .from = auth_caller(call),
        .message = {.client_id = request->client_id,
                    .to = request->to_case,
                    .conversation = by_id ? request->to.conversation : 0,
                    .name = name_of(request),
                    .text = request->text},
        .answer = fn,
    };
}

weir_status sending_request(app *host, weir_call *call, const chat_send_message_request *request,
                            sending_fn fn)
{
    caller from = auth_caller(call);
    weir_status why = check(host, request);
    if (why.code == WEIR_STATUS_OK)
        why = sending_check_rate(host, &from, weir_call_loop(call));
    if (why.code == WEIR_STATUS_OK) {
        sending begun = sending_of(host, call, request, fn);
        why = sending_begin(&begun);
    }
    return why;
}
