/* Showing messages: each once, in the order of its seq. What comes early is held, within bounds. */
#include <stdlib.h>

#include "client_impl.h"

static client_held *held_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, client_held, node);
}

static weir_str put(char **at, weir_str s)
{
    if (s.len > 0)
        memcpy(*at, s.ptr, s.len);
    weir_str copy = weir_str_of(*at, s.len);
    *at += s.len;
    return copy;
}

static client_held *held_new(const chat_message *m)
{
    client_held *held = malloc(sizeof *held + m->sender.len + m->client_id.len + m->text.len);
    if (!held)
        return NULL;
    char *at = held->bytes;
    held->node = (weir_list){0};
    held->message = (chat_message){
        .id = m->id, .conversation = m->conversation, .seq = m->seq, .time_us = m->time_us};
    held->message.sender = put(&at, m->sender);
    held->message.client_id = put(&at, m->client_id);
    held->message.text = put(&at, m->text);
    return held;
}

static void release(chat_client *self, client_conversation *c, client_held *held)
{
    weir_list_remove(&held->node);
    c->held_count--;
    self->held_count--;
    free(held);
}

static void duplicate(chat_client *self, const chat_message *m)
{
    self->counters.duplicates++;
    if (weir_str_eq(m->sender, weir_str_from(self->opts.name)))
        self->counters.echoes++;
}

/** Its place, from the end, where it belongs as a rule. */
static void hold(chat_client *self, client_conversation *c, const chat_message *m)
{
    weir_list *before = c->held.prev;
    while (before != &c->held && held_of(before)->message.seq > m->seq)
        before = before->prev;
    if (before != &c->held && held_of(before)->message.seq == m->seq) {
        duplicate(self, m);
        return;
    }
    bool full = c->held_count >= self->opts.held_max || self->held_count >= 4 * self->opts.held_max;
    client_held *held = full ? NULL : held_new(m);
    if (!held) {
        self->counters.held_dropped++; /* a pull brings it */
        return;
    }
    weir_list_append(before->next, &held->node); /* before that one: behind `before` */
    c->held_count++;
    self->held_count++;
}

static void show(chat_client *self, client_conversation *c, const chat_message *m)
{
    c->position = m->seq;
    c->empty_pulls = 0;
    self->counters.shown++;
    client_mark_due(self, c);
    if (self->events->message && !self->freed)
        self->events->message(self, m, self->user);
}

void client_messages_release(chat_client *self, client_conversation *c)
{
    while (!weir_list_empty(&c->held) && !self->freed) {
        client_held *held = held_of(c->held.next);
        if (held->message.seq > c->position + 1)
            return;
        weir_list_remove(&held->node);
        c->held_count--;
        self->held_count--;
        if (held->message.seq == c->position + 1)
            show(self, c, &held->message);
        else
            duplicate(self, &held->message);
        free(held);
    }
}

void client_messages_drop(chat_client *self, client_conversation *c)
{
    while (!weir_list_empty(&c->held))
        release(self, c, held_of(c->held.next));
}

bool client_message_in(chat_client *self, const chat_message *m)
{
    client_conversation *c =
        m->seq > 0 && m->seq < UINT64_MAX ? client_conversation_get(self, m->conversation) : NULL;
    if (!c || m->text.len > CHAT_CLIENT_TEXT_MAX) {
        self->counters.refused_frames++;
        return false;
    }
    if (c->head < m->seq)
        c->head = m->seq;
    if (!c->known) {
        hold(self, c, m);
        client_pull_soon(self);
    } else if (m->seq <= c->position) {
        duplicate(self, m);
    } else if (m->seq == c->position + 1) {
        show(self, c, m);
        client_messages_release(self, c);
        return true;
    } else {
        hold(self, c, m);
        client_pull_soon(self);
    }
    return false;
}
