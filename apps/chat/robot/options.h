/** @file What the command line says. */
#ifndef CHAT_ROBOT_OPTIONS_H
#define CHAT_ROBOT_OPTIONS_H

#include <stdbool.h>

enum {
    OPTIONS_RATES = 32
};

typedef struct options {
    const char *server;
    const char *prefix;   /**< of users' and rooms' names */
    const char *password; /**< of all of them */
    unsigned users;
    unsigned rooms;
    unsigned room_size;
    unsigned direct;               /**< peers of each user, instead of rooms; 0: rooms */
    unsigned fan_out;              /**< members of the one room; 0: no such run */
    unsigned rates[OPTIONS_RATES]; /**< messages a second in all, one run after the other; 0: the
                                        next when one is answered */
    unsigned rate_count;
    unsigned seconds;
    unsigned settle; /**< seconds without messages before the run */
    unsigned text_bytes;
    unsigned logins; /**< at a time */
    unsigned loops;
    bool json;
} options;

/** Exits with 0 after --help and --version, with 2 when something is wrong. */
void options_read(options *self, int argc, char **argv);

#endif
