/* What this client says. A lane per conversation keeps the order: its first message is on its way
 * alone, because of two that are, the first may be refused for now and the second stored. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "client_impl.h"

/** Where a message goes, as the caller has said. */
typedef struct target {
    chat_send_message_request_to_case kind;
    uint64_t conversation;
    weir_str name;
} target;

typedef struct client_send {
    weir_list node; /* in its lane */
    weir_time expires;
    unsigned times; /* that it has left */
    target to;      /* the name is in `bytes` */
    weir_str text;  /* too */
    char client_id[CHAT_CLIENT_ID_MAX + 1];
    char bytes[];
} client_send;

typedef struct client_lane {
    weir_list node; /* in sends.lanes */
    weir_list queue;
    uint64_t conversation; /* 0: not known yet */
    chat_send_message_request_to_case kind;
    char name[CHAT_CLIENT_NAME_MAX + 1];
    bool in_flight;    /* the first one is */
    unsigned attempts; /* refusals for now, one after the other */
    weir_time due;     /* in flight: leaves again without an answer; else: not before */
} client_lane;

static client_lane *lane_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, client_lane, node);
}

static client_send *send_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, client_send, node);
}

static client_send *first(client_lane *lane)
{
    return send_of(lane->queue.next);
}

void client_sends_init(chat_client *self)
{
    weir_list_init(&self->sends.lanes);
    self->sends.next_ttl = weir_time_never();
}

void client_sends_fini(chat_client *self)
{
    for (weir_list *node; (node = weir_list_pop(&self->sends.lanes));) {
        client_lane *lane = lane_of(node);
        for (weir_list *item; (item = weir_list_pop(&lane->queue));)
            free(send_of(item));
        free(lane);
    }
    self->sends.count = self->sends.in_flight = 0;
}

/* Lanes. */

/** 0: the server has not told of it. */
static uint64_t resolve(const chat_client *self, const target *to)
{
    client_conversation *c = NULL;
    if (to->kind == CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION)
        return to->conversation;
    if (to->kind == CHAT_SEND_MESSAGE_REQUEST_TO_USER)
        c = client_conversation_named(self, CHAT_CONVERSATION_KIND_DIRECT, to->name);
    else
        c = client_conversation_named(self, CHAT_CONVERSATION_KIND_ROOM, to->name);
    return c ? c->id : 0;
}

static client_lane *lane_find(const chat_client *self, const target *to, uint64_t conversation)
{
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        weir_str name = weir_str_from(lane->name);
        if (lane->conversation == 0)
            lane->conversation = resolve(self, &(target){.kind = lane->kind, .name = name});
        bool same = conversation > 0 && lane->conversation == conversation;
        if (same || (to->name.len > 0 && lane->kind == to->kind && weir_str_eq(name, to->name)))
            return lane;
    }
    return NULL;
}

static client_lane *lane_get(chat_client *self, const target *to)
{
    uint64_t conversation = resolve(self, to);
    client_lane *lane = lane_find(self, to, conversation);
    if (lane || !(lane = calloc(1, sizeof *lane)))
        return lane;
    weir_list_init(&lane->queue);
    lane->conversation = conversation;
    lane->kind = to->kind;
    if (to->name.len > 0)
        memcpy(lane->name, to->name.ptr, to->name.len);
    weir_list_append(&self->sends.lanes, &lane->node);
    return lane;
}

static void set_in_flight(chat_client *self, client_lane *lane, bool on)
{
    if (lane->in_flight != on)
        self->sends.in_flight += on ? 1 : (size_t)-1;
    lane->in_flight = on;
}

/** Takes it out; a lane without messages goes, another one goes behind the others. */
static void take(chat_client *self, client_lane *lane, client_send *send)
{
    if (send == first(lane)) {
        set_in_flight(self, lane, false);
        lane->attempts = 0;
        lane->due = (weir_time){0};
    }
    weir_list_remove(&send->node);
    self->sends.count--;
    weir_list_remove(&lane->node);
    if (weir_list_empty(&lane->queue))
        free(lane);
    else
        weir_list_append(&self->sends.lanes, &lane->node);
}

