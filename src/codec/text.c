#include "text.h"

#include <stdio.h>

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e && c != '%';
}

weir_str weir__percent_encode(weir_arena *arena, weir_str text)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t escapes = 0;
    for (size_t i = 0; i < text.len; i++)
        escapes += !is_plain((unsigned char)text.ptr[i]);
    if (escapes == 0)
        return weir_arena_copy(arena, text);

    size_t len = text.len + 2 * escapes;
    char *out = weir_arena_alloc(arena, len + 1);
    if (!out)
        return weir_str_of(NULL, 0);
    char *at = out;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (is_plain(c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    *at = '\0';
    return weir_str_of(out, len);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

weir_str weir__percent_decode(weir_arena *arena, weir_str text)
{
    char *out = weir_arena_alloc(arena, text.len + 1);
    if (!out)
        return weir_str_of(NULL, 0);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (text.ptr[i] == '%' && i + 2 < text.len) {
            high = hex_value(text.ptr[i + 1]);
            low = hex_value(text.ptr[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else {
            out[len++] = text.ptr[i];
        }
    }
    out[len] = '\0';
    return weir_str_of(out, len);
}

weir_str weir__base64_encode(weir_arena *arena, weir_str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *out = weir_arena_alloc(arena, bytes.len / 3 * 4 + 5);
    if (!out)
        return weir_str_of(NULL, 0);
    size_t len = 0, i = 0;
    for (; i + 3 <= bytes.len; i += 3) {
        unsigned group = (unsigned)in[i] << 16 | (unsigned)in[i + 1] << 8 | in[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            out[len++] = digits[group >> shift & 63];
    }
    size_t rest = bytes.len - i;
    if (rest > 0) {
        unsigned group = (unsigned)in[i] << 16 | (rest == 2 ? (unsigned)in[i + 1] << 8 : 0);
        out[len++] = digits[group >> 18 & 63];
        out[len++] = digits[group >> 12 & 63];
        if (rest == 2)
            out[len++] = digits[group >> 6 & 63];
    }
    out[len] = '\0';
    return weir_str_of(out, len);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return -1;
}

static weir_str without_padding(weir_str text)
{
    if (text.len % 4 == 0) {
        for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
            text.len--;
    }
    return text;
}

weir_err weir__base64_decode(weir_arena *arena, weir_str text, weir_str *out)
{
    text = without_padding(text);
    if (text.len % 4 == 1)
        return WEIR_EMALFORMED;
    char *bytes = weir_arena_alloc(arena, text.len / 4 * 3 + 3);
    if (!bytes)
        return WEIR_ENOMEM;

    size_t len = 0;
    unsigned group = 0;
    int bits = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.ptr[i]);
        if (value < 0)
            return WEIR_EMALFORMED;
        group = group << 6 | (unsigned)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[len++] = (char)(group >> bits & 255);
        }
    }
    bytes[len] = '\0';
    *out = weir_str_of(bytes, len);
    return WEIR_OK;
}

static const struct {
    char name;
    int64_t us; /* in one */
} units[] = {
    {'u', 1}, {'m', 1000}, {'S', 1000000}, {'M', INT64_C(60000000)}, {'H', INT64_C(3600000000)},
};

enum {
    UNITS = sizeof units / sizeof *units,
    DIGITS_LIMIT = 100000000
};

weir_str weir__timeout_format(char out[WEIR__TIMEOUT_TEXT_MAX], int64_t timeout_us)
{
    int at = 0;
    int64_t count = timeout_us < 0 ? 0 : timeout_us;
    while (count >= DIGITS_LIMIT && at + 1 < UNITS) {
        at++;
        count = timeout_us / units[at].us + (timeout_us % units[at].us != 0);
    }
    if (count >= DIGITS_LIMIT)
        count = DIGITS_LIMIT - 1;
    int len = snprintf(out, WEIR__TIMEOUT_TEXT_MAX, "%d%c", (int)count, units[at].name);
    return weir_str_of(out, (size_t)len);
}

weir_err weir__timeout_parse(weir_str text, int64_t *out_us)
{
    if (text.len < 2 || text.len > 9)
        return WEIR_EMALFORMED;
    int64_t count = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return WEIR_EMALFORMED;
        count = count * 10 + (text.ptr[i] - '0');
    }
    char unit = text.ptr[text.len - 1];
    if (unit == 'n') {
        *out_us = (count + 999) / 1000;
        return WEIR_OK;
    }
    for (int i = 0; i < UNITS; i++) {
        if (units[i].name == unit) {
            *out_us = count * units[i].us;
            return WEIR_OK;
        }
    }
    return WEIR_EMALFORMED;
}
