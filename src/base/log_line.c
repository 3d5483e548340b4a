/* The text of a line. What does not change from line to line is cached per thread. */
#include "digits.h"
#include "log_impl.h"

#include <stdio.h>
#include <string.h>
#include <weir/base/thread.h>
#include <weir/base/time.h>

enum {
    NAME_MAX_BYTES = 64,
    ID_MAX_BYTES = 16
};

static const char levels[][7] = {"TRACE ", "DEBUG ", "INFO  ", "WARN  ", "ERROR "};

typedef struct line_cache {
    int id; /* of the thread; 0: not asked yet */
    size_t id_len;
    char id_text[ID_MAX_BYTES];
    const char *path; /* the last __FILE__, by address */
    const char *name; /* its last part */
    size_t name_len;
} line_cache;

static _Thread_local line_cache cache;

static char *put_bytes(char *at, const char *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static char *put_number(char *at, unsigned number)
{
    char text[WEIR__DIGITS_MAX], *end = text + sizeof text;
    char *first = weir__digits_before(end, number);
    return put_bytes(at, first, (size_t)(end - first));
}

static char *put_thread(char *at)
{
    int id = weir_thread_id();
    if (WEIR_UNLIKELY(cache.id != id)) {
        cache.id = id;
        cache.id_len = (size_t)(put_number(cache.id_text, (unsigned)id) - cache.id_text);
    }
    memcpy(at, cache.id_text, sizeof cache.id_text); /* a fixed size is two moves, not a call */
    return at + cache.id_len;
}

static char *put_file(char *at, const char *path)
{
    if (cache.path != path) {
        const char *slash = strrchr(path, '/');
        cache.path = path;
        cache.name = slash ? slash + 1 : path;
        cache.name_len = strnlen(cache.name, NAME_MAX_BYTES);
    }
    return put_bytes(at, cache.name, cache.name_len);
}

/** A line break that a peer sent must not pass for the beginning of a line of ours. */
static void blank_line_breaks(char *text, size_t len)
{
    char *end = text + len;
    for (char *at = text; (at = memchr(at, '\n', (size_t)(end - at)));)
        *at = ' ';
    for (char *at = text; (at = memchr(at, '\r', (size_t)(end - at)));)
        *at = ' ';
}

/** As put_message() for any format. A message that is cut ends with "...". */
static size_t put_any_message(char *at, size_t room, const char *fmt, va_list args)
{
    int wanted = vsnprintf(at, room + 1, fmt, args);
    size_t len = wanted > 0 ? (size_t)wanted : 0;
    if (len <= room)
        return len;
    len = room - 3;
    while (len > 0 && ((unsigned char)at[len] & 0xC0) == 0x80)
        len--; /* not within a character */
    return (size_t)(put_bytes(at + len, "...", 3) - at);
}

/** The message in at most `room` bytes; one more may be written to. @return its length */
static size_t put_message(char *at, size_t room, const char *fmt, va_list args)
{
    size_t len = weir__log_format(at, room, fmt, args);
    if (len == SIZE_MAX)
        len = put_any_message(at, room, fmt, args);
    blank_line_breaks(at, len);
    return len;
}

size_t weir__log_line(char *out, weir_log_level level, const char *file, int line, const char *fmt,
                      va_list args)
{
    char *at = out + weir_wall_text(weir_wall_now(), out);
    *at++ = ' ';
    at = put_bytes(at, levels[level < WEIR_LOG_LEVEL_OFF ? level : WEIR_LOG_LEVEL_ERROR],
                   sizeof levels[0] - 1);
    at = put_thread(at);
    *at++ = ' ';
    at = put_file(at, file);
    *at++ = ':';
    at = put_number(at, (unsigned)line);
    *at++ = ' ';
    size_t room = WEIR_LOG_LINE_MAX - 1 - (size_t)(at - out);
    at += put_message(at, room, fmt, args);
    *at++ = '\n';
    return (size_t)(at - out);
}
