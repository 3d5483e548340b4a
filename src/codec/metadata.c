#include <weir/codec/metadata.h>

#include "metadata_impl.h"

static bool key_is_valid(weir_str key)
{
    if (key.len == 0)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return true;
}

static bool key_is_reserved(weir_str key)
{
    static const char *const used[] = {"content-type",      "te",
                                       "user-agent",        "host",
                                       "connection",        "upgrade",
                                       "transfer-encoding", "keep-alive",
                                       "content-length",    "proxy-connection"};
    if (weir_str_starts(key,
                        WEIR_STR("grpc-"))) /* a server's pushback is its program's (gRFC A6) */
        return !weir_str_eq(key, WEIR_STR("grpc-retry-pushback-ms"));
    for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
        if (weir_str_eq(key, weir_str_from(used[i])))
            return true;
    }
    return false;
}

static bool value_is_valid(weir_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

bool weir__metadata_is_binary(weir_str key)
{
    return weir_str_ends(key, WEIR_STR("-bin"));
}

weir_err weir__metadata_push(weir_metadata *metadata, weir_arena *arena, weir_str key,
                             weir_str value)
{
    if (metadata->len == metadata->room) {
        size_t room = metadata->room ? 2 * metadata->room : 4;
        weir_metadata_entry *items = weir_arena_alloc(arena, room * sizeof *items);
        if (!items)
            return WEIR_ENOMEM;
        if (metadata->len > 0)
            memcpy(items, metadata->items, metadata->len * sizeof *items);
        metadata->items = items;
        metadata->room = room;
    }
    metadata->items[metadata->len++] = (weir_metadata_entry){key, value};
    return WEIR_OK;
}

weir_err weir_metadata_add(weir_metadata *metadata, weir_arena *arena, weir_str key, weir_str value)
{
    if (!key_is_valid(key) || key_is_reserved(key))
        return WEIR_EINVAL;
    if (!weir__metadata_is_binary(key) && !value_is_valid(value))
        return WEIR_EINVAL;
    weir_str own_key = weir_arena_copy(arena, key);
    weir_str own_value = weir_arena_copy(arena, value);
    if (!own_key.ptr || !own_value.ptr)
        return WEIR_ENOMEM;
    return weir__metadata_push(metadata, arena, own_key, own_value);
}

weir_err weir_metadata_append(weir_metadata *metadata, weir_arena *arena, const weir_metadata *from)
{
    weir_err err = WEIR_OK;
    for (size_t i = 0; i < from->len && !err; i++) {
        weir_str key = weir_arena_copy(arena, from->items[i].key);
        weir_str value = weir_arena_copy(arena, from->items[i].value);
        err = key.ptr && value.ptr ? weir__metadata_push(metadata, arena, key, value) : WEIR_ENOMEM;
    }
    return err;
}

size_t weir_metadata_remove(weir_metadata *metadata, weir_str key)
{
    size_t kept = 0, before = metadata->len;
    for (size_t i = 0; i < before; i++) {
        if (!weir_str_eq(metadata->items[i].key, key))
            metadata->items[kept++] = metadata->items[i];
    }
    metadata->len = kept;
    return before - kept;
}

const weir_str *weir_metadata_get(const weir_metadata *metadata, weir_str key)
{
    for (size_t i = 0; i < metadata->len; i++) {
        if (weir_str_eq(metadata->items[i].key, key))
            return &metadata->items[i].value;
    }
    return NULL;
}
