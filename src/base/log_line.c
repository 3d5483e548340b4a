/* The text of a line. What does not change from line to line is cached per thread. */
#include "copy.h"
#include "digits.h"
#include "log_impl.h"
#include "time_impl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    PLACE_MAX = 1024,
    LEFT_OUT_MAX = 48 /* bytes of what follows a message that stands for others */
};

static const char levels[][7] = {"TRACE ", "DEBUG ", "INFO  ", "WARN  ", "ERROR "};

static char *put_number(char *at, uint64_t number)
{
    char text[WEIR__DIGITS_MAX], *end = text + sizeof text;
    char *first = weir__digits_before(end, number);
    return weir__copy(at, first, (size_t)(end - first));
}

void weir__log_cache_init(weir__log_cache *cache, int thread)
{
    memset(cache, 0, sizeof *cache);
    cache->thread_len = (size_t)(put_number(cache->thread, (unsigned)thread) - cache->thread);
}

char *weir__log_put_time(char *out, weir__log_cache *cache)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (WEIR_UNLIKELY(cache->time_len == 0 || cache->second != now.tv_sec)) {
        cache->second = now.tv_sec;
        cache->time_len = weir__second_text(cache->time, now.tv_sec);
    }
    memcpy(out, cache->time, sizeof cache->time); /* a fixed size is two moves, not a call */
    out += cache->time_len;
    weir__microseconds_text(out, (unsigned)now.tv_nsec / 1000);
    out[6] = 'Z';
    return out + 7;
}

/** For any format. A message that is cut ends with "...". */
static size_t put_any(char *at, size_t room, const char *fmt, va_list args) WEIR_PRINTF(3, 0);
static size_t put_any(char *at, size_t room, const char *fmt, va_list args)
{
    int wanted = vsnprintf(at, room + 1, fmt, args);
    size_t len = wanted > 0 ? (size_t)wanted : 0;
    if (len <= room)
        return len;
    len = room - 3;
    while (len > 0 && ((unsigned char)at[len] & 0xC0) == 0x80)
        len--; /* not within a character */
    return (size_t)(weir__copy(at + len, "...", 3) - at);
}

static size_t put_left_out(char *at, uint64_t left_out)
{
    char *end = weir__copy(at, " (", 2);
    end = put_number(end, left_out);
    return (size_t)(weir__copy(end, " more left out)", 15) - at);
}

size_t weir__log_put_message(char *out, size_t room, const weir__log_entry *entry, va_list args,
                             bool *controls)
{
    if (WEIR_UNLIKELY(entry->left_out > 0))
        room -= LEFT_OUT_MAX;
    size_t len = weir__log_format(out, room, entry->fmt, args, controls);
    if (len == SIZE_MAX) {
        len = put_any(out, room, entry->fmt, args);
        *controls = true;
    }
    if (WEIR_UNLIKELY(entry->left_out > 0))
        len += put_left_out(out + len, entry->left_out);
    return len;
}

/** A line break that a peer sent must not pass for the beginning of a line of ours. */
static WEIR_COLD void blank_line_breaks(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n' || text[i] == '\r')
            text[i] = ' ';
}

size_t weir__log_line(char *out, weir__log_cache *cache, const weir__log_entry *entry, va_list args)
{
    if (atomic_load_explicit(&weir__log_shared.format, memory_order_relaxed) == WEIR_LOG_JSON)
        return weir__log_json(out, cache, entry, args);
    const weir__log_site *site = entry->site;
    char *at = weir__log_put_time(out, cache);
    *at++ = ' ';
    at = weir__copy(at, levels[site->level], sizeof levels[0] - 1);
    memcpy(at, cache->thread, sizeof cache->thread);
    at += cache->thread_len;
    *at++ = ' ';
    at = weir__copy(at, site->place,
                    WEIR_LIKELY(site->place_len < PLACE_MAX) ? site->place_len : PLACE_MAX);
    size_t room = WEIR_LOG_LINE_MAX - 1 - (size_t)(at - out);
    bool controls;
    size_t len = weir__log_put_message(at, room, entry, args, &controls);
    if (WEIR_UNLIKELY(controls))
        blank_line_breaks(at, len);
    at[len] = '\n';
    return (size_t)(at + len + 1 - out);
}
