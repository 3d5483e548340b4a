/* Bytes to struct. One function per thing that the wire format has; each returns the place behind
 * what it read, or NULL with the reason in the reader. Generated code does the plain fields by
 * itself and comes here for the rest. */
#include "message_impl.h"

static const uint8_t *decode_message(weir_wire_reader *r, const weir_message *type, char *message,
                                     const uint8_t *at, const uint8_t *end, unsigned depth);

const uint8_t *weir_wire_take_fail(weir_wire_reader *r, weir_err err)
{
    r->err = err;
    return NULL;
}

static const uint8_t *read_tag(weir_wire_reader *r, const uint8_t *at, const uint8_t *end,
                               uint32_t *out)
{
    at = weir_wire_read_tag(at, end, out);
    return WEIR_LIKELY(at && *out >> 3) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

/* Arrays have room for a power of two of items, at least four: so the length tells the room. */

static size_t array_room(size_t len)
{
    if (len <= 4)
        return len ? 4 : 0;
    return (size_t)1 << (64 - WEIR_CLZ64(len - 1));
}

/** Appends `count` items, not cleared, to the array at `where`. */
static void *array_push(weir_wire_reader *r, void *where, size_t size, size_t count)
{
    array a = array_load(where);
    size_t need = a.len + count, room = array_room(need);
    if (room > array_room(a.len)) {
        char *items = room <= SIZE_MAX / size ? weir_arena_alloc(r->mem, room * size) : NULL;
        if (!items) {
            r->err = WEIR_ENOMEM;
            return NULL;
        }
        if (a.len)
            memcpy(items, a.items, a.len * size);
        a.items = items;
    }
    char *first = a.items + a.len * size;
    a.len = need;
    array_store(where, a);
    return first;
}

/* Unknown fields. */

static const uint8_t *skip_group(weir_wire_reader *r, uint32_t number, const uint8_t *at,
                                 const uint8_t *end, unsigned depth);

/** Over a field's value. */
static const uint8_t *skip_value(weir_wire_reader *r, uint32_t tag, const uint8_t *at,
                                 const uint8_t *end, unsigned depth)
{
    uint64_t value;
    weir_str view;
    switch (tag & 7) {
    case WEIR_WIRE_VARINT:
        return weir_wire_take_varint(r, at, end, &value);
    case WEIR_WIRE_FIXED64:
        return end - at >= 8 ? at + 8 : weir_wire_take_fail(r, WEIR_EMALFORMED);
    case WEIR_WIRE_BYTES:
        return weir_wire_take_bytes(r, at, end, &view);
    case WEIR_WIRE_GROUP:
        return skip_group(r, tag >> 3, at, end, depth);
    case WEIR_WIRE_FIXED32:
        return end - at >= 4 ? at + 4 : weir_wire_take_fail(r, WEIR_EMALFORMED);
    default:
        return weir_wire_take_fail(r, WEIR_EMALFORMED);
    }
}

static const uint8_t *skip_group(weir_wire_reader *r, uint32_t number, const uint8_t *at,
                                 const uint8_t *end, unsigned depth)
{
    if (depth == 0)
        return weir_wire_take_fail(r, WEIR_EDEPTH);
    for (;;) {
        uint32_t tag;
        at = read_tag(r, at, end, &tag);
        if (!at)
            return NULL;
        if (tag == (number << 3 | WEIR_WIRE_GROUP_END))
            return at;
        at = skip_value(r, tag, at, end, depth - 1);
        if (!at)
            return NULL;
    }
}

/** Neighbours become one run. */
static bool keep_run(weir_wire_reader *r, void *unknown, const uint8_t *start, const uint8_t *end)
{
    array runs = array_load(unknown);
    weir_str *last = runs.len ? (weir_str *)(void *)runs.items + (runs.len - 1) : NULL;
    if (last && last->ptr + last->len == (const char *)start) {
        last->len += (size_t)(end - start);
        return true;
    }
    weir_str *run = array_push(r, unknown, sizeof *run, 1);
    if (run)
        *run = weir_str_of(start, (size_t)(end - start));
    return run != NULL;
}

/** Keeps the field that begins at `start`, except in map entries, which have no place for it. */
static const uint8_t *decode_unknown(weir_wire_reader *r, const weir_message *type, char *message,
                                     uint32_t tag, const uint8_t *start, const uint8_t *at,
                                     const uint8_t *end, unsigned depth)
{
    at = skip_value(r, tag, at, end, depth);
    if (at && !type->map_entry && !keep_run(r, message + type->unknown, start, at))
        return NULL;
    return at;
}

/* Values. */

/** weir_str_is_utf8(), fast for ASCII: eight bytes at a time, the last ones twice. */
static bool is_utf8(weir_str text)
{
    const uint64_t high = 0x8080808080808080u;
    if (text.len < 8)
        return weir_str_is_utf8(text);
    size_t last = text.len - 8, i = 0;
    uint64_t seen = u64_load(text.ptr + last);
    for (; i + 32 <= last && !(seen & high); i += 32)
        seen |= u64_load(text.ptr + i) | u64_load(text.ptr + i + 8) | u64_load(text.ptr + i + 16) |
                u64_load(text.ptr + i + 24);
    for (; i < last; i += 8)
        seen |= u64_load(text.ptr + i);
    return WEIR_LIKELY((seen & high) == 0) || weir_str_is_utf8(text);
}

const uint8_t *weir_wire_take_string(weir_wire_reader *r, const uint8_t *at, const uint8_t *end,
                                     weir_str *out)
{
    at = weir_wire_take_bytes(r, at, end, out);
    if (at && WEIR_UNLIKELY(!is_utf8(*out)))
        return weir_wire_take_fail(r, WEIR_EUTF8);
    return at;
}

static const uint8_t *decode_string(weir_wire_reader *r, void *value, const uint8_t *at,
                                    const uint8_t *end, bool utf8)
{
    weir_str view = {NULL, 0};
    at = utf8 ? weir_wire_take_string(r, at, end, &view) : weir_wire_take_bytes(r, at, end, &view);
    memcpy(value, &view, sizeof view);
    return at;
}

/** Merges a length and a message into the struct `message`. */
static const uint8_t *decode_nested(weir_wire_reader *r, const weir_message *type, void *message,
                                    const uint8_t *at, const uint8_t *end, unsigned depth)
{
    weir_str view = {NULL, 0};
    at = weir_wire_take_bytes(r, at, end, &view);
    if (!at)
        return NULL;
    if (depth == 0)
        return weir_wire_take_fail(r, WEIR_EDEPTH);
    return decode_message(r, type, message, at - view.len, at, depth - 1);
}

const uint8_t *weir_wire_take_child(weir_wire_reader *r, const weir_message *type, void *value,
                                    const uint8_t *at, const uint8_t *end, unsigned depth)
{
    void *child = pointer_load(value);
    if (!child) {
        child = weir_arena_zalloc(r->mem, type->size);
        if (!child)
            return weir_wire_take_fail(r, WEIR_ENOMEM);
        memcpy(value, &child, sizeof child);
    }
    return decode_nested(r, type, child, at, end, depth);
}

static void store_varint(unsigned kind, void *value, uint64_t varint)
{
    uint32_t low = (uint32_t)varint;
    bool set = varint != 0;
    switch (kind) {
    case WEIR_KIND_BOOL:
        memcpy(value, &set, sizeof set);
        return;
    case WEIR_KIND_SINT64:
        varint = (uint64_t)weir_wire_unzigzag(varint);
        memcpy(value, &varint, sizeof varint);
        return;
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
        memcpy(value, &varint, sizeof varint);
        return;
    case WEIR_KIND_SINT32:
        low = (uint32_t)weir_wire_unzigzag(low);
        break;
    default:
        break;
    }
    memcpy(value, &low, sizeof low);
}

/** A value without a length: varint or of fixed width. */
static const uint8_t *decode_number(weir_wire_reader *r, unsigned kind, void *value,
                                    const uint8_t *at, const uint8_t *end)
{
    uint64_t wide;
    uint32_t narrow;
    switch (wire_type_of(kind)) {
    case WEIR_WIRE_FIXED64:
        at = weir_wire_read_fixed64(at, end, &wide);
        if (at)
            memcpy(value, &wide, sizeof wide);
        break;
    case WEIR_WIRE_FIXED32:
        at = weir_wire_read_fixed32(at, end, &narrow);
        if (at)
            memcpy(value, &narrow, sizeof narrow);
        break;
    default:
        at = weir_wire_read_varint(at, end, &wide);
        if (at)
            store_varint(kind, value, wide);
        break;
    }
    return WEIR_LIKELY(at != NULL) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

/** One value of a field that is not in an array. */
static const uint8_t *decode_value(weir_wire_reader *r, const weir_field *field, void *value,
                                   const uint8_t *at, const uint8_t *end, unsigned depth)
{
    switch (field->kind) {
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return decode_string(r, value, at, end, field->kind == WEIR_KIND_STRING);
    case WEIR_KIND_MESSAGE:
        return weir_wire_take_child(r, field->type.message, value, at, end, depth);
    default:
        return decode_number(r, field->kind, value, at, end);
    }
}

/* Fields. */

static const uint8_t *decode_item(weir_wire_reader *r, const weir_field *field, void *where,
                                  const uint8_t *at, const uint8_t *end, unsigned depth)
{
    size_t size = item_size(field);
    void *item = array_push(r, where, size, 1);
    if (!item)
        return NULL;
    if (field->kind != WEIR_KIND_MESSAGE)
        return decode_value(r, field, item, at, end, depth);
    memset(item, 0, size);
    return decode_nested(r, field->type.message, item, at, end, depth);
}

/** How many packed values the bytes hold: a varint ends at each byte without the top bit. */
static size_t count_packed(unsigned kind, weir_str bytes)
{
    if (wire_type_of(kind) != WEIR_WIRE_VARINT)
        return bytes.len / value_size(kind);
    size_t count = 0;
    for (size_t i = 0; i < bytes.len; i++)
        count += (bytes.ptr[i] & 0x80) == 0;
    return count;
}

/** Room is taken for the values that are really there, whatever the length says. */
static const uint8_t *decode_packed(weir_wire_reader *r, unsigned kind, void *where,
                                    const uint8_t *at, const uint8_t *end)
{
    weir_str bytes;
    end = weir_wire_take_bytes(r, at, end, &bytes);
    if (!end)
        return NULL;
    at = end - bytes.len;
    size_t size = value_size(kind), count = count_packed(kind, bytes);
    char *item = count ? array_push(r, where, size, count) : NULL;
    if (count && !item)
        return NULL;
    for (; count > 0 && at; count--, item += size)
        at = decode_number(r, kind, item, at, end);
    if (at && at != end)
        return weir_wire_take_fail(r, WEIR_EMALFORMED);
    return at;
}

static const uint8_t *decode_entry(weir_wire_reader *r, const weir_field *field, void *where,
                                   const uint8_t *at, const uint8_t *end, unsigned depth)
{
    at = decode_item(r, field, where, at, end, depth);
    if (!at)
        return NULL;
    array entries = array_load(where);
    r->maps |= entries.len > 1;
    const weir_message *type = field->type.message;
    const weir_field *value = &type->fields[1];
    char *slot = entries.items + (entries.len - 1) * type->size + value->offset;
    if (value->kind != WEIR_KIND_MESSAGE || pointer_load(slot))
        return at;
    void *empty = weir_arena_zalloc(r->mem, value->type.message->size);
    if (!empty)
        return weir_wire_take_fail(r, WEIR_ENOMEM);
    memcpy(slot, &empty, sizeof empty);
    return at;
}

/** Another member's value must not be merged with, nor taken for a pointer. */
void weir_wire_choose(const weir_field *field, void *of)
{
    char *message = of;
    if (u32_load(message + field->has) == field->number)
        return;
    memset(message + field->offset, 0, value_size(field->kind));
    memcpy(message + field->has, &field->number, sizeof field->number);
}

/** Whether a field of that kind can come so. */
static bool wire_fits(const weir_field *field, uint32_t wire)
{
    weir_wire_type own = wire_type_of(field->kind);
    return wire == own ||
           (wire == WEIR_WIRE_BYTES && own != WEIR_WIRE_BYTES &&
            (field->shape == WEIR_SHAPE_REPEATED || field->shape == WEIR_SHAPE_PACKED));
}

const uint8_t *weir_wire_take_items(weir_wire_reader *r, const weir_field *field, void *message,
                                    uint32_t wire, const uint8_t *at, const uint8_t *end,
                                    unsigned depth)
{
    char *value = (char *)message + field->offset;
    if (field->shape == WEIR_SHAPE_MAP)
        return decode_entry(r, field, value, at, end, depth);
    if (wire == WEIR_WIRE_BYTES && wire_type_of(field->kind) != WEIR_WIRE_BYTES)
        return decode_packed(r, field->kind, value, at, end);
    return decode_item(r, field, value, at, end, depth);
}

static const uint8_t *decode_field(weir_wire_reader *r, const weir_field *field, char *message,
                                   uint32_t wire, const uint8_t *at, const uint8_t *end,
                                   unsigned depth)
{
    if (is_array(field))
        return weir_wire_take_items(r, field, message, wire, at, end, depth);
    if (field->shape == WEIR_SHAPE_ONEOF)
        weir_wire_choose(field, message);
    else if (field->shape == WEIR_SHAPE_OPTIONAL)
        message[field->has] = 1;
    return decode_value(r, field, message + field->offset, at, end, depth);
}

const uint8_t *weir_wire_take_other(weir_wire_reader *r, const weir_message *type, void *message,
                                    const uint8_t *at, const uint8_t *end, unsigned depth)
{
    const uint8_t *start = at;
    uint32_t tag;
    at = read_tag(r, at, end, &tag);
    if (!at)
        return NULL;
    const weir_field *field = find_field(type, tag >> 3);
    if (WEIR_LIKELY(field && wire_fits(field, tag & 7)))
        return decode_field(r, field, message, tag & 7, at, end, depth);
    return decode_unknown(r, type, message, tag, start, at, end, depth);
}

static const uint8_t *decode_message(weir_wire_reader *r, const weir_message *type, char *message,
                                     const uint8_t *at, const uint8_t *end, unsigned depth)
{
    if (type->read)
        return type->read(r, message, at, end, depth);
    while (at && at < end)
        at = weir_wire_take_other(r, type, message, at, end, depth);
    return at;
}

weir_err weir_message_decode(const weir_message *type, void **out, weir_arena *mem, weir_str bytes,
                             unsigned flags)
{
    weir_wire_reader r = {.mem = mem};
    if ((flags & WEIR_DECODE_COPY) && bytes.len) {
        bytes = weir_arena_copy(mem, bytes);
        if (!bytes.ptr)
            return WEIR_ENOMEM;
    }
    void *message = weir_arena_zalloc(mem, type->size);
    if (!message)
        return WEIR_ENOMEM;
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    if (bytes.len && !decode_message(&r, type, message, at, at + bytes.len, WEIR_MESSAGE_DEPTH_MAX))
        return r.err;
    if (r.maps && !weir__message_tidy_maps(type, message, mem))
        return WEIR_ENOMEM;
    *out = message;
    return WEIR_OK;
}
