#include "wrap.h"

#include <wchar.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/** One character; what is not UTF-8 counts as one byte. @return its length, 0 at the end */
static size_t next(weir_str text, uint32_t *out)
{
    if (text.len == 0)
        return 0;
    const unsigned char *at = (const unsigned char *)text.ptr;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc0 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (len == 0 || len > text.len || !weir_str_is_utf8(weir_str_of(text.ptr, len))) {
        *out = 0xfffd;
        return 1;
    }
    uint32_t code = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++)
        code = code << 6 | (at[i] & 0x3fu);
    *out = code;
    return len;
}

static bool is_blank(uint32_t code)
{
    return code == '\n' || code == '\t' || code == '\r' || code == ' ';
}

static bool is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff || code == 0xfffd;
}

size_t text_clean(char *out, size_t room, weir_str from)
{
    size_t len = 0;
    uint32_t code;
    for (size_t step; (step = next(from, &code)) > 0;) {
        weir_str piece = weir_str_of(from.ptr, step);
        if (is_blank(code))
            piece = WEIR_STR(" ");
        else if (is_harmful(code))
            piece = weir_str_from(replacement);
        if (len + piece.len + 1 > room)
            break;
        memcpy(out + len, piece.ptr, piece.len);
        len += piece.len;
        from.ptr += step;
        from.len -= step;
    }
    if (room > 0)
        out[len] = 0;
    return len;
}

static unsigned width_of(uint32_t code)
{
    int width = wcwidth((wchar_t)code);
    return width < 0 ? 1 : (unsigned)width;
}

unsigned text_width(weir_str text)
{
    unsigned width = 0;
    uint32_t code;
    for (size_t step; (step = next(text, &code)) > 0; text.ptr += step, text.len -= step)
        width += width_of(code);
    return width;
}

/** @param from  where the next row begins */
static weir_str cut(weir_str *rest, size_t len, size_t from)
{
    weir_str row = weir_str_of(rest->ptr, len);
    while (from < rest->len && rest->ptr[from] == ' ')
        from++;
    rest->ptr += from;
    rest->len -= from;
    return row;
}

weir_str text_row(weir_str *rest, unsigned columns)
{
    size_t at = 0, good = 0; /* where a row may end */
    unsigned width = 0;
    bool after_wide = false;
    uint32_t code;
    for (size_t step; (step = next(weir_str_of(rest->ptr + at, rest->len - at), &code)) > 0;) {
        unsigned w = width_of(code);
        if (code == ' ' || (at > 0 && w > 0 && (w == 2 || after_wide)))
            good = at;
        if (width + w > columns && at > 0)
            return good > 0 ? cut(rest, good, good) : cut(rest, at, at);
        width += w;
        at += step;
        if (w > 0)
            after_wide = w == 2;
    }
    return cut(rest, rest->len, rest->len);
}
