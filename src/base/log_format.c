/* printf for what log lines are made of: integers and strings without flags or widths. It takes a
 * tenth of vsnprintf's time, which would be most of a log call. */
#include "copy.h"
#include "digits.h"
#include "log_impl.h"

#include <stdint.h>
#include <string.h>

typedef struct output {
    char *at;
    char *end;
    bool controls; /* there are control characters in it */
} output;

/** A va_list that functions can share. */
typedef struct arguments {
    va_list list;
} arguments;

/** Eight bytes at a time. */
static bool has_control(const char *bytes, size_t len)
{
    const uint64_t ones = UINT64_MAX / 0xFF;
    uint64_t word, found = 0;
    for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        found |= (word - ones * ' ') & ~word & ones * 0x80;
    }
    for (; len > 0; len--)
        found |= (unsigned char)*bytes++ < ' ';
    return found != 0;
}

/** Looks for control characters here: to load the copy, just stored, would take its time. */
static bool put(output *out, const char *bytes, size_t len)
{
    if (len > (size_t)(out->end - out->at))
        return false;
    out->controls |= has_control(bytes, len);
    out->at = weir__copy(out->at, bytes, len);
    return true;
}

/** The digits go straight to their place: copies of what was just stored would have to wait. */
static bool put_integer(output *out, bool negative, uint64_t magnitude)
{
    size_t len = weir__digits_count(magnitude) + negative;
    if (len > (size_t)(out->end - out->at))
        return false;
    if (negative)
        *out->at = '-';
    out->at += len;
    weir__digits_before(out->at, magnitude);
    return true;
}

static bool put_signed(output *out, int64_t number)
{
    return put_integer(out, number < 0, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

/** "%s" and "%.*s"; a string that is bounded needs no NUL. */
static bool put_string(output *out, int limit, const char *text)
{
    if (!text)
        return false;
    return put(out, text, limit < 0 ? strlen(text) : strnlen(text, (size_t)limit));
}

/** An integer of `fmt`: "d", "lu", "zu" and so on. @return behind it; NULL: not plain */
static const char *put_number(output *out, const char *fmt, arguments *args)
{
    bool wide = *fmt == 'l' || *fmt == 'z'; /* 64 bits on every Linux that weir is for */
    if (wide)
        fmt += fmt[0] == 'l' && fmt[1] == 'l' ? 2 : 1;
    bool ok = false;
    if (*fmt == 'd' || *fmt == 'i')
        ok = put_signed(out, wide ? va_arg(args->list, int64_t) : va_arg(args->list, int));
    else if (*fmt == 'u')
        ok = put_integer(out, false,
                         wide ? va_arg(args->list, uint64_t) : va_arg(args->list, unsigned));
    return ok ? fmt + 1 : NULL;
}

/** The conversion behind a '%'. @return behind it; NULL: not plain, or no room */
static const char *put_conversion(output *out, const char *fmt, arguments *args)
{
    bool ok;
    if (*fmt == '%') {
        ok = put(out, "%", 1);
    } else if (*fmt == 's') {
        ok = put_string(out, -1, va_arg(args->list, const char *));
    } else if (*fmt == 'c') {
        char c = (char)va_arg(args->list, int);
        ok = put(out, &c, 1);
    } else if (strncmp(fmt, ".*s", 3) == 0) {
        int limit = va_arg(args->list, int);
        ok = put_string(out, limit, va_arg(args->list, const char *));
        fmt += 2;
    } else {
        return put_number(out, fmt, args);
    }
    return ok ? fmt + 1 : NULL;
}

size_t weir__log_format(char *to, size_t room, const char *fmt, va_list args, bool *controls)
{
    output out = {to, to + room, false};
    arguments rest;
    va_copy(rest.list, args);
    while (fmt) {
        const char *percent = strchrnul(fmt, '%');
        if (!put(&out, fmt, (size_t)(percent - fmt)))
            fmt = NULL;
        else if (*percent == '\0')
            break;
        else
            fmt = put_conversion(&out, percent + 1, &rest);
    }
    va_end(rest.list);
    *controls = out.controls;
    return fmt ? (size_t)(out.at - to) : SIZE_MAX;
}
