#include "json.h"

#include <weir/naming/json_text.h>

#include <stdio.h>
#include <stdlib.h>

/* google.protobuf.Duration */
#define MAX_SECONDS 315576000000

static weir_err parse(json_t **out, weir_str text, size_t flags, weir_why *why)
{
    json_error_t error;
    json_t *found =
        json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | flags, &error);
    if (!found && json_error_code(&error) == json_error_out_of_memory)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    if (!found)
        return weir_why_set(why, WEIR_EMALFORMED, "not JSON: line %d, column %d: %s", error.line,
                            error.column, error.text);
    *out = found;
    return WEIR_OK;
}

weir_err weir_json_check(weir_str text, weir_why *why)
{
    json_t *found = NULL;
    weir_err err = parse(&found, text, JSON_DECODE_ANY, why);
    json_decref(found);
    return err;
}

weir_err weir__json_object(json_t **out, weir_str text, weir_why *why)
{
    json_t *found;
    weir_err err = parse(&found, text, 0, why);
    if (err)
        return err;
    if (!json_is_object(found)) {
        json_decref(found);
        return weir_why_set(why, WEIR_EMALFORMED, "not a JSON object: begin it with \"{\"");
    }
    *out = found;
    return WEIR_OK;
}

static weir_err wrong(weir_why *why, const char *name, const char *what)
{
    return weir_why_set(why, WEIR_EMALFORMED, "\"%s\" must be %s", name, what);
}

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *found = json_object_get(object, name);
    return json_is_null(found) ? NULL : found;
}

/** "1.5s"; nine digits at most behind the point. */
static bool read_duration(const char *text, int64_t *out_us)
{
    int64_t seconds = 0, nanos = 0, unit = 100000000;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        seconds = seconds * 10 + (*p - '0');
        if (seconds > MAX_SECONDS)
            return false;
    }
    if (p == text)
        return false;
    if (*p == '.') {
        const char *point = p++;
        for (; *p >= '0' && *p <= '9' && unit > 0; p++, unit /= 10)
            nanos += (*p - '0') * unit;
        if (p == point + 1)
            return false;
    }
    *out_us = seconds * 1000000 + (nanos + 999) / 1000;
    return strcmp(p, "s") == 0;
}

weir_err weir__json_duration(const json_t *object, const char *name, int64_t *out_us, weir_why *why)
{
    const json_t *found = member(object, name);
    int64_t us;
    if (!found)
        return WEIR_OK;
    if (!json_is_string(found) || !read_duration(json_string_value(found), &us))
        return wrong(why, name, "a duration such as \"1.5s\"");
    *out_us = us;
    return WEIR_OK;
}

static bool read_number(const json_t *value, double *out)
{
    if (json_is_number(value)) {
        *out = json_number_value(value);
    } else if (json_is_string(value)) {
        char *end;
        const char *text = json_string_value(value);
        *out = strtod(text, &end);
        if (end == text || *end)
            return false;
    } else {
        return false;
    }
    return *out - *out == 0; /* neither infinite nor not a number */
}

weir_err weir__json_whole(const json_t *object, const char *name, int64_t min, int64_t max,
                          int64_t *out, weir_why *why)
{
    const json_t *found = member(object, name);
    double value;
    char what[80];
    if (!found)
        return WEIR_OK;
    if (!read_number(found, &value) || value < (double)min || value > (double)max ||
        value != (double)(int64_t)value) {
        snprintf(what, sizeof what, "a whole number from %lld to %lld", (long long)min,
                 (long long)max);
        return wrong(why, name, what);
    }
    *out = (int64_t)value;
    return WEIR_OK;
}

weir_err weir__json_number(const json_t *object, const char *name, double *out, weir_why *why)
{
    const json_t *found = member(object, name);
    if (!found)
        return WEIR_OK;
    return read_number(found, out) ? WEIR_OK : wrong(why, name, "a number");
}

weir_err weir__json_bool(const json_t *object, const char *name, bool *out, weir_why *why)
{
    const json_t *found = member(object, name);
    if (!found)
        return WEIR_OK;
    if (!json_is_boolean(found))
        return wrong(why, name, "true or false");
    *out = json_is_true(found);
    return WEIR_OK;
}

weir_err weir__json_text(const json_t *object, const char *name, const char **out, weir_why *why)
{
    const json_t *found = member(object, name);
    if (!found)
        return WEIR_OK;
    if (!json_is_string(found))
        return wrong(why, name, "a string");
    *out = json_string_value(found);
    return WEIR_OK;
}

weir_err weir__json_member(const json_t *object, const char *name, json_type type,
                           const json_t **out, weir_why *why)
{
    const json_t *found = member(object, name);
    if (found && json_typeof(found) != type)
        return wrong(why, name, type == JSON_ARRAY ? "an array" : "an object");
    *out = found;
    return WEIR_OK;
}