/* Time. */

static void on_timer(weir_timer *timer, void *user);

static void set_timer(chat_client *self)
{
    weir_time next = self->sends.next_ttl;
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        if (lane->due.us > 0 && weir_time_before(lane->due, next))
            next = lane->due;
    }
    if (self->freed)
        return;
    if (next.us == WEIR_TIME_NEVER_US)
        weir_loop_cancel(self->loop, &self->sends.timer);
    else
        weir_loop_at(self->loop, &self->sends.timer, next, on_timer, self);
}

/** Takes what is too late out of a lane. @return when the next one of it will be */
static weir_time collect(chat_client *self, client_lane *lane, weir_time now, weir_list *late)
{
    weir_time next = weir_time_never();
    client_send *last = send_of(lane->queue.prev);
    for (client_send *send = first(lane), *following;; send = following) {
        following = send_of(send->node.next);
        bool is_last = send == last;
        if (weir_time_before(now, send->expires)) {
            if (weir_time_before(send->expires, next))
                next = send->expires;
        } else {
            take(self, lane, send);
            weir_list_append(late, &send->node);
        }
        if (is_last)
            return next;
    }
}

static void fail(chat_client *self, client_send *send, uint32_t code, weir_str text)
{
    chat_send_failed failed = {
        .client_id = weir_str_from(send->client_id), .code = code, .text = text};
    self->counters.failed++;
    if (self->events->failed && !self->freed)
        self->events->failed(self, &failed, self->user);
    free(send);
}

static void expire(chat_client *self)
{
    weir_time now = weir_loop_now(self->loop);
    if (weir_time_before(now, self->sends.next_ttl))
        return;
    weir_list late, lanes;
    weir_list_init(&late);
    weir_list_init(&lanes);
    weir_list_splice(&lanes, &self->sends.lanes);
    self->sends.next_ttl = weir_time_never();
    for (weir_list *node; (node = weir_list_pop(&lanes));) {
        weir_list_append(&self->sends.lanes, node);
        weir_time next = collect(self, lane_of(node), now, &late);
        if (weir_time_before(next, self->sends.next_ttl))
            self->sends.next_ttl = next;
    }
    for (weir_list *node; (node = weir_list_pop(&late));)
        fail(self, send_of(node), WEIR_STATUS_DEADLINE_EXCEEDED,
             WEIR_STR("not answered in the time that it had"));
}

static void on_timer(weir_timer *timer, void *user)
{
    (void)timer;
    chat_client *self = user;
    client_ref(self);
    expire(self);
    weir_time now = weir_loop_now(self->loop);
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        if (lane->due.us == 0 || weir_time_before(now, lane->due))
            continue;
        set_in_flight(self, lane, false);
        lane->due = (weir_time){0};
    }
    client_stream_flush(self);
    client_stream_idle(self);
    set_timer(self);
    client_unref(self);
}

/* Leaving. */

static weir_err write_first(chat_client *self, client_lane *lane)
{
    client_send *send = first(lane);
    chat_send_message_request request = {
        .to_case = send->to.kind, .client_id = weir_str_from(send->client_id), .text = send->text};
    if (send->to.kind == CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION)
        request.to.conversation = send->to.conversation;
    else if (send->to.kind == CHAT_SEND_MESSAGE_REQUEST_TO_USER)
        request.to.user = send->to.name;
    else
        request.to.room = send->to.name;
    chat_client_frame frame = {.frame_case = CHAT_CLIENT_FRAME_FRAME_SEND,
                               .frame = {.send = &request}};
    weir_err err = client_stream_write(self, &frame);
    if (err)
        return err;
    if (send->times++ > 0)
        self->counters.retransmissions++;
    set_in_flight(self, lane, true);
    lane->due = weir_time_add(weir_loop_now(self->loop), self->opts.answer_us);
    return WEIR_OK;
}

