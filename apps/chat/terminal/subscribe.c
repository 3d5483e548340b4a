#include "subscribe.h"

#include <stdlib.h>

#include "screen.h"
#include "weir/chat/v1/notification.weir.h"

static const int64_t again_us = WEIR_SECONDS(1);

struct subscription {
    chat_client *client;
    weir_loop *loop;
    void (*ended)(const weir_status *status, void *user);
    void *user;
    weir_call_id call;
    weir_timer again;
    bool open, closed;
    uint32_t recent;
    size_t count;
    weir_str topics[SUBSCRIPTION_TOPICS_MAX];
    uint64_t seqs[SUBSCRIPTION_TOPICS_MAX]; /* of the last one that was printed; 0: none */
};

static weir_err start(subscription *self);

static void on_notification(weir_call *call, const chat_notification *n, void *user)
{
    (void)call;
    subscription *self = user;
    if (self->closed)
        return;
    for (size_t i = 0; i < self->count && n->seq > 0; i++) {
        if (!weir_str_eq(n->topic, self->topics[i]))
            continue;
        if (n->seq <= self->seqs[i])
            return; /* shown */
        self->seqs[i] = n->seq;
    }
    screen_notification(n);
}

static void on_again(weir_timer *timer, void *user)
{
    subscription *self = user;
    if (start(self))
        weir_loop_after(self->loop, timer, again_us, on_again, self);
}

/** It is refused for good, so that asking again does not help. */
static bool is_final(weir_status_code code)
{
    return code == WEIR_STATUS_INVALID_ARGUMENT || code == WEIR_STATUS_PERMISSION_DENIED ||
           code == WEIR_STATUS_UNIMPLEMENTED || code == WEIR_STATUS_NOT_FOUND ||
           code == WEIR_STATUS_UNAUTHENTICATED;
}

static void on_closed(weir_call *call, const weir_status *status, void *user)
{
    (void)call;
    subscription *self = user;
    self->open = false;
    if (self->closed)
        free(self);
    else if (is_final(status->code))
        self->ended(status, self->user);
    else
        weir_loop_after(self->loop, &self->again, again_us, on_again, self);
}

static const chat_notification_service_subscribe_events events = {.message = on_notification,
                                                                  .closed = on_closed};

static weir_err start(subscription *self)
{
    chat_topic_position positions[SUBSCRIPTION_TOPICS_MAX];
    size_t known = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->seqs[i] > 0)
            positions[known++] =
                (chat_topic_position){.topic = self->topics[i], .after_seq = self->seqs[i]};
    }
    chat_subscribe_request request = {.topics = {self->topics, self->count},
                                      .recent = self->recent,
                                      .positions = {positions, known}};
    weir_call_opts how = {
        .timeout_us = -1, .wait_for_ready = true, .metadata = chat_client_metadata(self->client)};
    weir_err err = chat_notification_service_subscribe_start(
        chat_client_channel(self->client), &request, &events, self, &how, &self->call);
    self->open = !err;
    return err;
}

weir_err subscription_open(subscription **out, chat_client *client, weir_loop *loop, char **topics,
                           size_t count, uint32_t recent,
                           void (*ended)(const weir_status *status, void *user), void *user)
{
    subscription *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->client = client;
    self->loop = loop;
    self->ended = ended;
    self->user = user;
    self->recent = recent;
    self->count = count < SUBSCRIPTION_TOPICS_MAX ? count : SUBSCRIPTION_TOPICS_MAX;
    for (size_t i = 0; i < self->count; i++)
        self->topics[i] = weir_str_from(topics[i]);
    weir_err err = start(self);
    if (err)
        free(self);
    else
        *out = self;
    return err;
}

void subscription_close(subscription *self)
{
    if (!self)
        return;
    weir_loop_cancel(self->loop, &self->again);
    self->closed = true;
    if (self->open)
        weir_call_cancel_post(self->call); /* `closed` frees it */
    else
        free(self);
}
