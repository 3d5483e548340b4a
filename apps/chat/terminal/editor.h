/**
 * @file
 * Editing the line at a terminal: libedit, behind the callbacks of a loop. One per process, because
 * libedit's readline has one.
 */
#ifndef CHAT_TERMINAL_EDITOR_H
#define CHAT_TERMINAL_EDITOR_H

#include <weir/weir.h>

typedef struct editor_events {
    /** A line, without its end; NULL: the input has ended (Ctrl-D, or the terminal is gone). */
    void (*line)(const char *line, void *user);
    /** Whether what was typed is to be taken away, as it will be printed by another way. */
    bool (*takes)(const char *line, void *user);
    /** What Tab may complete to: the index-th, NULL behind the last. */
    const char *(*candidate)(size_t index, void *user);
} editor_events;

/**
 * Reads the terminal from now on. `events` is borrowed.
 * @errors WEIR_EINVAL: standard input cannot be waited for
 */
WEIR_MUST_CHECK weir_err editor_open(weir_loop *loop, const char *prompt,
                                     const editor_events *events, void *user);
/** Copied. @param prompt  shown in front of the line */
void editor_set_prompt(const char *prompt);
/** Takes the line that is edited away, so that others can be printed, and draws it again. */
void editor_hide(void);
void editor_show(void);
/** The terminal is as it was. Repeatable. */
void editor_close(void);

/** Columns of the terminal at standard output; 80 when it does not say. */
unsigned editor_columns(void);

#endif
