/* NotificationService: topics that users subscribe to. */
#include "app.h"

/** A running Subscribe call, in the call's arena. */
typedef struct subscriber {
    atomic_ullong missed;
    size_t count;
    hub_member members[]; /* one per topic */
} subscriber;

static weir_err check_subscribe(weir_call *call, const chat_subscribe_request *request)
{
    if (!chat_name_is_valid(request->user, CHAT_MAX_USER))
        return weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                              "user must be 1 to %d bytes without control characters",
                              CHAT_MAX_USER),
               WEIR_EINVAL;
    if (request->topics.len == 0 || request->topics.len > CHAT_MAX_TOPICS)
        return weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "topics must be 1 to %d, not %zu",
                              CHAT_MAX_TOPICS, request->topics.len),
               WEIR_EINVAL;
    for (size_t i = 0; i < request->topics.len; i++) {
        if (!chat_name_is_valid(request->topics.items[i], CHAT_MAX_NAME))
            return weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "a topic must be 1 to %d bytes without control characters",
                                  CHAT_MAX_NAME),
                   WEIR_EINVAL;
    }
    return WEIR_OK;
}

static void replay_one(weir_str bytes, void *user)
{
    weir_call *call = user;
    chat_notification *stored;
    if (chat_notification_decode(&stored, weir_call_arena(call), bytes) == WEIR_OK &&
        chat_notification_service_subscribe_send(call, stored) != WEIR_OK)
        WEIR_LOG_DEBUG("a stored notification did not fit into a new subscription");
}

static void leave_all(app *self, subscriber *sub)
{
    for (size_t i = 0; i < sub->count; i++)
        hub_leave(self->topics, &sub->members[i]);
}

static weir_err join_all(app *self, weir_call *call, subscriber *sub,
                         const chat_subscribe_request *request)
{
    for (size_t i = 0; i < request->topics.len; i++) {
        hub_member *member = &sub->members[i];
        member->call = weir_call_id_of(call);
        member->missed = &sub->missed;
        weir_err err = hub_join(self->topics, request->topics.items[i], member);
        if (err)
            return err;
    }
    return WEIR_OK;
}

static void welcome(weir_call *call, app *self, const chat_subscribe_request *request)
{
    char id[CHAT_ID_MAX];
    chat_notification hello = {
        .id = chat_next_id(self, id),
        .type = CHAT_NOTIFICATION_TYPE_WELCOME,
        .title = WEIR_STR("welcome"),
        .body = weir_call_printf(call, "%.*s, you hear %zu topic%s", WEIR_STR_ARGS(request->user),
                                 request->topics.len, request->topics.len == 1 ? "" : "s"),
        .timestamp_us = weir_wall_now().us,
    };
    if (chat_notification_service_subscribe_send(call, &hello) != WEIR_OK)
        weir_call_cancel(call);
}

static void subscribe_opened(weir_call *call, const chat_subscribe_request *request, void *user)
{
    app *self = user;
    if (check_subscribe(call, request))
        return;
    size_t count = request->topics.len;
    subscriber *sub =
        weir_arena_zalloc(weir_call_arena(call), sizeof *sub + count * sizeof *sub->members);
    if (!sub) {
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    sub->count = count;
    weir_call_set_data(call, sub);
    weir_err err = join_all(self, call, sub, request);
    if (err) {
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "%s", weir_err_text(err));
        return;
    }
    welcome(call, self, request);
    unsigned recent = request->recent < CHAT_MAX_RECENT ? request->recent : CHAT_MAX_RECENT;
    for (size_t i = 0; recent > 0 && i < count; i++) {
        if (store_recent(self->store, request->topics.items[i], recent, replay_one, call))
            WEIR_LOG_WARN("stored notifications could not be read");
    }
}

/** The subscriber reads again: say what it missed. */
static void subscribe_writable(weir_call *call, void *user)
{
    subscriber *sub = weir_call_data(call);
    unsigned long long missed = sub ? atomic_exchange(&sub->missed, 0) : 0;
    if (missed == 0)
        return;
    char id[CHAT_ID_MAX];
    chat_notification note = {
        .id = chat_next_id(user, id),
        .type = CHAT_NOTIFICATION_TYPE_OVERFLOW,
        .title = WEIR_STR("notifications were dropped"),
        .timestamp_us = weir_wall_now().us,
        .missed = missed,
    };
    if (chat_notification_service_subscribe_send(call, &note) != WEIR_OK)
        atomic_fetch_add(&sub->missed, missed);
}

static void subscribe_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user)
{
    subscriber *sub = weir_call_data(call);
    if (sub)
        leave_all(user, sub);
}

static const char *check_send(const chat_send_request *request)
{
    if (!chat_name_is_valid(request->user, CHAT_MAX_USER))
        return "user must be 1 to 64 bytes without control characters";
    if (!chat_name_is_valid(request->topic, CHAT_MAX_NAME))
        return "topic must be 1 to 128 bytes without control characters";
    if (request->title.len > CHAT_MAX_TITLE)
        return "title is longer than 256 bytes";
    if (request->body.len > CHAT_MAX_TEXT)
        return "body is longer than 4096 bytes";
    return NULL;
}

/** Keeps the notification and gives it to its subscribers. */
static weir_err publish(app *self, const chat_notification *note, hub_result *result)
{
    weir_payload *payload;
    weir_err err = weir_payload_new(&payload, &chat_notification_descriptor, note);
    if (err)
        return err;
    err = store_append(self->store, note->topic, weir_payload_bytes(payload));
    if (!err)
        *result = hub_send(self->topics, note->topic, payload, (weir_call_id){0});
    weir_payload_unref(payload);
    return err;
}

static void send_notification(weir_call *call, const chat_send_request *request, void *user)
{
    app *self = user;
    const char *wrong = check_send(request);
    if (wrong) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    char id[CHAT_ID_MAX];
    chat_notification note = {
        .id = chat_next_id(self, id),
        .topic = request->topic,
        .type = request->type ? request->type : CHAT_NOTIFICATION_TYPE_INFO,
        .title = request->title,
        .body = request->body,
        .timestamp_us = weir_wall_now().us,
        .sender = request->user,
    };
    hub_result result = {0, 0};
    weir_err err = publish(self, &note, &result);
    if (err) {
        weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
        return;
    }
    chat_send_response reply = {
        .id = note.id,
        .timestamp_us = note.timestamp_us,
        .delivered = result.delivered,
        .dropped = result.dropped,
    };
    if (chat_notification_service_send_notification_reply(call, &reply) != WEIR_OK)
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

void notify_system(app *self, weir_str body)
{
    char id[CHAT_ID_MAX];
    chat_notification note = {
        .id = chat_next_id(self, id),
        .type = CHAT_NOTIFICATION_TYPE_SYSTEM,
        .title = WEIR_STR("system"),
        .body = body,
        .timestamp_us = weir_wall_now().us,
    };
    weir_payload *payload;
    if (weir_payload_new(&payload, &chat_notification_descriptor, &note))
        return;
    hub_send_all(self->topics, payload);
    weir_payload_unref(payload);
}

weir_err notify_serve(weir_server *server, app *self)
{
    static const chat_notification_service_methods methods = {
        .subscribe = {.open = subscribe_opened,
                      .writable = subscribe_writable,
                      .closed = subscribe_closed},
        .send_notification = send_notification,
    };
    return chat_notification_service_serve(server, &methods, self);
}
