/* Values of a configuration, from text. */
#include "config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/naming/json_text.h>

enum {
    NUMBER_MAX = 60 /* bytes of a number; longer ones mean nothing better */
};

static const char spaces[] = " \t\r\n";

const char *weir__zk_fallback(const weir_zk_config_item *item)
{
    static const char *const empty[] = {
        [WEIR_ZK_STRING] = "",    [WEIR_ZK_INT64] = "0",     [WEIR_ZK_DOUBLE] = "0",
        [WEIR_ZK_BOOL] = "false", [WEIR_ZK_DURATION] = "0s", [WEIR_ZK_JSON] = "null"};
    return item->fallback ? item->fallback : empty[item->type];
}

static bool is_space(char c)
{
    return c != '\0' && strchr(spaces, c) != NULL;
}

weir_str weir__zk_trim(weir_str text)
{
    while (text.len > 0 && is_space(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/** A C string of it, for the functions that want one. */
static bool copy_number(weir_str text, char out[NUMBER_MAX + 1])
{
    if (text.len == 0 || text.len > NUMBER_MAX || memchr(text.ptr, '\0', text.len))
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

static bool read_whole(weir_str text, int64_t *out)
{
    char copy[NUMBER_MAX + 1], *end;
    if (!copy_number(text, copy) || copy[strspn(copy, "-0123456789")] != '\0')
        return false;
    errno = 0;
    long long value = strtoll(copy, &end, 10);
    *out = value;
    return errno == 0 && *end == '\0';
}

/** Digits, a point and an exponent, whatever the locale says of points. */
static bool read_double(weir_str text, double *out)
{
    char copy[NUMBER_MAX + 1], *end;
    if (!copy_number(text, copy) || copy[strspn(copy, "+-.0123456789eE")] != '\0')
        return false;
    *out = strtod(copy, &end);
    char *point = *end == '.' ? end : NULL;
    if (point) { /* a locale with a comma */
        *point = ',';
        *out = strtod(copy, &end);
    }
    return end != copy && *end == '\0' && isfinite(*out);
}

static bool read_duration(weir_str text, int64_t *out_us)
{
    static const struct {
        const char *name;
        double us;
    } units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}};
    size_t digits = text.len;
    double number;
    while (digits > 0 && text.ptr[digits - 1] >= 'a')
        digits--;
    weir_str unit = weir_str_of(text.ptr + digits, text.len - digits);
    if (!read_double(weir_str_of(text.ptr, digits), &number) || number < 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (!weir_str_eq(unit, weir_str_from(units[i].name)))
            continue;
        if (number * units[i].us > 9e15) /* 285 years */
            return false;
        *out_us = (int64_t)(number * units[i].us + 0.5);
        return true;
    }
    return false;
}

static weir_err check_range(const weir_zk_config_item *item, int64_t value, weir_why *why)
{
    bool any = item->min == 0 && item->max == 0;
    if (any || (value >= item->min && value <= item->max))
        return WEIR_OK;
    return weir_why_set(why, WEIR_EMALFORMED, "must be from %" PRId64 " to %" PRId64 "%s",
                        item->min, item->max,
                        item->type == WEIR_ZK_DURATION ? " microseconds" : "");
}

static weir_err read_text(const weir_zk_config_item *item, weir_str text, weir_why *why)
{
    if (!weir_str_is_utf8(text) || (text.len > 0 && memchr(text.ptr, '\0', text.len)))
        return weir_why_set(why, WEIR_EMALFORMED, "must be UTF-8 without a NUL");
    return item->type == WEIR_ZK_JSON ? weir_json_check(text, why) : WEIR_OK;
}

static weir_err wrong(weir_why *why, const char *what)
{
    return weir_why_set(why, WEIR_EMALFORMED, "must be %s", what);
}

weir_err weir__zk_value_read(const weir_zk_config_item *item, weir_str text, weir__zk_bits *out,
                             weir_why *why)
{
    int64_t whole = 0;
    double number;
    switch (item->type) {
    case WEIR_ZK_INT64:
        if (!read_whole(text, &whole))
            return wrong(why, "a whole number of 64 bits");
        break;
    case WEIR_ZK_DURATION:
        if (!read_duration(text, &whole))
            return wrong(why, "a duration such as 250ms or 1.5s");
        break;
    case WEIR_ZK_DOUBLE:
        if (!read_double(text, &number))
            return wrong(why, "a finite number such as 0.25");
        memcpy(out, &number, sizeof *out);
        return WEIR_OK;
    case WEIR_ZK_BOOL:
        if (!weir_str_eq(text, WEIR_STR("true")) && !weir_str_eq(text, WEIR_STR("false")))
            return wrong(why, "true or false");
        *out = text.ptr[0] == 't';
        return WEIR_OK;
    default:
        return read_text(item, text, why);
    }
    weir_err err = check_range(item, whole, why);
    if (!err)
        *out = (weir__zk_bits)whole;
    return err;
}

double weir__zk_bits_double(weir__zk_bits bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}
