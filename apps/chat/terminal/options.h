/** @file The command line. */
#ifndef CHAT_TERMINAL_OPTIONS_H
#define CHAT_TERMINAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct options {
    const char *server;
    const char *user;
    const char *password; /* NULL: not given */
    const char *room;
    const char *to;    /* NULL: the room */
    uint64_t group;    /* 0: the room */
    unsigned recent;   /* messages */
    const char *state; /* a file, or NULL */
    const char *ca;    /* a file; NULL: the system's authorities */
    bool tls;
    bool registers;
    char **args; /* what follows the options */
    int count;
} options;

/** Exits with a sentence when it makes no sense, and after --help and --version. */
options options_read(int argc, char **argv);
/** Prints why and exits with status 2. */
_Noreturn void options_refuse(const char *why);

#endif
