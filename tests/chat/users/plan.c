/* Who talks with whom: pairs, groups and rooms, by the seed. */
#include <stdlib.h>

#include "users.h"

enum {
    GROUP_MEMBERS = 10,
    ROOMS = 3
};

static bool is_member(const place *of, unsigned number)
{
    for (unsigned i = 0; i < of->count; i++) {
        if (of->members[i] == number)
            return true;
    }
    return false;
}

static void fill(world *self, place *to, unsigned count)
{
    while (to->count < count) {
        unsigned member = weir_random_below(&self->random, self->opts.users);
        if (!is_member(to, member) && self->users[member].place_count < USER_PLACES_MAX)
            to->members[to->count++] = member;
    }
}

static void add(world *self, const place *made)
{
    unsigned index = self->place_count++;
    self->places[index] = *made;
    for (unsigned i = 0; i < made->count; i++) {
        person *member = &self->users[made->members[i]];
        member->places[member->place_count++] = index;
    }
}

/** Everybody has two: the neighbour, and somebody farther away. */
static void add_pairs(world *self)
{
    unsigned users = self->opts.users;
    for (unsigned i = 0; i < users; i++) {
        place near = {.world = self, .kind = CHAT_CONVERSATION_KIND_DIRECT, .count = 2};
        near.members[0] = i;
        near.members[1] = (i + 1) % users;
        add(self, &near);
        if (i + users / 2 < users) {
            near.members[1] = i + users / 2;
            add(self, &near);
        }
    }
}

static void add_shared(world *self, chat_conversation_kind kind, unsigned count, unsigned members)
{
    self->of_kind[kind] = self->place_count;
    for (unsigned i = 0; i < count; i++) {
        place made = {.world = self, .kind = kind};
        fill(self, &made, members);
        add(self, &made);
    }
}

bool plan_make(world *self)
{
    unsigned users = self->opts.users;
    self->users = calloc(users, sizeof *self->users);
    self->places = calloc((size_t)users * 2 + ROOMS, sizeof *self->places);
    if (!self->users || !self->places)
        return false;
    for (unsigned i = 0; i < users; i++) {
        self->users[i].world = self;
        snprintf(self->users[i].name, sizeof self->users[i].name, "u%03u", i % 1000);
    }
    self->of_kind[CHAT_CONVERSATION_KIND_DIRECT] = 0;
    add_pairs(self);
    add_shared(self, CHAT_CONVERSATION_KIND_GROUP, users / 5, GROUP_MEMBERS);
    add_shared(self, CHAT_CONVERSATION_KIND_ROOM, ROOMS,
               users / 2 < PLACE_MEMBERS_MAX ? users / 2 : PLACE_MEMBERS_MAX);
    return true;
}
