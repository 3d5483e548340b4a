/** @file Lines of standard input that is no terminal: a pipe or a file, in a loop. */
#ifndef CHAT_TERMINAL_INPUT_H
#define CHAT_TERMINAL_INPUT_H

#include <weir/weir.h>

enum {
    INPUT_LINE_MAX = 4096 /* bytes; a longer line comes in pieces, cut between characters */
};

/** Zeroed, in the caller's memory, until input_stop(). */
typedef struct input {
    weir_loop *loop;
    /** A line without its end; may pause. */
    void (*line)(weir_str line, void *user);
    void (*ended)(void *user);
    void *user;
    weir_watcher watcher;
    weir_timer again; /* a file cannot be waited for: read a piece per turn */
    size_t len;
    bool is_file, paused, stopped;
    char bytes[INPUT_LINE_MAX];
} input;

/** The fields above `watcher` are set. */
void input_start(input *self);
/** No lines until input_resume(). Both are repeatable. */
void input_pause(input *self);
void input_resume(input *self);
void input_stop(input *self);

#endif
