/* The Chat stream: what comes, what leaves, when it counts as dead, and what follows its end. */
#include "client_impl.h"

enum {
    MOVE_AFTER_MAX_MS = 60000,
};
static const int64_t leave_us = WEIR_SECONDS(1); /* for what is in flight, and for the end */

static void on_watchdog(weir_timer *timer, void *user);
static void on_heads_timer(weir_timer *timer, void *user);

void client_stream_stop_timers(chat_client *self)
{
    weir_loop_cancel(self->loop, &self->stream.heads);
    weir_loop_cancel(self->loop, &self->stream.watchdog);
    weir_loop_cancel(self->loop, &self->stream.move);
}

void client_stream_cancel(chat_client *self)
{
    if (!self->stream.open || self->stream.cancelled)
        return;
    self->stream.cancelled = true;
    weir_call_cancel_post(self->stream.id);
}

/* Writing. */

weir_err client_stream_write(chat_client *self, const chat_client_frame *frame)
{
    client_stream *s = &self->stream;
    if (!s->open || s->blocked || s->cancelled || s->leaving)
        return WEIR_EAGAIN;
    weir_call *call = weir_call_get(self->loop, s->id);
    if (!call)
        return WEIR_EAGAIN;
    weir_err err = chat_chat_service_chat_write(call, frame);
    if (err == WEIR_EAGAIN)
        s->blocked = true;
    else if (err)
        client_stream_cancel(self); /* out of memory: begin anew */
    return err ? WEIR_EAGAIN : WEIR_OK;
}

static weir_err write_heads_request(chat_client *self)
{
    static const chat_heads_request request;
    chat_client_frame frame = {.frame_case = CHAT_CLIENT_FRAME_FRAME_HEADS,
                               .frame = {.heads = &request}};
    weir_err err = client_stream_write(self, &frame);
    if (err)
        return err;
    self->stream.heads_wanted = false;
    self->stream.heads_asked = true;
    self->stream.heard = false;
    return WEIR_OK;
}

static weir_err write_presence(chat_client *self)
{
    chat_client_frame frame = {.frame_case = CHAT_CLIENT_FRAME_FRAME_PRESENCE,
                               .frame = {.presence = self->presence}};
    weir_err err = client_stream_write(self, &frame);
    if (!err)
        self->stream.presence_wanted = false;
    return err;
}

void client_stream_flush(chat_client *self)
{
    client_stream *s = &self->stream;
    if (!s->ready)
        return;
    if (s->heads_wanted && write_heads_request(self))
        return;
    if (s->presence_wanted && write_presence(self))
        return;
    if (!weir_timer_pending(&self->mark_timer) && client_marks_flush(self, false))
        return;
    if (!s->moving)
        (void)client_sends_flush(self);
}

void client_want_heads(chat_client *self)
{
    client_stream *s = &self->stream;
    if (!s->ready || s->heads_asked || s->leaving)
        return;
    s->heads_wanted = true;
    if (!weir_timer_pending(&s->watchdog))
        weir_loop_after(self->loop, &s->watchdog, self->opts.silence_us, on_watchdog, self);
    client_stream_flush(self);
}

void chat_client_check(chat_client *self)
{
    client_want_heads(self);
}

void chat_client_set_presence(chat_client *self, chat_presence presence)
{
    self->presence = presence;
    self->stream.presence_wanted = true;
    client_stream_flush(self);
}

/* Time. */

static void on_heads_timer(weir_timer *timer, void *user)
{
    chat_client *self = user;
    weir_loop_after(self->loop, timer, self->opts.heads_us, on_heads_timer, self);
    client_want_heads(self);
}

static void on_watchdog(weir_timer *timer, void *user)
{
    chat_client *self = user;
    client_stream *s = &self->stream;
    if (!s->ready || !s->heard) {
        s->silent = true;
        client_stream_cancel(self);
        return;
    }
    /* It lives, but has not answered: ask again. */
    weir_loop_after(self->loop, timer, self->opts.silence_us, on_watchdog, self);
    s->heads_asked = s->heard = false;
    client_want_heads(self);
}

/* Leaving. */

static void on_leave_over(weir_timer *timer, void *user)
{
    (void)timer;
    client_stream_cancel(user);
}

void client_stream_leave(chat_client *self)
{
    client_stream *s = &self->stream;
    if (!s->open || s->leaving)
        return;
    (void)client_marks_flush(self, true);
    s->leaving = true;
    weir_loop_cancel(self->loop, &s->heads);
    weir_loop_cancel(self->loop, &s->watchdog);
    weir_loop_after(self->loop, &s->move, leave_us, on_leave_over, self);
    weir_call *call = weir_call_get(self->loop, s->id);
    if (!call || weir_call_half_close(call))
        client_stream_cancel(self);
}

