/* What can be named: conversations and people. */
#include <stdio.h>
#include <stdlib.h>

#include "session.h"
#include "wrap.h"

place *session_place(session *self, uint64_t id)
{
    for (size_t i = 0; i < self->place_count; i++) {
        if (self->places[i].id == id)
            return &self->places[i];
    }
    return NULL;
}

place *session_place_named(session *self, const char *label)
{
    for (size_t i = 0; i < self->place_count; i++) {
        if (strcmp(self->places[i].label, label) == 0)
            return &self->places[i];
    }
    return NULL;
}

static place *add(session *self)
{
    if (self->place_count >= PLACES_MAX)
        return NULL;
    place *grown = realloc(self->places, (self->place_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    self->places = grown;
    grown[self->place_count] = (place){0};
    return &grown[self->place_count++];
}

void session_place_in(session *self, const chat_conversation *c)
{
    place *p = session_place(self, c->id);
    if (!p && !(p = add(self)))
        return;
    if (p->id == 0)
        p->begin_seq = c->delivered_seq < c->last_seq ? c->delivered_seq : c->last_seq;
    p->id = c->id;
    p->kind = c->kind;
    weir_str label = c->name.len > 0 ? c->name : c->title;
    if (label.len > 0)
        text_clean(p->label, sizeof p->label, label);
    else
        snprintf(p->label, sizeof p->label, "%llu", (unsigned long long)c->id);
    /* The direct conversation that was asked for by the user's name. */
    if (c->kind == CHAT_CONVERSATION_KIND_DIRECT && *self->current_user &&
        weir_str_eq(c->name, weir_str_from(self->current_user)))
        self->current = c->id;
}

void session_place_left(session *self, uint64_t id)
{
    place *p = session_place(self, id);
    if (p)
        *p = self->places[--self->place_count];
}

void session_name(session *self, weir_str name)
{
    char clean[3 * CHAT_CLIENT_NAME_MAX + 1];
    if (name.len > CHAT_CLIENT_NAME_MAX || text_clean(clean, sizeof clean, name) == 0)
        return;
    for (size_t i = 0; i < self->name_count; i++) {
        if (strcmp(self->names[i], clean) == 0)
            return;
    }
    if (!self->names)
        self->names = calloc(NAMES_MAX, sizeof *self->names);
    if (self->names && self->name_count < NAMES_MAX &&
        (self->names[self->name_count] = strdup(clean)))
        self->name_count++;
}

const char *session_candidate(size_t index, void *user)
{
    const session *self = user;
    for (size_t i = 0; command_names[i]; i++) {
        if (index-- == 0)
            return command_names[i];
    }
    if (index < self->place_count)
        return self->places[index].label;
    index -= self->place_count;
    return index < self->name_count ? self->names[index] : NULL;
}

void session_places_free(session *self)
{
    for (size_t i = 0; i < self->name_count; i++)
        free(self->names[i]);
    free(self->names);
    free(self->places);
}
