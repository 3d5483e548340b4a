/* Delivered and read marks: cumulative, so that the latest says all; a frame per conversation and
 * period. A room's marks are told to nobody and only say where to go on after a restart, so its
 * period is longer; and not the same for all members, who get its messages together. */
#include "client_impl.h"

enum {
    ROOM_PERIODS = 10 /* at most; half of it at least */
};

static void on_mark_timer(weir_timer *timer, void *user)
{
    (void)timer;
    client_ref(user);
    client_stream_flush(user);
    client_unref(user);
}

static int64_t period_us(chat_client *self, const client_conversation *c)
{
    if (c->kind != CHAT_CONVERSATION_KIND_ROOM)
        return self->opts.mark_us;
    int64_t half_us = self->opts.mark_us * ROOM_PERIODS / 2;
    uint32_t most = half_us < UINT32_MAX ? (uint32_t)half_us : UINT32_MAX;
    return half_us + weir_random_below(&self->random, most);
}

static void wake_at(chat_client *self, weir_time when)
{
    if (self->freed ||
        (weir_timer_pending(&self->mark_timer) && !weir_time_before(when, self->mark_at)))
        return;
    self->mark_at = when;
    weir_loop_at(self->loop, &self->mark_timer, when, on_mark_timer, self);
}

void client_mark_due(chat_client *self, client_conversation *c)
{
    if (weir_list_linked(&c->dirty))
        return;
    weir_list_append(&self->dirty, &c->dirty);
    c->mark_at = weir_time_add(weir_loop_now(self->loop), period_us(self, c));
    wake_at(self, c->mark_at);
}

weir_err client_marks_flush(chat_client *self, bool all)
{
    weir_time now = weir_loop_now(self->loop);
    weir_list_each (node, following, &self->dirty) {
        client_conversation *c = WEIR_CONTAINER_OF(node, client_conversation, dirty);
        if (!all && weir_time_before(now, c->mark_at)) {
            wake_at(self, c->mark_at);
            continue;
        }
        chat_mark mark = {
            .conversation = c->id, .delivered_seq = c->position, .read_seq = c->read_seq};
        chat_client_frame frame = {.frame_case = CHAT_CLIENT_FRAME_FRAME_ACKNOWLEDGE,
                                   .frame = {.acknowledge = &mark}};
        weir_err err = c->left ? WEIR_OK : client_stream_write(self, &frame);
        if (err)
            return err;
        /* A stream that ends may take it along: Heads says so, and it is due again. */
        weir_list_remove(&c->dirty);
        c->delivered_seq = c->position;
        c->read_told = c->read_seq;
    }
    return WEIR_OK;
}

void chat_client_mark_read(chat_client *self, uint64_t conversation, uint64_t seq)
{
    client_conversation *c = client_conversation_find(self, conversation);
    if (!c || !c->known)
        return;
    if (seq > c->position)
        seq = c->position;
    if (seq <= c->read_seq)
        return;
    c->read_seq = seq;
    client_mark_due(self, c);
}