static void on_move(weir_timer *timer, void *user)
{
    (void)timer;
    client_stream_leave(user);
}

void client_stream_idle(chat_client *self)
{
    if (self->stream.moving && self->sends.in_flight == 0)
        client_stream_leave(self);
}

static void on_drain(chat_client *self, const chat_drain *drain)
{
    client_stream *s = &self->stream;
    if (s->moving)
        return;
    s->moving = true;
    s->move_after_ms = drain->reconnect_after_ms < MOVE_AFTER_MAX_MS ? drain->reconnect_after_ms
                                                                     : MOVE_AFTER_MAX_MS;
    if (self->events->drain && !self->freed)
        self->events->drain(self, s->move_after_ms, self->user);
    if (self->freed)
        return;
    weir_loop_after(self->loop, &s->move, leave_us, on_move, self);
    client_stream_idle(self);
}

/* What comes. */

static void on_first_heads(chat_client *self)
{
    client_stream *s = &self->stream;
    s->ready = true;
    s->since = weir_loop_now(self->loop);
    if (self->was_ready)
        self->counters.reconnects++;
    self->was_ready = true;
    self->pulls.failures = 0;
    self->pulls.one_by_one = false;
    s->presence_wanted = self->presence != CHAT_PRESENCE_ONLINE;
    weir_loop_after(self->loop, &s->heads, self->opts.heads_us, on_heads_timer, self);
    client_set_state(self, CHAT_CLIENT_SYNCING);
}

static void on_heads(chat_client *self, const chat_heads *heads)
{
    client_stream *s = &self->stream;
    size_t len = heads->node.len < CLIENT_NODE_MAX ? heads->node.len : CLIENT_NODE_MAX;
    if (len > 0)
        memcpy(self->node, heads->node.ptr, len);
    self->node[len] = 0;
    s->heads_asked = s->heads_wanted = false;
    weir_loop_cancel(self->loop, &s->watchdog);
    bool first = !s->ready;
    if (first)
        on_first_heads(self);
    client_conversations_heads(self, heads);
    /* What is missing after an overflow is known now, and no pushes are to be waited for. */
    if (first || heads->missed > 0)
        client_pull_now(self);
    if (!self->freed)
        client_stream_flush(self);
}

static void on_conversation(chat_client *self, const chat_conversation *conversation)
{
    client_conversation_in(self, conversation);
}

static void on_mark(chat_client *self, const chat_mark *mark)
{
    if (self->events->mark)
        self->events->mark(self, mark, self->user);
}

static void on_presence(chat_client *self, const chat_presence_event *event)
{
    if (self->events->presence)
        self->events->presence(self, event, self->user);
}

static void on_person(chat_client *self, const chat_person *person)
{
    if (!person->profile)
        self->counters.refused_frames++;
    else if (self->events->person)
        self->events->person(self, person, self->user);
}

/** What is pushed may be quicker than the first Heads, but not the answer to what has not left.
 * @return false: that, or nothing that we know */
static bool dispatch(chat_client *self, const chat_server_frame *frame)
{
    if (!self->stream.ready && (frame->frame_case == CHAT_SERVER_FRAME_FRAME_SENT ||
                                frame->frame_case == CHAT_SERVER_FRAME_FRAME_SEND_FAILED))
        return false;
    switch (frame->frame_case) {
    case CHAT_SERVER_FRAME_FRAME_HEADS:
        on_heads(self, frame->frame.heads);
        return true;
    case CHAT_SERVER_FRAME_FRAME_SENT:
        client_sends_answered(self, frame->frame.sent);
        return true;
    case CHAT_SERVER_FRAME_FRAME_SEND_FAILED:
        client_sends_refused(self, frame->frame.send_failed);
        return true;
    case CHAT_SERVER_FRAME_FRAME_MESSAGE:
        client_message_in(self, frame->frame.message);
        return true;
    case CHAT_SERVER_FRAME_FRAME_CONVERSATION:
        on_conversation(self, frame->frame.conversation);
        return true;
    case CHAT_SERVER_FRAME_FRAME_LEFT:
        client_conversation_left(self, frame->frame.left);
        return true;
    case CHAT_SERVER_FRAME_FRAME_MARK:
        on_mark(self, frame->frame.mark);
        return true;
    case CHAT_SERVER_FRAME_FRAME_PRESENCE:
        on_presence(self, frame->frame.presence);
        return true;
    case CHAT_SERVER_FRAME_FRAME_PERSON:
        on_person(self, frame->frame.person);
        return true;
    case CHAT_SERVER_FRAME_FRAME_DRAIN:
        on_drain(self, frame->frame.drain);
        return true;
    default:
        return false;
    }
}

