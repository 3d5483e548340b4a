/* Endpoints as lines of text. */
#include <stdio.h>

#include "endpoint_file.h"
#include "target.h"

enum {
    LINE_ARENA_MAX = 1 << 20,
    WEIGHT_MAX = 10000
};

/** Where a sentence says that something is wrong. */
typedef struct place {
    const char *name;
    unsigned line;
    weir_why *why;
} place;

static weir_err wrong(const place *at, weir_err err, const char *what, weir_str shown)
{
    int len = (int)(shown.len > 40 ? 40 : shown.len);
    return weir_why_set(at->why, err, "%s:%u: \"%.*s\" %s", weir__path_end(at->name), at->line, len,
                        shown.ptr ? shown.ptr : "", what);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/** Takes the next word off; empty at the end of the line or before a comment. */
static weir_str next_word(weir_str *line)
{
    const char *at = line->ptr, *end = line->ptr + line->len;
    while (at < end && is_blank(*at))
        at++;
    const char *begin = at;
    if (at < end && *at == '#')
        at = begin = end;
    while (at < end && !is_blank(*at))
        at++;
    *line = weir_str_of(at, (size_t)(end - at));
    return weir_str_of(begin, (size_t)(at - begin));
}

static weir_str behind(weir_str word, weir_str key)
{
    return weir_str_of(word.ptr + key.len, word.len - key.len);
}

/** 0: no weight. */
static unsigned read_weight(weir_str digits)
{
    unsigned value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(digits.ptr[i] - '0');
        if (value > WEIGHT_MAX)
            return 0;
    }
    return value;
}

static weir_err read_property(weir_endpoint *out, const place *at, weir_str word)
{
    static const weir_str weight = {"weight=", 7}, zone = {"zone=", 5};
    if (weir_str_starts(word, weight)) {
        out->weight = read_weight(behind(word, weight));
        if (out->weight == 0)
            return wrong(at, WEIR_EMALFORMED, "must be weight=N with N from 1 to 10000", word);
        return WEIR_OK;
    }
    if (!weir_str_starts(word, zone))
        return wrong(at, WEIR_EMALFORMED,
                     "is not known: write HOST:PORT, then weight=N or zone=NAME", word);
    out->zone = behind(word, zone);
    return WEIR_OK;
}

static weir_err add(weir_endpoints *list, const place *at, const weir_endpoint *endpoint)
{
    if (!weir__address_is_whole(endpoint->address))
        return wrong(at, WEIR_EMALFORMED, "is no address: write HOST:PORT", endpoint->address);
    weir_err err = weir_endpoints_add(list, endpoint);
    if (err == WEIR_EINVAL)
        return wrong(at, WEIR_EMALFORMED, "is no address: too long, or a blank or control byte",
                     endpoint->address);
    return err ? wrong(at, err, weir_err_text(err), endpoint->address) : WEIR_OK;
}

static weir_err read_words(weir_endpoints *list, const place *at, weir_str line)
{
    weir_endpoint endpoint = {.address = next_word(&line), .weight = 1};
    weir_err err = WEIR_OK;
    if (endpoint.address.len == 0)
        return WEIR_OK;
    for (weir_str word = next_word(&line); word.len > 0 && !err; word = next_word(&line))
        err = read_property(&endpoint, at, word);
    return err ? err : add(list, at, &endpoint);
}

static weir_err read_json(weir_endpoints *list, const place *at, weir_str line)
{
    weir_arena texts;
    weir_endpoint endpoint;
    weir_why why = {""};
    weir_arena_init(&texts, NULL, LINE_ARENA_MAX);
    weir_err err = weir_endpoint_read(&endpoint, &texts, line, &why);
    if (err)
        weir_why_set(at->why, err, "%s:%u: %s", weir__path_end(at->name), at->line, why.text);
    else
        err = add(list, at, &endpoint);
    weir_arena_fini(&texts);
    return err;
}

static weir_err read_line(weir_endpoints *list, const place *at, weir_str line)
{
    weir_str rest = line, first = next_word(&rest);
    if (!weir_str_is_utf8(line) || (line.len > 0 && memchr(line.ptr, '\0', line.len)))
        return weir_why_set(at->why, WEIR_EMALFORMED, "%s:%u: is not text in UTF-8",
                            weir__path_end(at->name), at->line);
    if (first.len > 0 && first.ptr[0] == '{')
        return read_json(list, at, line);
    return read_words(list, at, line);
}

weir_err weir__endpoints_parse(weir_endpoints *list, weir_str text, const char *name, weir_why *why)
{
    place at = {name, 0, why};
    const char *from = text.ptr, *end = text.ptr + text.len;
    while (from < end) {
        const char *stop = memchr(from, '\n', (size_t)(end - from));
        if (!stop)
            stop = end;
        if (++at.line > WEIR__FILE_LINES_MAX)
            return weir_why_set(why, WEIR_EMSGSIZE, "%s has more than %d lines",
                                weir__path_end(name), WEIR__FILE_LINES_MAX);
        weir_err err = read_line(list, &at, weir_str_of(from, (size_t)(stop - from)));
        if (err)
            return err;
        from = stop < end ? stop + 1 : end;
    }
    return WEIR_OK;
}
