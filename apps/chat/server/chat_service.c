/* ChatService: the live streams of devices. */
#include "sending.h"
#include "session.h"

#include <stdlib.h>

#include "devices.h"
#include "marks.h"

/* Sends, and their answers. */

typedef struct answer {
    app *app;
    weir_status_code code;
    message_stored stored;
    char text[120];
    char client_id[CHAT_MAX_CLIENT_ID];
    size_t client_id_len;
} answer;

static weir_err send_failed(weir_call *call, weir_str client_id, weir_status_code code,
                            weir_str text)
{
    chat_send_failed failed = {.client_id = client_id, .code = (uint32_t)code, .text = text};
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_SEND_FAILED, .frame.send_failed = &failed};
    return weir_call_send(call, &frame);
}

static weir_err send_answer(weir_call *call, const answer *self)
{
    weir_str client_id = weir_str_of(self->client_id, self->client_id_len);
    if (self->code != WEIR_STATUS_OK)
        return send_failed(call, client_id, self->code, weir_str_from(self->text));
    chat_send_message_response message = {.id = self->stored.id,
                                          .conversation = self->stored.conversation,
                                          .seq = self->stored.seq,
                                          .time_us = self->stored.time_us,
                                          .repeated = self->stored.repeated};
    chat_sent sent = {.client_id = client_id, .message = &message};
    return weir_call_send(call,
                          &(chat_server_frame){CHAT_SERVER_FRAME_FRAME_SENT, .frame.sent = &sent});
}

/** A reader that is too slow for answers loses the stream: pushes may be dropped, answers not. */
static void check_sent(weir_call *call, weir_err err)
{
    if (err)
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                       "answers are not being read: connect again");
}

static unsigned max_sends(const session *self)
{
    return db_is_single_writer(self->app->opts->store) ? SESSION_MAX_SENDS : 1;
}

static void on_answer(weir_call *call, void *user)
{
    answer *self = user;
    session *to = call ? weir_call_data(call) : NULL;
    if (to) {
        to->sends--;
        check_sent(call, send_answer(call, self));
        if (to->paused && to->sends <= max_sends(to) / 2) {
            to->paused = false;
            weir_call_resume(call);
        }
        if (to->half_closed && to->sends == 0)
            weir_call_finish(call);
    }
    free(self);
}

static void sent(const sending *is, const message_stored *stored, const weir_status *why)
{
    answer *made = calloc(1, sizeof *made);
    if (!made) {
        weir_call_cancel_post(is->call); /* it sends again on its next stream */
        return;
    }
    made->app = is->app;
    made->code = why->code;
    made->stored = *stored;
    made->client_id_len = is->message.client_id.len;
    memcpy(made->client_id, is->message.client_id.ptr, made->client_id_len);
    size_t len =
        why->message.len < sizeof made->text - 1 ? why->message.len : sizeof made->text - 1;
    memcpy(made->text, why->message.ptr, len);
    if (weir_call_run_post(is->call, on_answer, made))
        free(made);
}

static void on_send(session *self, const chat_send_message_request *request)
{
    weir_status why = sending_request(self->app, self->call, request, sent);
    if (why.code != WEIR_STATUS_OK) {
        weir_str id = request->client_id;
        id.len = id.len < CHAT_MAX_CLIENT_ID ? id.len : CHAT_MAX_CLIENT_ID;
        check_sent(self->call, send_failed(self->call, id, why.code, why.message));
        return;
    }
    if (++self->sends >= max_sends(self) && !self->paused) {
        self->paused = true;
        weir_call_pause(self->call);
    }
}

/* The stream. */

static void on_mark(session *self, const chat_mark *mark)
{
    chat_conversation_kind kind;
    if (session_hears(self, mark->conversation, &kind))
        marks_add(self->app->marks, &self->who, mark, kind != CHAT_CONVERSATION_KIND_ROOM);
}

static void on_presence(session *self, chat_presence wanted)
{
    if (wanted == CHAT_PRESENCE_ONLINE || wanted == CHAT_PRESENCE_AWAY)
        devices_set(self->app->devices, &self->who, weir_call_id_of(self->call),
                    wanted == CHAT_PRESENCE_AWAY ? PRESENCE_AWAY : PRESENCE_ONLINE);
}

static void on_hello(session *self, const chat_hello *hello)
{
    if (self->begun)
        weir_call_fail(self->call, WEIR_STATUS_FAILED_PRECONDITION, "a second hello");
    else if (hello->device.len > 64)
        weir_call_fail(self->call, WEIR_STATUS_INVALID_ARGUMENT, "device is longer than 64 bytes");
    else
        session_begin(self, hello);
}

static void chat_opened(weir_call *call, void *user)
{
    if (!session_new(user, call))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static void chat_frame(weir_call *call, const chat_client_frame *frame, void *user WEIR_UNUSED)
{
    session *self = weir_call_data(call);
    if (!self)
        return;
    if (!self->begun && frame->frame_case != CHAT_CLIENT_FRAME_FRAME_HELLO) {
        weir_call_fail(call, WEIR_STATUS_FAILED_PRECONDITION, "the first frame must be a hello");
        return;
    }
    switch (frame->frame_case) {
    case CHAT_CLIENT_FRAME_FRAME_HELLO:
        on_hello(self, frame->frame.hello);
        break;
    case CHAT_CLIENT_FRAME_FRAME_SEND:
        on_send(self, frame->frame.send);
        break;
    case CHAT_CLIENT_FRAME_FRAME_ACKNOWLEDGE:
        on_mark(self, frame->frame.acknowledge);
        break;
    case CHAT_CLIENT_FRAME_FRAME_PRESENCE:
        on_presence(self, frame->frame.presence);
        break;
    case CHAT_CLIENT_FRAME_FRAME_HEADS:
        session_refresh(self);
        break;
    case CHAT_CLIENT_FRAME_FRAME_NOT_SET:
        break; /* of a newer client */
    }
}

/** What was sent before is answered first. */
static void chat_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    session *self = weir_call_data(call);
    if (!self || self->sends == 0)
        weir_call_finish(call);
    else
        self->half_closed = true;
}

/** It reads again: what it has missed is in the Heads. */
static void chat_writable(weir_call *call, void *user WEIR_UNUSED)
{
    session *self = weir_call_data(call);
    if (self && atomic_load(&self->missed) > 0)
        session_refresh(self);
}

static void chat_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    session *self = weir_call_data(call);
    if (self)
        session_end(self);
}

static void listen_opened(weir_call *call, const chat_listen_request *request, void *user)
{
    static const chat_hello none = {0};
    session *self = session_new(user, call);
    if (self)
        on_hello(self, request->hello ? request->hello : &none);
    else
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

weir_err chat_serve(weir_server *server, app *self)
{
    static const chat_chat_service_methods methods = {
        .chat = {.open = chat_opened,
                 .message = chat_frame,
                 .half_closed = chat_half_closed,
                 .writable = chat_writable,
                 .closed = chat_closed},
        .listen = {.open = listen_opened, .writable = chat_writable, .closed = chat_closed},
    };
    return chat_chat_service_serve(server, &methods, self);
}
