/* How it stands, as a line of JSON. */
#include <inttypes.h>

#include "users.h"

static void number(const char *name, uint64_t value)
{
    printf(", \"%s\": %" PRIu64, name, value);
}

static uint64_t places_behind(const person *of)
{
    uint64_t behind = 0;
    for (unsigned i = 0; i < of->place_count; i++)
        behind += of->seen[i] < of->world->places[of->places[i]].top;
    return behind;
}

static void print_clients(const world *self)
{
    chat_client_counters sum = self->gone;
    uint64_t live = 0, waiting = 0, behind = 0, top = 0;
    for (unsigned i = 0; i < self->opts.users; i++) {
        const person *one = &self->users[i];
        person_count(one, &sum);
        live += one->client && chat_client_state_of(one->client) == CHAT_CLIENT_LIVE;
        waiting += one->pending_count;
        behind += places_behind(one);
    }
    for (unsigned i = 0; i < self->place_count; i++)
        top += self->places[i].top;
    number("live", live);
    number("unanswered", waiting);
    number("behind", behind);
    number("top", top);
    number("reconnects", sum.reconnects);
    number("retransmissions", sum.retransmissions);
    number("duplicates", sum.duplicates);
    number("echoes", sum.echoes);
    number("gaps_pulled", sum.gaps_pulled);
    number("holes", sum.holes);
    number("held_dropped", sum.held_dropped);
    number("refused_frames", sum.refused_frames);
    number("logins", sum.logins);
}

void report_print(const world *self)
{
    const world_counters *c = &self->counters;
    printf("{\"ready\": %s", self->is_ready ? "true" : "false");
    number("said", c->said);
    number("acknowledged", c->acknowledged);
    number("failed", c->failed);
    number("abandoned", c->abandoned);
    number("drops", c->drops);
    number("returns", c->returns);
    number("seen", c->seen);
    number("pause_ms", (uint64_t)c->pause_us / 1000);
    print_clients(self);
    puts("}");
    fflush(stdout);
}
