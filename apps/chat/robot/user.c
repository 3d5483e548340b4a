/* One user: it logs in, joins its rooms, sends when it is told to, and checks what it sees. */
#include "robot.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_US WEIR_MILLISECONDS(200)

static void join_next(user *self);

static void on_again(weir_timer *timer WEIR_UNUSED, void *who)
{
    join_next(who);
}

static void on_joined(chat_client *client WEIR_UNUSED, const weir_status *status,
                      const void *reply WEIR_UNUSED, void *who)
{
    user *self = who;
    self->joining = false;
    if (status->code == WEIR_STATUS_OK)
        self->joined++;
    else if (status->code == WEIR_STATUS_UNAVAILABLE ||
             status->code == WEIR_STATUS_RESOURCE_EXHAUSTED ||
             status->code == WEIR_STATUS_DEADLINE_EXCEEDED) {
        weir_loop_after(self->worker->loop, &self->again, AGAIN_US, on_again, self);
        return;
    } else if (status->code != WEIR_STATUS_CANCELLED) {
        robot_broken(self->worker->robot, "a room cannot be joined", weir_status_text(status));
    }
    if (self->client)
        join_next(self);
}

static void join_next(user *self)
{
    char name[ROBOT_NAME];
    const robot *host = self->worker->robot;
    if (self->ready || self->joining)
        return;
    if (self->joined == self->in_count || host->opts.direct > 0) {
        self->ready = true;
        worker_user_ready(self->worker);
        return;
    }
    plan_room_name(host, self->in[self->joined].group, name);
    self->joining = !chat_client_join(self->client, weir_str_from(name), true, on_joined, self);
    if (!self->joining)
        weir_loop_after(self->worker->loop, &self->again, AGAIN_US, on_again, self);
}

static void on_status(chat_client *client WEIR_UNUSED, const chat_client_status *status, void *who)
{
    user *self = who;
    if (status->state == CHAT_CLIENT_LIVE)
        join_next(self);
    else if (status->state == CHAT_CLIENT_ENDED && status->code != WEIR_STATUS_OK)
        robot_broken(self->worker->robot, "a user was refused", status->text);
    else if (status->state == CHAT_CLIENT_WAITING &&
             !atomic_flag_test_and_set(&self->worker->robot->waited))
        fprintf(stderr, "weir-chat-robot: a user has to try again: %s\n", status->text);
}

static membership *find(user *self, uint32_t index)
{
    for (uint32_t i = 0; i < self->in_count; i++) {
        if (self->in[i].group->index == index)
            return &self->in[i];
    }
    return NULL;
}

static void check_order(counts *here, membership *in, const tag *is, uint64_t seq)
{
    if (in->last_seq > 0 && seq > in->last_seq + 1)
        atomic_fetch_add(&here->missing, seq - in->last_seq - 1);
    if (seq <= in->last_seq)
        atomic_fetch_add(&here->repeated, 1);
    else if (is->number <= in->last_numbers[is->sender])
        atomic_fetch_add(&here->disordered, 1);
    else
        atomic_fetch_add(&in->received, 1);
    if (seq > in->last_seq)
        in->last_seq = seq;
    if (is->number > in->last_numbers[is->sender])
        in->last_numbers[is->sender] = is->number;
}

static void on_message(chat_client *client WEIR_UNUSED, const chat_message *message, void *who)
{
    user *self = who;
    worker *here = self->worker;
    robot *host = here->robot;
    tag is;
    if (!tag_read(&is, message->client_id) || is.run != host->run)
        return; /* of an earlier run */
    membership *in = find(self, is.group);
    if (!in || is.sender >= in->group->senders)
        return;
    if (is.number == 0) { /* the greeting */
        in->last_seq = message->seq;
        return;
    }
    check_order(&here->counts, in, &is, message->seq);
    histogram_add(&here->deliveries, robot_now_us(host) - is.time_us);
    atomic_fetch_add_explicit(&here->counts.received, 1, memory_order_relaxed);
    if (host->opts.fan_out > 0)
        fan_out_received(host, self->index, &is);
}

