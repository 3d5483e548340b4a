/** @file Talking: the client, the conversations it is in, and the one that lines go to. */
#ifndef CHAT_TERMINAL_SESSION_H
#define CHAT_TERMINAL_SESSION_H

#include "chat_client.h"
#include "input.h"
#include "options.h"

enum {
    PLACES_MAX = CHAT_CLIENT_CONVERSATIONS_MAX,
    NAMES_MAX = 1000, /* for completion; more are left out */
    LABEL_MAX = 3 * CHAT_CLIENT_TITLE_MAX + 1,
};

/** A conversation under the name that people see. */
typedef struct place {
    uint64_t id;
    chat_conversation_kind kind;
    uint64_t begin_seq; /* what comes by itself is beyond it */
    uint64_t first_seq; /* the first one that came by itself; 0: none yet */
    char label[LABEL_MAX];
} place;

typedef struct session {
    const options *options;
    weir_loop *loop;
    chat_client *client;
    input input;
    weir_signals *signals;
    weir_timer save;    /* of the state file */
    weir_timer give_up; /* a script does not wait for ever */
    weir_timer join_again;
    place *places;
    size_t place_count;
    char **names;
    size_t name_count;
    uint64_t current;                            /* 0: none, or the user's below */
    char current_user[CHAT_CLIENT_NAME_MAX + 1]; /* "": not one user */
    char label[LABEL_MAX];                       /* of the current one */
    bool has_target;
    bool was_live;
    bool told_waiting; /* since it was live */
    bool reading;      /* input was begun */
    bool leaving;      /* ends when all is stored */
    bool saved_once;
    int result; /* exit status */
} session;

/** Talks until the input or the connection ends for good. @return the exit status */
int session_run(const options *options);

/* session_places.c */
place *session_place(session *self, uint64_t id);
/** The one with that label, or NULL. */
place *session_place_named(session *self, const char *label);
void session_place_in(session *self, const chat_conversation *conversation);
void session_place_left(session *self, uint64_t id);
/** For completion; copied. */
void session_name(session *self, weir_str name);
/** Of commands, conversations and people. */
const char *session_candidate(size_t index, void *user);
void session_places_free(session *self);

/* session.c */
/** Lines go there from now on. */
void session_talk_to(session *self, uint64_t conversation, const char *label);
void session_talk_to_user(session *self, const char *user);
/** Lines of the input are taken from now on. Repeatable. */
void session_read(session *self);
void session_say(session *self, weir_str line);
/** Ends when what was said is stored. */
void session_leave(session *self);
/** The latest messages. @param limit  so many; 0: none */
void session_show_history(session *self, uint64_t conversation, unsigned limit);
/** Those in front of what came by itself, as many as --recent says; then reads the input. */
void session_begin_with_history(session *self, uint64_t conversation);

/* commands.c */
extern const char *const command_names[];
/** @param line  begins with "/" */
void command_run(session *self, const char *line);
void command_show_person(const chat_person *person);
/** The same, unless it was the last one that was shown. */
void command_show_change(const chat_person *person);
/** Says why, when it is not OK. @return whether it is */
bool command_was_done(const weir_status *status);
/** Goes into a room, and talks there. */
void command_join(session *self, const char *room);

#endif
