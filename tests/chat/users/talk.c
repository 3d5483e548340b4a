/* What goes on: so many messages a second, and now and then somebody loses its client. */
#include "users.h"

#define TURN_US WEIR_MILLISECONDS(5)

enum {
    BURST = 50,   /* messages that are caught up after a time in which nobody could speak */
    TRIES = 5,    /* to find somebody who can speak */
    ABANDONS = 8, /* one in so many comes back without what was not answered */
    PAIRS = 55,   /* of hundred messages */
    GROUPS = 35
};

static unsigned choose_place(world *self)
{
    unsigned groups = self->of_kind[CHAT_CONVERSATION_KIND_GROUP];
    unsigned rooms = self->of_kind[CHAT_CONVERSATION_KIND_ROOM];
    unsigned dice = weir_random_below(&self->random, 100);
    if (dice < PAIRS)
        return weir_random_below(&self->random, groups);
    if (dice < PAIRS + GROUPS)
        return groups + weir_random_below(&self->random, rooms - groups);
    return rooms + weir_random_below(&self->random, self->place_count - rooms);
}

static bool say_one(world *self)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned to = choose_place(self);
        const place *in = &self->places[to];
        unsigned speaker = in->members[weir_random_below(&self->random, in->count)];
        if (person_say(&self->users[speaker], to))
            return true;
    }
    return false;
}

static void on_speak(weir_timer *timer, void *user)
{
    world *self = user;
    weir_time now = weir_loop_now(self->loop);
    self->credit += (double)weir_time_diff(now, self->last) * self->opts.rate / 1e6;
    self->last = now;
    if (self->credit > BURST)
        self->credit = BURST;
    while (self->credit >= 1 && self->counters.said < self->opts.messages && say_one(self))
        self->credit--;
    if (self->counters.said < self->opts.messages)
        weir_loop_after(self->loop, timer, TURN_US, on_speak, self);
    else
        self->is_talking = false;
}

static void on_drop(weir_timer *timer, void *user)
{
    world *self = user;
    unsigned who = weir_random_below(&self->random, self->opts.users);
    bool abandon = weir_random_below(&self->random, ABANDONS) == 0;
    int64_t away = WEIR_MILLISECONDS(20 + weir_random_below(&self->random, 2000));
    person_drop(&self->users[who], abandon, away);
    weir_loop_after(self->loop, timer, self->opts.drop_us, on_drop, self);
}

void talk_start(world *self)
{
    for (unsigned i = 0; i < self->opts.users; i++)
        self->users[i].heard = weir_loop_now(self->loop);
    self->is_talking = true;
    self->last = weir_loop_now(self->loop);
    weir_loop_after(self->loop, &self->speaker, 0, on_speak, self);
    if (self->opts.drop_us > 0)
        weir_loop_after(self->loop, &self->dropper, self->opts.drop_us, on_drop, self);
}

void talk_end(world *self)
{
    self->opts.messages = (unsigned)self->counters.said;
}

void talk_calm(world *self)
{
    weir_loop_cancel(self->loop, &self->dropper);
}
