/* One user: its client, the messages that are not answered yet, and how it leaves and comes back.
 */
#include <stdlib.h>

#include "users.h"

enum {
    CLIENT_ID_MAX = 12,
    TEXT_MAX = 64
};

/* A client_id is the number; it is unique per sender. */
static unsigned number_of(weir_str client_id)
{
    char text[CLIENT_ID_MAX + 1] = "";
    if (client_id.len < sizeof text)
        memcpy(text, client_id.ptr, client_id.len);
    return (unsigned)strtoul(text, NULL, 10);
}

static void forget(person *self, unsigned number)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < self->pending_count; i++) {
        if (self->pending[i].number != number)
            self->pending[kept++] = self->pending[i];
    }
    self->pending_count = kept;
}

static place *place_of(person *self, unsigned number)
{
    for (unsigned i = 0; i < self->pending_count; i++) {
        if (self->pending[i].number == number)
            return &self->world->places[self->pending[i].place];
    }
    return NULL;
}

static void made(place *pair, uint64_t id)
{
    pair->id = id;
    pair->joined = pair->count;
    transcript_place(pair->world, pair);
}

static void on_sent(chat_client *client WEIR_UNUSED, const chat_sent *sent, void *user)
{
    person *self = user;
    unsigned number = number_of(sent->client_id);
    place *to = place_of(self, number);
    if (to && to->id == 0)
        made(to, sent->message->conversation);
    if (to && to->top < sent->message->seq)
        to->top = sent->message->seq;
    self->world->counters.acknowledged++;
    transcript_sent(self, sent);
    forget(self, number);
}

static void on_failed(chat_client *client WEIR_UNUSED, const chat_send_failed *failed, void *user)
{
    person *self = user;
    self->world->counters.failed++;
    transcript_failed(self, failed);
    forget(self, number_of(failed->client_id));
}

/** The longest time without a message, of those who get many. */
static void measure_pause(person *self)
{
    weir_time now = weir_loop_now(self->world->loop);
    int64_t pause = self->heard.us > 0 ? weir_time_diff(now, self->heard) : 0;
    if (self->world->is_talking && pause > self->world->counters.pause_us)
        self->world->counters.pause_us = pause;
    self->heard = now;
}

/** Its number in the user's list; place_count: none. */
static unsigned seat_of(const person *self, uint64_t conversation)
{
    unsigned seat = 0;
    while (seat < self->place_count && self->world->places[self->places[seat]].id != conversation)
        seat++;
    return seat;
}

/** The first one of a pair may be seen by the other before it is acknowledged. */
static void learn_pair(world *self, const chat_message *first)
{
    char name[USER_NAME_MAX] = "";
    if (first->sender.len < sizeof name)
        memcpy(name, first->sender.ptr, first->sender.len);
    unsigned long sender = strtoul(name + 1, NULL, 10);
    if (sender >= self->opts.users)
        return;
    place *pair = place_of(&self->users[sender], number_of(first->client_id));
    if (pair && pair->id == 0)
        made(pair, first->conversation);
}

static void on_message(chat_client *client WEIR_UNUSED, const chat_message *message, void *user)
{
    person *self = user;
    transcript_seen(self, message);
    self->world->counters.seen++;
    measure_pause(self);
    if (seat_of(self, message->conversation) == self->place_count)
        learn_pair(self->world, message);
    unsigned seat = seat_of(self, message->conversation);
    if (seat == self->place_count)
        return; /* a stranger's: whoever reads the transcript will say so */
    place *in = &self->world->places[self->places[seat]];
    self->seen[seat] = message->seq;
    if (in->top < message->seq)
        in->top = message->seq;
}

static const chat_client_events events = {
    .sent = on_sent, .failed = on_failed, .message = on_message};

static weir_err leave_with(person *self, const pending *note)
{
    char id[CLIENT_ID_MAX + 1], text[TEXT_MAX];
    const place *to = &self->world->places[note->place];
    snprintf(id, sizeof id, "%u", note->number);
    snprintf(text, sizeof text, "%s says %u", self->name, note->number);
    chat_client_send_opts opts = {.client_id = weir_str_from(id)};
    if (to->id == 0) {
        const char *other = self->world->users[to->members[1]].name;
        return chat_client_send_to_user(self->client, weir_str_from(other), weir_str_from(text),
                                        &opts, NULL);
    }
    return chat_client_send_to_conversation(self->client, to->id, weir_str_from(text), &opts, NULL);
}

bool person_say(person *self, unsigned to)
{
    if (!self->client || self->pending_count == USER_PENDING_MAX)
        return false;
    pending note = {self->next, to};
    if (leave_with(self, &note))
        return false;
    self->pending[self->pending_count++] = note;
    transcript_said(self, &self->world->places[to], self->next++);
    self->world->counters.said++;
    return true;
}

/** As an app that reads what it had kept: how far it has come, and what was not answered. */
static weir_err remember(person *self)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < self->position_count; i++)
        err = chat_client_set_position(self->client, self->positions[i]);
    for (unsigned i = 0; !err && i < self->pending_count; i++)
        err = leave_with(self, &self->pending[i]);
    free(self->positions);
    self->positions = NULL;
    self->position_count = 0;
    return err;
}

bool person_start(person *self)
{
    chat_client_opts opts = {
        .target = self->world->opts.target,
        .name = self->name,
        .password = "a long password",
        .register_missing = true,
        .seed = weir_random_next(&self->world->random),
        .request_us = WEIR_SECONDS(4),
        .answer_us = WEIR_SECONDS(3),
        .silence_us = WEIR_SECONDS(3),
        .heads_us = WEIR_SECONDS(3),
        .backoff_max_us = WEIR_SECONDS(1),
    };
    if (chat_client_new(&self->client, self->world->loop, &opts, &events, self))
        return false;
    weir_err err = remember(self);
    chat_client_start(self->client);
    return err == WEIR_OK;
}

void person_count(const person *self, chat_client_counters *sum)
{
    chat_client_counters now;
    if (!self->client)
        return;
    chat_client_get_counters(self->client, &now);
    sum->reconnects += now.reconnects;
    sum->retransmissions += now.retransmissions;
    sum->duplicates += now.duplicates;
    sum->echoes += now.echoes;
    sum->gaps_pulled += now.gaps_pulled;
    sum->holes += now.holes;
    sum->held_dropped += now.held_dropped;
    sum->refused_frames += now.refused_frames;
    sum->logins += now.logins;
}

static void on_back(weir_timer *timer WEIR_UNUSED, void *user)
{
    person *self = user;
    if (!person_start(self)) {
        fprintf(stderr, "chat-users: %s cannot come back\n", self->name);
        exit(1);
    }
    self->world->counters.returns++;
}

void person_drop(person *self, bool abandon, int64_t away_us)
{
    if (!self->client)
        return;
    size_t count = chat_client_positions(self->client, NULL, 0);
    self->positions = calloc(count > 0 ? count : 1, sizeof *self->positions);
    if (!self->positions)
        return;
    self->position_count = chat_client_positions(self->client, self->positions, count);
    person_count(self, &self->world->gone);
    chat_client_free(self->client);
    self->client = NULL;
    self->world->counters.drops++;
    for (unsigned i = 0; abandon && i < self->pending_count; i++) {
        transcript_abandoned(self, self->pending[i].number);
        self->world->counters.abandoned++;
    }
    if (abandon)
        self->pending_count = 0;
    weir_loop_after(self->world->loop, &self->back, away_us, on_back, self);
}
