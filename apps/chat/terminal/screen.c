#include "screen.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "editor.h"
#include "texts.h"
#include "wrap.h"

enum {
    LINE_MAX_BYTES = 16384, /* of a message, cleaned: three for each byte of its text */
};

static bool is_terminal;

void screen_open(void)
{
    setlocale(LC_ALL, "");
    /* Widths and characters are those of UTF-8, which is all that comes. */
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
    is_terminal = isatty(STDOUT_FILENO);
    setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
}

bool screen_is_terminal(void)
{
    return is_terminal;
}

static void put_row(weir_str row, unsigned indent)
{
    printf("%*s%.*s\n", (int)indent, "", WEIR_STR_ARGS(row));
}

static void put_wrapped(weir_str line, unsigned hang)
{
    unsigned columns = editor_columns();
    if (hang > columns / 2)
        hang = 0;
    /* The last column stays empty: some terminals move on when it is filled, some do not. */
    put_row(text_row(&line, columns > 1 ? columns - 1 : 1), 0);
    while (line.len > 0)
        put_row(text_row(&line, columns - hang > 1 ? columns - hang - 1 : 1), hang);
}

void screen_put(weir_str line, unsigned hang)
{
    editor_hide();
    for (const char *end; (end = memchr(line.ptr, '\n', line.len));) {
        size_t len = (size_t)(end - line.ptr);
        if (is_terminal)
            put_wrapped(weir_str_of(line.ptr, len), hang);
        else
            put_row(weir_str_of(line.ptr, len), 0);
        line = weir_str_of(end + 1, line.len - len - 1);
    }
    if (is_terminal)
        put_wrapped(line, hang);
    else
        put_row(line, 0);
    fflush(stdout);
    editor_show();
}

void screen_print(const char *fmt, ...)
{
    char line[8192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    screen_put(weir_str_from(line), 2);
}

/* Messages. */

static void time_text(int64_t time_us, char out[16])
{
    time_t seconds = (time_t)(time_us / 1000000);
    struct tm local;
    if (!localtime_r(&seconds, &local) || strftime(out, 16, "%H:%M:%S", &local) == 0)
        strcpy(out, "--:--:--");
}

/** Puts the head in front of a clean body, which hangs below its beginning. */
static void put_with_head(const char *head, weir_str body)
{
    char *line = malloc(LINE_MAX_BYTES);
    if (!line)
        return;
    size_t len = (size_t)snprintf(line, LINE_MAX_BYTES, "%s", head);
    len += text_clean(line + len, LINE_MAX_BYTES - len, body);
    screen_put(weir_str_of(line, len), text_width(weir_str_from(head)));
    free(line);
}

void screen_message(const chat_message *message, const char *where)
{
    char head[600], sender[256], when[16];
    time_text(message->time_us, when);
    text_clean(sender, sizeof sender, message->sender);
    if (*where)
        snprintf(head, sizeof head, "%s [%s] <%s> ", when, where, sender);
    else
        snprintf(head, sizeof head, "%s <%s> ", when, sender);
    put_with_head(head, message->text);
}

static const char *type_text(chat_notification_type type)
{
    switch (type) {
    case CHAT_NOTIFICATION_TYPE_WELCOME:
        return text(TEXT_TYPE_WELCOME);
    case CHAT_NOTIFICATION_TYPE_SYSTEM:
        return text(TEXT_TYPE_SYSTEM);
    case CHAT_NOTIFICATION_TYPE_WARNING:
        return text(TEXT_TYPE_WARNING);
    case CHAT_NOTIFICATION_TYPE_ALERT:
        return text(TEXT_TYPE_ALERT);
    default:
        return text(TEXT_TYPE_INFO);
    }
}

void screen_notification(const chat_notification *n)
{
    char head[1400], topic[256], title[1024], sender[256], when[16];
    weir_arena *mem = weir_arena_new();
    if (!mem)
        return;
    time_text(n->time_us, when);
    text_clean(topic, sizeof topic, n->topic);
    text_clean(title, sizeof title, n->title);
    text_clean(sender, sizeof sender, n->sender);
    snprintf(head, sizeof head, "%s [%s%s%s] ", when, topic, *topic ? " " : "", type_text(n->type));
    weir_str body =
        weir_arena_printf(mem, "%s%s%.*s%s%s%s", title, n->body.len > 0 ? ": " : "",
                          WEIR_STR_ARGS(n->body), *sender ? " (" : "", sender, *sender ? ")" : "");
    put_with_head(head, body);
    weir_arena_free(mem);
}
