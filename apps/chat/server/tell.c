#include "tell.h"

#include <stdlib.h>

enum {
    ORIGIN = 8 /* bytes before what goes over the bus: whose it is */
};

static void publish(app *self, weir_str channel, weir_str bytes)
{
    char space[2048];
    char *all = bytes.len + ORIGIN <= sizeof space ? space : malloc(bytes.len + ORIGIN);
    if (!all)
        return;
    memcpy(all, &self->origin, ORIGIN);
    memcpy(all + ORIGIN, bytes.ptr, bytes.len);
    bus_publish(self->bus, channel, weir_str_of(all, bytes.len + ORIGIN));
    if (all != space)
        free(all);
}

static void refresh(weir_call_id call, void *user WEIR_UNUSED)
{
    session_refresh_post(call);
}

/** To those who are here. */
static void deliver_frame(app *self, weir_str channel, const chat_server_frame *frame,
                          weir_payload *payload)
{
    hub_send(self->chats, channel, payload);
    if (frame->frame_case == CHAT_SERVER_FRAME_FRAME_CONVERSATION ||
        frame->frame_case == CHAT_SERVER_FRAME_FRAME_LEFT)
        hub_each(self->chats, channel, refresh, NULL);
}

static void tell_frame(app *self, weir_str channel, const chat_server_frame *frame)
{
    weir_payload *payload;
    if (weir_payload_new(&payload, &chat_server_frame_descriptor, frame))
        return;
    deliver_frame(self, channel, frame, payload);
    publish(self, channel, weir_payload_bytes(payload));
    weir_payload_unref(payload);
}

void tell_conversation(app *self, uint64_t conversation, const chat_server_frame *frame)
{
    char channel[CHAT_CHANNEL_MAX];
    tell_frame(self, chat_channel(channel, 'c', conversation), frame);
}

void tell_user(app *self, uint64_t user, const chat_server_frame *frame)
{
    char channel[CHAT_CHANNEL_MAX];
    tell_frame(self, chat_channel(channel, 'u', user), frame);
}

/** Topics have names; a channel's may be as long. */
static weir_str topic_channel(char out[CHAT_CHANNEL_MAX], weir_str topic)
{
    memcpy(out, "t/", 2);
    memcpy(out + 2, topic.ptr, topic.len);
    return weir_str_of(out, topic.len + 2);
}

typedef struct topic_push {
    weir_payload *payload;
    const chat_notification *note;
} topic_push;

static void push(weir_call_id call, void *user)
{
    const topic_push *pushed = user;
    subscription_push_post(call, pushed->payload, pushed->note->seq, pushed->note->topic);
}

static void deliver_note(app *self, weir_str channel, const chat_notification *note,
                         weir_payload *payload)
{
    hub_each(self->topics, channel, push, &(topic_push){payload, note});
}

void tell_topic(app *self, const chat_notification *note)
{
    char name[CHAT_CHANNEL_MAX];
    weir_payload *payload;
    if (weir_payload_new(&payload, &chat_notification_descriptor, note))
        return;
    weir_str channel = topic_channel(name, note->topic);
    deliver_note(self, channel, note, payload);
    publish(self, channel, weir_payload_bytes(payload));
    weir_payload_unref(payload);
}

static void frame_from_bus(app *self, weir_str channel, weir_str bytes, weir_arena *mem)
{
    chat_server_frame *frame;
    weir_payload *payload;
    if (chat_server_frame_decode(&frame, mem, bytes) ||
        weir_payload_new(&payload, &chat_server_frame_descriptor, frame))
        return;
    deliver_frame(self, channel, frame, payload);
    weir_payload_unref(payload);
}

static void note_from_bus(app *self, weir_str channel, weir_str bytes, weir_arena *mem)
{
    chat_notification *note;
    weir_payload *payload;
    if (chat_notification_decode(&note, mem, bytes) || note->topic.len > CHAT_MAX_NAME ||
        weir_payload_new(&payload, &chat_notification_descriptor, note))
        return;
    deliver_note(self, channel, note, payload);
    weir_payload_unref(payload);
}

void tell_from_bus(app *self, weir_str channel, weir_str bytes)
{
    if (channel.len < 2 || bytes.len < ORIGIN || memcmp(bytes.ptr, &self->origin, ORIGIN) == 0)
        return;
    weir_arena mem;
    weir_arena_init(&mem, weir_loop_pool(self->loop), 1 << 20);
    weir_str inner = weir_str_of(bytes.ptr + ORIGIN, bytes.len - ORIGIN);
    if (channel.ptr[0] == 't')
        note_from_bus(self, channel, inner, &mem);
    else
        frame_from_bus(self, channel, inner, &mem);
    weir_arena_fini(&mem);
}

void tell_system(app *self, weir_str text)
{
    weir_payload *payload;
    chat_notification note = {.type = CHAT_NOTIFICATION_TYPE_SYSTEM,
                              .title = WEIR_STR("system"),
                              .body = text,
                              .time_us = weir_wall_now().us};
    if (weir_payload_new(&payload, &chat_notification_descriptor, &note))
        return;
    hub_each(self->topics, WEIR_STR("all"), push, &(topic_push){payload, &note});
    weir_payload_unref(payload);
}

/* From other threads: the encoded message goes to the loop. */

typedef struct post {
    weir_task task;
    app *app;
    char kind; /* of the channel */
    uint64_t id;
    size_t len;
    char bytes[];
} post;

static void run_post(post *self, weir_arena *mem)
{
    weir_str bytes = weir_str_of(self->bytes, self->len);
    chat_server_frame *frame;
    chat_notification *note;
    if (self->kind == 't') {
        if (!chat_notification_decode(&note, mem, bytes))
            tell_topic(self->app, note);
    } else if (!chat_server_frame_decode(&frame, mem, bytes)) {
        char channel[CHAT_CHANNEL_MAX];
        tell_frame(self->app, chat_channel(channel, self->kind, self->id), frame);
    }
}

static void on_post(weir_task *task, weir_err err)
{
    post *self = WEIR_CONTAINER_OF(task, post, task);
    if (!err) {
        weir_arena mem;
        weir_arena_init(&mem, weir_loop_pool(self->app->loop), 1 << 20);
        run_post(self, &mem);
        weir_arena_fini(&mem);
    }
    free(self);
}

static void post_message(app *self, char kind, uint64_t id, const weir_message *type,
                         const void *message)
{
    weir_payload *payload;
    if (weir_payload_new(&payload, type, message))
        return;
    weir_str bytes = weir_payload_bytes(payload);
    post *note = malloc(sizeof *note + bytes.len);
    if (note) {
        *note = (post){.app = self, .kind = kind, .id = id, .len = bytes.len};
        memcpy(note->bytes, bytes.ptr, bytes.len);
        weir_loop_post(self->loop, &note->task, on_post);
    }
    weir_payload_unref(payload);
}

void tell_user_post(app *self, uint64_t user, const chat_server_frame *frame)
{
    post_message(self, 'u', user, &chat_server_frame_descriptor, frame);
}

void tell_conversation_post(app *self, uint64_t conversation, const chat_server_frame *frame)
{
    post_message(self, 'c', conversation, &chat_server_frame_descriptor, frame);
}

void tell_topic_post(app *self, const chat_notification *note)
{
    post_message(self, 't', 0, &chat_notification_descriptor, note);
}
