/* NotificationService: topics that users subscribe to. */
#include "auth.h"
#include "model/messages.h"
#include "sending.h"
#include "subscription.h"

static const char *check(const chat_subscribe_request *request)
{
    if (request->topics.len == 0 || request->topics.len > SUBSCRIPTION_MAX_TOPICS)
        return "topics must be 1 to 64";
    for (size_t i = 0; i < request->topics.len; i++) {
        if (!chat_name_is_valid(request->topics.items[i], CHAT_MAX_NAME))
            return "a topic's name is 1 to 64 of a-z 0-9 . _ -";
    }
    return NULL;
}

static void subscribe_opened(weir_call *call, const chat_subscribe_request *request, void *user)
{
    const char *wrong = check(request);
    if (wrong) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    subscription *sub = subscription_new(user, call, request);
    weir_err err = sub ? subscription_start(sub) : WEIR_ENOMEM;
    if (err)
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "%s", weir_err_text(err));
}

static void subscribe_writable(weir_call *call, void *user WEIR_UNUSED)
{
    subscription *sub = weir_call_data(call);
    if (sub)
        subscription_writable(sub);
}

static void subscribe_closed(weir_call *call, const weir_status *why WEIR_UNUSED,
                             void *user WEIR_UNUSED)
{
    subscription *sub = weir_call_data(call);
    if (sub)
        subscription_end(sub);
}

/* Sending one. */

static void sent(const sending *is, const message_stored *stored, const weir_status *why)
{
    weir_err err;
    if (why->code == WEIR_STATUS_OK) {
        chat_send_notification_response reply = {
            .id = stored->id, .seq = stored->seq, .time_us = stored->time_us};
        err = weir_call_reply_post(is->call, &chat_send_notification_response_descriptor, &reply);
    } else {
        err = weir_call_finish_post(is->call, why);
    }
    if (err)
        WEIR_LOG_DEBUG("nobody waits for an answer to a notification any more");
}

static const char *check_note(const chat_send_notification_request *request)
{
    if (!chat_name_is_valid(request->topic, CHAT_MAX_NAME))
        return "a topic's name is 1 to 64 of a-z 0-9 . _ -";
    if (request->title.len > CHAT_MAX_TITLE || request->body.len > CHAT_MAX_TEXT)
        return "title is 256 bytes at most, and body 4096";
    if (request->client_id.len > CHAT_MAX_CLIENT_ID)
        return "client_id is 64 bytes at most";
    bool open = request->type == CHAT_NOTIFICATION_TYPE_UNSPECIFIED ||
                (request->type >= CHAT_NOTIFICATION_TYPE_INFO &&
                 request->type <= CHAT_NOTIFICATION_TYPE_ALERT);
    return open ? NULL : "type must be INFO, WARNING or ALERT";
}

static void send_notification(weir_call *call, const chat_send_notification_request *request,
                              void *user)
{
    app *self = user;
    caller from = auth_caller(call);
    const char *wrong = check_note(request);
    if (wrong) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    bool typed = request->type != CHAT_NOTIFICATION_TYPE_UNSPECIFIED;
    sending begun = {
        .app = self,
        .call = weir_call_id_of(call),
        .from = from,
        .message = {.client_id = request->client_id.len > 0
                                     ? request->client_id
                                     : weir_call_printf(call, "server:%016llx",
                                                        (unsigned long long)ids_next(&self->ids)),
                    .name = request->topic,
                    .topic = true,
                    .type = (int)(typed ? request->type : CHAT_NOTIFICATION_TYPE_INFO),
                    .title = request->title,
                    .text = request->body},
        .answer = sent,
    };
    weir_status why = sending_check_rate(self, &from, weir_call_loop(call));
    if (why.code == WEIR_STATUS_OK)
        why = sending_begin(&begun);
    if (why.code != WEIR_STATUS_OK)
        weir_call_finish_status(call, &why);
}

weir_err notification_serve(weir_server *server, app *self)
{
    static const chat_notification_service_methods methods = {
        .subscribe = {.open = subscribe_opened,
                      .writable = subscribe_writable,
                      .closed = subscribe_closed},
        .send_notification = send_notification,
    };
    return chat_notification_service_serve(server, &methods, self);
}