static void on_frame(weir_call *call, const chat_server_frame *frame, void *user)
{
    (void)call;
    chat_client *self = user;
    if (self->freed || self->stream.cancelled)
        return;
    client_ref(self);
    self->stream.heard = true;
    if (!dispatch(self, frame))
        self->counters.refused_frames++;
    client_unref(self);
}

static void on_writable(weir_call *call, void *user)
{
    (void)call;
    chat_client *self = user;
    self->stream.blocked = false;
    if (!self->freed)
        client_stream_flush(self);
}

/* Its end. */

static bool was_stable(const chat_client *self)
{
    return self->stream.ready &&
           weir_time_diff(weir_loop_now(self->loop), self->stream.since) >= self->opts.stable_us;
}

static void move(chat_client *self)
{
    /* The connection leads to the node that stops, and so may its channel's list. */
    client_link_replace(self);
    uint32_t spread_ms = self->stream.move_after_ms / 2 + 100;
    int64_t wait_us = WEIR_MILLISECONDS((int64_t)self->stream.move_after_ms +
                                        weir_random_below(&self->random, spread_ms));
    client_wait(self, wait_us, WEIR_STATUS_UNAVAILABLE, "the node stops");
}

static void token_was_refused(chat_client *self, const weir_status *status)
{
    if (!client_token_refused(self, self->stream.generation))
        client_end(self, status->code, weir_status_text(status));
    else if (self->attempts++ == 0)
        client_begin(self);
    else
        client_retry(self, status->code, weir_status_text(status));
}

static void was_silent(chat_client *self)
{
    /* A connection that has died without a word looks like this. */
    if (weir_channel_state(self->link->channel, false) == WEIR_CONNECTIVITY_READY)
        client_link_replace(self);
    client_retry(self, WEIR_STATUS_UNAVAILABLE, "no answer");
}

static void go_on(chat_client *self, const weir_status *status)
{
    if (self->stopping)
        client_end(self, WEIR_STATUS_OK, "stopped");
    else if (self->stream.moving)
        move(self);
    else if (self->stream.silent)
        was_silent(self);
    else if (status->code == WEIR_STATUS_UNAUTHENTICATED)
        token_was_refused(self, status);
    else if (status->code == WEIR_STATUS_PERMISSION_DENIED ||
             status->code == WEIR_STATUS_UNIMPLEMENTED)
        client_end(self, status->code, weir_status_text(status));
    else
        client_retry(self, status->code, weir_status_text(status));
}

static void on_closed(weir_call *call, const weir_status *status, void *user)
{
    (void)call;
    chat_client *self = user;
    if (was_stable(self))
        self->attempts = 0;
    self->stream.open = self->stream.ready = false;
    client_stream_stop_timers(self);
    if (!self->freed) {
        client_sends_interrupted(self);
        if (self->state != CHAT_CLIENT_ENDED)
            go_on(self, status);
    }
    client_unref(self);
}

static const chat_chat_service_chat_events stream_events = {
    .message = on_frame, .writable = on_writable, .closed = on_closed};

static weir_err start(chat_client *self)
{
    weir_call_opts how = {
        .timeout_us = -1, .metadata = &self->login.auth, .wait_for_ready = self->attempts > 0};
    chat_hello hello = {.device = weir_str_from(self->opts.device), .presence = self->presence};
    chat_client_frame frame = {.frame_case = CHAT_CLIENT_FRAME_FRAME_HELLO,
                               .frame = {.hello = &hello}};
    client_stream *s = &self->stream;
    weir_err err =
        chat_chat_service_chat_start(self->link->channel, &stream_events, self, &how, &s->id);
    if (err)
        return err;
    s->open = true;
    client_ref(self);
    if (chat_chat_service_chat_write_post(s->id, &frame))
        client_stream_cancel(self);
    return WEIR_OK;
}

void client_stream_open(chat_client *self)
{
    client_set_state(self, CHAT_CLIENT_CONNECTING);
    if (self->freed || self->state != CHAT_CLIENT_CONNECTING)
        return;
    self->stream = (client_stream){.generation = self->login.generation};
    weir_err err = start(self);
    if (err)
        client_retry(self, (weir_status_code)weir_err_status(err), weir_err_text(err));
    else
        weir_loop_after(self->loop, &self->stream.watchdog, self->opts.request_us, on_watchdog,
                        self);
}