weir_err client_sends_flush(chat_client *self)
{
    weir_err err = WEIR_OK;
    size_t before = self->sends.in_flight;
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        if (err || self->sends.in_flight >= self->opts.window)
            break;
        if (!lane->in_flight && lane->due.us == 0)
            err = write_first(self, lane);
    }
    if (self->sends.in_flight > before)
        set_timer(self);
    return err;
}

void client_sends_interrupted(chat_client *self)
{
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        if (lane->in_flight)
            lane->due = (weir_time){0};
        set_in_flight(self, lane, false);
    }
}

/* Answers. */

/** The lane whose first message has that id and has left, which may be given up already. */
static client_lane *lane_waiting_for(const chat_client *self, weir_str client_id)
{
    weir_list_each (node, following, &self->sends.lanes) {
        client_lane *lane = lane_of(node);
        if (first(lane)->times > 0 && weir_str_eq(weir_str_from(first(lane)->client_id), client_id))
            return lane;
    }
    return NULL;
}

/** The answer has all but the text: no need to wait for the push. */
static void show_own(chat_client *self, const client_send *send,
                     const chat_send_message_response *r)
{
    chat_message message = {
        .id = r->id,
        .conversation = r->conversation,
        .seq = r->seq,
        .sender = weir_str_from(self->opts.name),
        .client_id = weir_str_from(send->client_id),
        .text = send->text,
        .time_us = r->time_us,
    };
    client_message_in(self, &message);
}

void client_sends_answered(chat_client *self, const chat_sent *sent)
{
    client_lane *lane = lane_waiting_for(self, sent->client_id);
    if (!lane)
        return; /* the second answer of one that left twice */
    if (!sent->message || sent->message->seq == 0 || sent->message->conversation == 0) {
        self->counters.refused_frames++; /* it leaves again */
        return;
    }
    client_send *send = first(lane);
    if (lane->conversation == 0)
        lane->conversation = sent->message->conversation;
    take(self, lane, send);
    self->counters.sent++;
    show_own(self, send, sent->message);
    free(send);
    if (self->events->sent && !self->freed)
        self->events->sent(self, sent, self->user);
    if (self->freed)
        return;
    client_stream_flush(self);
    client_stream_idle(self);
}

static bool for_now(uint32_t code)
{
    return code == WEIR_STATUS_UNAVAILABLE || code == WEIR_STATUS_RESOURCE_EXHAUSTED ||
           code == WEIR_STATUS_DEADLINE_EXCEEDED || code == WEIR_STATUS_UNAUTHENTICATED;
}

void client_sends_refused(chat_client *self, const chat_send_failed *failed)
{
    client_lane *lane = lane_waiting_for(self, failed->client_id);
    if (!lane || !lane->in_flight)
        return; /* of an attempt before the one that is under way */
    if (!for_now(failed->code)) {
        client_send *send = first(lane);
        take(self, lane, send);
        fail(self, send, failed->code, failed->text);
    } else {
        set_in_flight(self, lane, false);
        int64_t wait_us = client_backoff_us(self, ++lane->attempts);
        lane->due = weir_time_add(weir_loop_now(self->loop), wait_us);
        set_timer(self);
    }
    if (self->freed)
        return;
    if (failed->code == WEIR_STATUS_UNAUTHENTICATED &&
        client_token_refused(self, self->stream.generation))
        client_login_start(self);
    client_stream_flush(self);
    client_stream_idle(self);
}

/* Queueing. */

static void random_id(char *out)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        uint64_t state = (uint64_t)weir_time_now().us;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)weir_random_next(&state);
    }
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool is_queued(const chat_client *self, weir_str client_id)
{
    weir_list_each (node, following, &self->sends.lanes) {
        weir_list_each (item, next, &lane_of(node)->queue) {
            if (weir_str_eq(weir_str_from(send_of(item)->client_id), client_id))
                return true;
        }
    }
    return false;
}

