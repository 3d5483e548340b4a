/* The conversations that this client has heard of, and how far each was shown. Those that were
 * left stay, so that coming back shows nothing twice. */
#include <stdlib.h>

#include "client_impl.h"

static client_conversation *of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, client_conversation, node);
}

static client_conversation **bucket_of(const chat_client *self, uint64_t id)
{
    return &self->buckets[weir_random_mix(id) & (self->bucket_count - 1)];
}

client_conversation *client_conversation_find(const chat_client *self, uint64_t id)
{
    client_conversation *c = self->bucket_count > 0 ? *bucket_of(self, id) : NULL;
    while (c && c->id != id)
        c = c->next;
    return c;
}

/** As many buckets as conversations, at least. */
static bool make_room(chat_client *self)
{
    if (self->conversation_count < self->bucket_count)
        return true;
    size_t count = self->bucket_count > 0 ? 2 * self->bucket_count : 8;
    client_conversation **buckets = calloc(count, sizeof(client_conversation *));
    if (!buckets)
        return self->bucket_count > 0; /* longer chains do, too */
    free(self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        client_conversation **bucket = bucket_of(self, c->id);
        c->next = *bucket;
        *bucket = c;
    }
    return true;
}

client_conversation *client_conversation_get(chat_client *self, uint64_t id)
{
    client_conversation *c = client_conversation_find(self, id);
    if (c || id == 0 || self->conversation_count >= CHAT_CLIENT_CONVERSATIONS_MAX)
        return c;
    if (!make_room(self) || !(c = calloc(1, sizeof *c)))
        return NULL;
    c->id = id;
    weir_list_init(&c->held);
    weir_list_append(&self->conversations, &c->node);
    client_conversation **bucket = bucket_of(self, id);
    c->next = *bucket;
    *bucket = c;
    self->conversation_count++;
    return c;
}

client_conversation *client_conversation_named(const chat_client *self, chat_conversation_kind kind,
                                               weir_str name)
{
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        if (c->told && c->kind == kind && weir_str_eq(weir_str_from(c->name), name))
            return c;
    }
    return NULL;
}

void client_conversations_fini(chat_client *self)
{
    for (weir_list *node; (node = weir_list_pop(&self->conversations));) {
        client_messages_drop(self, of(node));
        free(of(node));
    }
    free(self->buckets);
}

/* What the server says. */

/** @return whether it is another text now */
static bool set_text(char *to, size_t room, weir_str from)
{
    size_t len = from.len < room - 1 ? from.len : room - 1;
    if (weir_str_eq(weir_str_from(to), weir_str_of(from.ptr, len)))
        return false;
    if (len > 0)
        memcpy(to, from.ptr, len);
    to[len] = 0;
    return true;
}

/**
 * Where one begins that has no position yet. A device that is new to the account begins with what
 * no device has got. One that was there before the conversation wants all of it, even if another
 * device has been quicker to acknowledge it; but not all of an old room.
 */
static uint64_t beginning(const chat_client *self, const client_conversation *c,
                          const chat_conversation *from)
{
    uint64_t begin = from->delivered_seq < from->last_seq ? from->delivered_seq : from->last_seq;
    if (!self->settled)
        return begin;
    if (from->kind == CHAT_CONVERSATION_KIND_DIRECT || from->kind == CHAT_CONVERSATION_KIND_GROUP)
        return 0; /* or first_seq, as everywhere */
    if (weir_list_empty(&c->held))
        return begin;
    uint64_t held = WEIR_CONTAINER_OF(c->held.next, client_held, node)->message.seq - 1;
    return held < begin ? held : begin;
}

static void set_position(chat_client *self, client_conversation *c, const chat_conversation *from)
{
    if (!c->known)
        c->position = beginning(self, c, from);
    else if (!c->told && c->position > from->last_seq && c->position > c->head)
        c->position = from->last_seq; /* imported, and of another server as it seems: what has been
                                         pushed since the list was read may be ahead of it */
    if (from->first_seq > 0 && from->first_seq - 1 > c->position)
        c->position = from->first_seq - 1;
    c->known = true;
    if (c->head < from->last_seq)
        c->head = from->last_seq;
}

static void set_marks(chat_client *self, client_conversation *c, const chat_conversation *from)
{
    c->delivered_seq = from->delivered_seq;
    c->read_told = from->read_seq;
    if (c->read_seq < from->read_seq)
        c->read_seq = from->read_seq;
    if (c->position > c->delivered_seq || c->read_seq > c->read_told)
        client_mark_due(self, c);
}

void client_conversation_in(chat_client *self, const chat_conversation *from)
{
    client_conversation *c = client_conversation_get(self, from->id);
    if (!c || from->name.len > CHAT_CLIENT_NAME_MAX || from->last_seq == UINT64_MAX) {
        self->counters.refused_frames++;
        return;
    }
    bool changed = !c->told || c->left || c->role != from->role || c->kind != from->kind;
    changed |= set_text(c->name, sizeof c->name, from->name);
    changed |= set_text(c->title, sizeof c->title, from->title);
    c->kind = from->kind;
    c->role = from->role;
    set_position(self, c, from);
    c->told = true;
    c->left = c->refused = false;
    set_marks(self, c, from);
    if (changed && self->events->conversation && !self->freed)
        self->events->conversation(self, from, self->user);
    client_messages_release(self, c);
    if (client_has_gap(c))
        client_pull_soon(self);
}

void client_conversation_left(chat_client *self, uint64_t id)
{
    client_conversation *c = client_conversation_find(self, id);
    if (!c || c->left)
        return;
    c->left = true;
    client_messages_drop(self, c);
    if (self->events->left && !self->freed)
        self->events->left(self, id, self->user);
}

void client_conversations_heads(chat_client *self, const chat_heads *heads)
{
    self->heads++;
    for (size_t i = 0; i < heads->conversations.len && !self->freed; i++) {
        const chat_conversation *from = &heads->conversations.items[i];
        client_conversation_in(self, from);
        client_conversation *c = client_conversation_find(self, from->id);
        if (c)
            c->heads = self->heads;
    }
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        if (c->told && c->heads != self->heads && !self->freed)
            client_conversation_left(self, c->id);
    }
    self->settled = true;
}

/* Positions of a file. */

weir_err chat_client_set_position(chat_client *self, chat_client_position position)
{
    if (self->state != CHAT_CLIENT_IDLE)
        return WEIR_ESTATE;
    if (position.conversation == 0)
        return WEIR_EINVAL;
    client_conversation *c = client_conversation_get(self, position.conversation);
    if (!c)
        return self->conversation_count >= CHAT_CLIENT_CONVERSATIONS_MAX ? WEIR_EFULL : WEIR_ENOMEM;
    c->position = position.seq;
    c->known = true;
    self->settled = true; /* not a new device */
    return WEIR_OK;
}

size_t chat_client_positions(const chat_client *self, chat_client_position *out, size_t max)
{
    size_t count = 0;
    weir_list_each (node, following, &self->conversations) {
        client_conversation *c = of(node);
        if (!c->known)
            continue;
        if (count < max)
            out[count] = (chat_client_position){c->id, c->position};
        count++;
    }
    return count;
}
