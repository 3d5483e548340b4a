/* Delivered and read marks: cumulative, so that the latest says all; a frame per conversation and
 * period. */
#include "client_impl.h"

static void on_mark_timer(weir_timer *timer, void *user)
{
    (void)timer;
    client_ref(user);
    client_stream_flush(user);
    client_unref(user);
}

void client_mark_due(chat_client *self, client_conversation *c)
{
    if (!weir_list_linked(&c->dirty))
        weir_list_append(&self->dirty, &c->dirty);
    if (!weir_timer_pending(&self->mark_timer) && !self->freed)
        weir_loop_after(self->loop, &self->mark_timer, self->opts.mark_us, on_mark_timer, self);
}

weir_err client_marks_flush(chat_client *self)
{
    weir_list_each (node, following, &self->dirty) {
        client_conversation *c = WEIR_CONTAINER_OF(node, client_conversation, dirty);
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
