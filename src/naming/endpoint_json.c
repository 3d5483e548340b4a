/* An endpoint as text: weir's own form, and that of Curator's ServiceInstance when it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/naming/endpoint.h>

#include "json.h"

enum {
    TEXT_MAX = 64 << 10,
    WEIGHT_MAX = 10000
};

static bool copy(weir_arena *arena, weir_str *out, const char *text)
{
    *out = weir_arena_printf(arena, "%s", text);
    return out->ptr;
}

/** {"address": "10.0.0.1", "port": 80} */
static weir_err read_curator(weir_endpoint *out, weir_arena *arena, const char *host,
                             const json_t *object, weir_why *why)
{
    int64_t port = 0;
    weir_err err = weir__json_whole(object, "port", 1, 65535, &port, why);
    if (err)
        return err;
    const char *form = strchr(host, ':') && host[0] != '[' ? "[%s]:%d" : "%s:%d";
    out->address = weir_arena_printf(arena, form, host, (int)port);
    return out->address.ptr ? WEIR_OK : WEIR_ENOMEM;
}

static weir_err read_address(weir_endpoint *out, weir_arena *arena, const json_t *object,
                             weir_why *why)
{
    const char *address = NULL;
    weir_err err = weir__json_text(object, "address", &address, why);
    if (err)
        return err;
    if (!address || !*address)
        return weir_why_set(why, WEIR_EMALFORMED, "\"address\" is missing");
    if (json_is_number(json_object_get(object, "port")))
        return read_curator(out, arena, address, object, why);
    return copy(arena, &out->address, address) ? WEIR_OK : WEIR_ENOMEM;
}

static weir_err read_metadata(weir_endpoint *out, weir_arena *arena, const json_t *object,
                              weir_why *why)
{
    const json_t *metadata;
    weir_err err = weir__json_member(object, "metadata", JSON_OBJECT, &metadata, why);
    if (err || !metadata)
        return err;
    char *text = json_dumps(metadata, JSON_COMPACT);
    if (!text || !copy(arena, &out->metadata, text))
        err = WEIR_ENOMEM;
    free(text);
    return err;
}

static weir_err read_object(weir_endpoint *out, weir_arena *arena, const json_t *object,
                            weir_why *why)
{
    int64_t weight = 1;
    const char *zone = "";
    weir_err err = read_address(out, arena, object, why);
    if (!err)
        err = weir__json_whole(object, "weight", 1, WEIGHT_MAX, &weight, why);
    if (!err)
        err = weir__json_text(object, "zone", &zone, why);
    if (!err)
        err = read_metadata(out, arena, object, why);
    if (err)
        return err;
    out->weight = (unsigned)weight;
    return copy(arena, &out->zone, zone) ? WEIR_OK : WEIR_ENOMEM;
}

weir_err weir_endpoint_read(weir_endpoint *out, weir_arena *arena, weir_str json, weir_why *why)
{
    weir_endpoint found = {.metadata = WEIR_STR("")};
    json_t *object;
    if (json.len > TEXT_MAX)
        return weir_why_set(why, WEIR_EMALFORMED, "longer than %d bytes", TEXT_MAX);
    weir_err err = weir__json_object(&object, json, why);
    if (err)
        return err;
    err = read_object(&found, arena, object, why);
    json_decref(object);
    if (!err)
        *out = found;
    return err;
}

/* Writing. */

static weir_err add(json_t *object, const char *name, json_t *value)
{
    return value && json_object_set_new(object, name, value) == 0 ? WEIR_OK : WEIR_ENOMEM;
}

static weir_err fill(json_t *object, const weir_endpoint *from)
{
    weir_err err =
        add(object, "address", json_stringn_nocheck(from->address.ptr, from->address.len));
    if (!err && from->weight > 1)
        err = add(object, "weight", json_integer(from->weight));
    if (!err && from->zone.len > 0)
        err = add(object, "zone", json_stringn(from->zone.ptr, from->zone.len));
    if (!err && from->metadata.len > 0) {
        json_t *metadata;
        err = weir__json_object(&metadata, from->metadata, NULL);
        if (err == WEIR_EMALFORMED)
            err = WEIR_EINVAL;
        if (!err)
            err = add(object, "metadata", metadata);
    }
    return err;
}

weir_err weir_endpoint_write(weir_str *out, weir_arena *arena, const weir_endpoint *endpoint)
{
    if (!weir_str_is_utf8(endpoint->address) || !weir_str_is_utf8(endpoint->zone))
        return WEIR_EINVAL;
    json_t *object = json_object();
    weir_err err = object ? fill(object, endpoint) : WEIR_ENOMEM;
    char *text = err ? NULL : json_dumps(object, JSON_COMPACT);
    if (!err && (!text || !copy(arena, out, text)))
        err = WEIR_ENOMEM;
    free(text);
    json_decref(object);
    return err;
}
