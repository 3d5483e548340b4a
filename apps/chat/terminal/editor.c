#include "editor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Behind the headers that it needs and does not include. */
#include <editline/readline.h>

#include "wrap.h"

enum {
    HISTORY_MAX = 500, /* lines of input that are remembered */
    PROMPT_MAX = 160,
};

static struct {
    weir_watcher input;
    const editor_events *events;
    void *user;
    char prompt[PROMPT_MAX];
    bool open;
    bool hidden;
    size_t next_candidate;
} editor;

unsigned editor_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* Lines. */

/** The cursor is in the row below the line. */
static void take_away(const char *line)
{
    unsigned width = text_width(weir_str_from(editor.prompt)) + text_width(weir_str_from(line));
    printf("\x1b[%uA\x1b[J", width / editor_columns() + 1);
    fflush(stdout);
}

static void on_line(char *line)
{
    if (line && *line)
        add_history(line);
    if (line && *line && editor.events->takes(line, editor.user))
        take_away(line);
    if (!line)
        editor_close();
    else /* begins the next one; libedit wants to be told again after each */
        rl_callback_handler_install(editor.prompt, on_line);
    editor.events->line(line, editor.user);
    free(line);
}

static void on_input(weir_watcher *watcher, unsigned ready, void *user)
{
    (void)watcher;
    (void)ready;
    (void)user;
    rl_callback_read_char();
}

/* Completion. */

static char *candidate(const char *word, int again)
{
    size_t len = strlen(word);
    if (!again)
        editor.next_candidate = 0;
    for (const char *found;
         (found = editor.events->candidate(editor.next_candidate, editor.user));) {
        editor.next_candidate++;
        if (strncmp(found, word, len) == 0)
            return strdup(found);
    }
    return NULL;
}

static char **complete(const char *word, int start, int end)
{
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1; /* no file names */
    return rl_completion_matches(word, candidate);
}

/* Opening. */

weir_err editor_open(weir_loop *loop, const char *prompt, const editor_events *events, void *user)
{
    editor.events = events;
    editor.user = user;
    snprintf(editor.prompt, sizeof editor.prompt, "%s", prompt);
    weir_watcher_init(&editor.input, loop, STDIN_FILENO, on_input, NULL);
    weir_err err = weir_watcher_want(&editor.input, WEIR_READABLE);
    if (err)
        return err;
    rl_readline_name = "weir-chat";
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t";
    using_history();
    stifle_history(HISTORY_MAX);
    rl_callback_handler_install(editor.prompt, on_line);
    editor.open = true;
    return WEIR_OK;
}

void editor_close(void)
{
    if (!editor.open)
        return;
    editor.open = false;
    weir_watcher_stop(&editor.input);
    rl_callback_handler_remove();
    putchar('\n'); /* behind the prompt */
    fflush(stdout);
}

/* The line between others. */

/** Rows of the edited line above the one that the cursor is in. */
static unsigned rows_above(void)
{
    weir_str before = weir_str_of(rl_line_buffer, rl_point > 0 ? (size_t)rl_point : 0);
    return (text_width(weir_str_from(editor.prompt)) + text_width(before)) / editor_columns();
}

void editor_hide(void)
{
    if (!editor.open || editor.hidden)
        return;
    editor.hidden = true;
    unsigned rows = rows_above();
    putchar('\r');
    if (rows > 0)
        printf("\x1b[%uA", rows);
    fputs("\x1b[J", stdout);
}

void editor_show(void)
{
    if (!editor.open || !editor.hidden)
        return;
    editor.hidden = false;
    fflush(stdout);
    rl_forced_update_display();
}

void editor_set_prompt(const char *prompt)
{
    snprintf(editor.prompt, sizeof editor.prompt, "%s", prompt);
    if (!editor.open)
        return;
    editor_hide();
    rl_set_prompt(editor.prompt);
    editor_show();
}