static void on_sent(chat_client *client WEIR_UNUSED, const chat_sent *sent, void *who)
{
    user *self = who;
    worker *here = self->worker;
    tag is;
    if (!tag_read(&is, sent->client_id) || is.run != here->robot->run)
        return;
    membership *from = find(self, is.group);
    if (!from)
        return;
    if (is.number == 0) { /* the greeting */
        atomic_fetch_add(&here->counts.greeted, 1);
        return;
    }
    int64_t now_us = robot_now_us(here->robot);
    histogram_add(&here->answers, now_us - is.time_us);
    atomic_fetch_add(&from->group->stored, 1);
    atomic_fetch_add(&here->counts.stored, 1);
    if (here->sending && here->robot->rate == 0)
        user_send(from, now_us);
}

static void on_failed(chat_client *client WEIR_UNUSED, const chat_send_failed *failed, void *who)
{
    user *self = who;
    char text[200];
    snprintf(text, sizeof text, "%.*s", WEIR_STR_ARGS(failed->text));
    atomic_fetch_add(&self->worker->counts.failed, 1);
    robot_broken(self->worker->robot, "a message was refused", text);
}

void user_start(user *self)
{
    static const chat_client_events events = {
        .status = on_status, .message = on_message, .sent = on_sent, .failed = on_failed};
    const options *opts = &self->worker->robot->opts;
    char name[ROBOT_NAME];
    plan_user_name(self->worker->robot, self->index, name);
    chat_client_opts how = {
        .target = opts->server,
        .name = name,
        .password = opts->password,
        .device = "robot",
        .register_missing = true,
        .request_us = WEIR_SECONDS(30),
    };
    weir_err err = chat_client_new(&self->client, self->worker->loop, &how, &events, self);
    if (err)
        robot_broken(self->worker->robot, "no client", weir_err_text(err));
    else
        chat_client_start(self->client);
}

static void add_counters(chat_client_counters *to, const chat_client_counters *from)
{
    to->reconnects += from->reconnects;
    to->retransmissions += from->retransmissions;
    to->duplicates += from->duplicates - from->echoes;
    to->gaps_pulled += from->gaps_pulled;
    to->holes += from->holes;
    to->queued_now += from->queued_now;
}

void user_add_counters(const user *self, chat_client_counters *to)
{
    chat_client_counters counters;
    chat_client_get_counters(self->client, &counters);
    add_counters(to, &counters);
}

void user_free(user *self)
{
    chat_client *client = self->client;
    weir_loop_cancel(self->worker->loop, &self->again);
    if (!client)
        return;
    self->client = NULL;
    chat_client_free(client);
}

/** The text begins as its client_id, for people who look at it. */
static void send_tagged(membership *from, const tag *is)
{
    char id[TAG_MAX], name[ROBOT_NAME], text[CHAT_CLIENT_TEXT_MAX];
    user *self = from->user;
    const robot *host = self->worker->robot;
    chat_client_send_opts how = {.client_id = tag_write(is, id)};
    size_t len = host->opts.text_bytes;
    memset(text, '.', len);
    memcpy(text, id, how.client_id.len < len ? how.client_id.len : len);
    weir_err err;
    if (host->opts.direct > 0) {
        plan_user_name(host, from->group->peers[self->index == from->group->peers[0]], name);
        err = chat_client_send_to_user(self->client, weir_str_from(name), weir_str_of(text, len),
                                       &how, NULL);
    } else {
        plan_room_name(host, from->group, name);
        err = chat_client_send_to_room(self->client, weir_str_from(name), weir_str_of(text, len),
                                       &how, NULL);
    }
    if (err)
        atomic_fetch_add(&self->worker->counts.unsent, 1);
}

void user_send(membership *from, int64_t due_us)
{
    send_tagged(from, &(tag){.run = from->user->worker->robot->run,
                             .group = from->group->index,
                             .sender = from->sender,
                             .number = atomic_fetch_add(&from->sent, 1) + 1,
                             .time_us = due_us});
}

void user_greet(user *self)
{
    for (uint32_t i = 0; i < self->in_count; i++) {
        membership *from = &self->in[i];
        if (from->sender == 0)
            send_tagged(from, &(tag){.run = self->worker->robot->run, .group = from->group->index});
    }
}