static weir_err check(const chat_client *self, const target *to, weir_str text, weir_str client_id)
{
    bool named = to->kind != CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION;
    if (self->state == CHAT_CLIENT_ENDED || self->stopping || self->freed)
        return WEIR_ECLOSED;
    if (named ? to->name.len == 0 || to->name.len > CHAT_CLIENT_NAME_MAX : to->conversation == 0)
        return WEIR_EINVAL;
    if (text.len == 0 || client_id.len > CHAT_CLIENT_ID_MAX)
        return WEIR_EINVAL;
    if (text.len > CHAT_CLIENT_TEXT_MAX)
        return WEIR_EMSGSIZE;
    if (!weir_str_is_utf8(text) || !weir_str_is_utf8(to->name) || !weir_str_is_utf8(client_id))
        return WEIR_EUTF8;
    if (self->sends.count >= self->opts.queue_max)
        return WEIR_EFULL;
    return client_id.len > 0 && is_queued(self, client_id) ? WEIR_EEXIST : WEIR_OK;
}

static client_send *send_new(const target *to, weir_str text, weir_str client_id)
{
    client_send *send = malloc(sizeof *send + text.len + to->name.len);
    if (!send)
        return NULL;
    *send = (client_send){.to = *to, .expires = weir_time_never()};
    memcpy(send->bytes, text.ptr, text.len);
    send->text = weir_str_of(send->bytes, text.len);
    if (to->name.len > 0)
        memcpy(send->bytes + text.len, to->name.ptr, to->name.len);
    send->to.name.ptr = send->bytes + text.len;
    if (client_id.len > 0)
        memcpy(send->client_id, client_id.ptr, client_id.len);
    else
        random_id(send->client_id);
    return send;
}

static void set_expiry(chat_client *self, client_send *send, int64_t ttl_us)
{
    send->expires = weir_time_add(weir_loop_now(self->loop), ttl_us);
    if (!weir_time_before(send->expires, self->sends.next_ttl))
        return;
    self->sends.next_ttl = send->expires;
    set_timer(self);
}

static weir_err enqueue(chat_client *self, const target *to, weir_str text,
                        const chat_client_send_opts *opts, char *client_id)
{
    weir_str id = opts ? opts->client_id : (weir_str){0};
    weir_err err = check(self, to, text, id);
    if (err)
        return err;
    client_send *send = send_new(to, text, id);
    client_lane *lane = send ? lane_get(self, to) : NULL;
    if (!lane) {
        free(send);
        return WEIR_ENOMEM;
    }
    weir_list_append(&lane->queue, &send->node);
    self->sends.count++;
    if (client_id)
        memcpy(client_id, send->client_id, sizeof send->client_id);
    if (opts && opts->ttl_us > 0)
        set_expiry(self, send, opts->ttl_us);
    client_stream_flush(self);
    return WEIR_OK;
}

weir_err chat_client_send_to_user(chat_client *self, weir_str user, weir_str text,
                                  const chat_client_send_opts *opts, char *client_id)
{
    target to = {.kind = CHAT_SEND_MESSAGE_REQUEST_TO_USER, .name = user};
    return enqueue(self, &to, text, opts, client_id);
}

weir_err chat_client_send_to_room(chat_client *self, weir_str room, weir_str text,
                                  const chat_client_send_opts *opts, char *client_id)
{
    target to = {.kind = CHAT_SEND_MESSAGE_REQUEST_TO_ROOM, .name = room};
    return enqueue(self, &to, text, opts, client_id);
}

weir_err chat_client_send_to_conversation(chat_client *self, uint64_t conversation, weir_str text,
                                          const chat_client_send_opts *opts, char *client_id)
{
    target to = {.kind = CHAT_SEND_MESSAGE_REQUEST_TO_CONVERSATION, .conversation = conversation};
    return enqueue(self, &to, text, opts, client_id);
}
