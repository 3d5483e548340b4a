/** @file Lines from a descriptor, until another one asks to stop. */
#ifndef CHAT_CLIENT_LINES_H
#define CHAT_CLIENT_LINES_H

#include <weir/base/base.h>

/** Longest line; what is longer comes in pieces. */
enum {
    LINES_MAX = 4096
};

typedef struct lines {
    int fd;
    int stop_fd; /* readable: stop */
    size_t len;
    size_t taken; /* of `bytes`, by the last lines_next() */
    bool ended;
    char bytes[LINES_MAX];
} lines;

/**
 * The next line without its end; a last one without "\n" counts.
 * @param out  good until the next call
 * @return false: the input has ended, or stop_fd became readable
 */
bool lines_next(lines *self, weir_str *out);

#endif
