/**
 * @file
 * Many chat users in one loop: who talks with whom, each user's client, and what all of them say
 * and see, line by line in a file (see transcript.c). A user may lose its client at any time and
 * come back with a new one that knows how far the old one had come, as an app does that was killed.
 */
#ifndef USERS_H
#define USERS_H

#include <stdio.h>

#include "chat_client.h"

enum {
    USER_NAME_MAX = 16,
    PLACE_MEMBERS_MAX = 50,
    USER_PLACES_MAX = 64,
    USER_PENDING_MAX = 16, /* messages of a user that are not answered */
};

typedef struct world world;

/** A conversation. */
typedef struct place {
    world *world;
    chat_conversation_kind kind;
    uint64_t id;                         /* 0: not made yet */
    uint64_t top;                        /* the greatest seq that anybody knows of */
    unsigned members[PLACE_MEMBERS_MAX]; /* users' numbers; the first one makes it */
    unsigned count;
    unsigned joined;
} place;

typedef struct pending {
    unsigned number;
    unsigned place;
} pending;

typedef struct person {
    world *world;
    chat_client *client; /* NULL: away */
    char name[USER_NAME_MAX];
    unsigned places[USER_PLACES_MAX]; /* indexes of world.places */
    uint64_t seen[USER_PLACES_MAX];   /* the last seq shown, of each */
    unsigned place_count;
    unsigned next; /* number of its next message */
    pending pending[USER_PENDING_MAX];
    unsigned pending_count;
    chat_client_position *positions; /* of the client that is gone */
    size_t position_count;
    weir_timer back;
    weir_time heard; /* when the last message came */
} person;

typedef struct world_opts {
    const char *target;
    unsigned users;
    unsigned messages;
    unsigned rate;   /* messages a second, of all */
    int64_t drop_us; /* between two users who lose their client; 0: none does */
    uint64_t seed;
} world_opts;

typedef struct world_counters {
    uint64_t said, acknowledged, failed, abandoned, drops, returns, seen;
    int64_t pause_us; /* the longest between two messages that a user saw */
} world_counters;

struct world {
    world_opts opts;
    weir_loop *loop;
    uint64_t random;
    person *users;
    place *places;
    unsigned place_count;
    unsigned of_kind[4];       /* the first place of a kind; a kind's follow one another */
    chat_client_counters gone; /* of the clients that were freed */
    world_counters counters;
    weir_timer starter, speaker, dropper;
    unsigned started;
    bool is_making; /* the places are being made */
    bool is_ready;  /* they are made */
    bool is_talking;
    double credit; /* messages that may be said now */
    weir_time last;
    FILE *transcript;
};

/* plan.c */
bool plan_make(world *self);

/* person.c */
bool person_start(person *self);
bool person_say(person *self, unsigned place);
/** Adds what its client has counted. */
void person_count(const person *self, chat_client_counters *sum);
/** Its client is freed, and a new one made after a while. @param abandon  without what was not
 * answered */
void person_drop(person *self, bool abandon, int64_t away_us);

/* setup.c */
void setup_start(world *self);

/* talk.c */
void talk_start(world *self);
void talk_end(world *self);  /* before all of it is said */
void talk_calm(world *self); /* nobody loses its client any more */

/* transcript.c */
void transcript_place(world *self, const place *of);
void transcript_said(const person *from, const place *to, unsigned number);
void transcript_sent(const person *from, const chat_sent *sent);
void transcript_failed(const person *from, const chat_send_failed *failed);
void transcript_abandoned(const person *from, unsigned number);
void transcript_seen(const person *by, const chat_message *message);

/* report.c */
void report_print(const world *self);

#endif
