/* Struct to bytes by the table, from the end to the beginning: see weir/codec/wire.h. */
#include "message_impl.h"

static uint8_t *write_message(weir_wire_writer *w, uint8_t *at, const weir_message *type,
                              const char *message, unsigned depth);

uint8_t *weir_wire_fail(weir_wire_writer *w, weir_err err)
{
    if (!w->err)
        w->err = err;
    return w->begin;
}

static uint32_t tag_of(const weir_field *field, weir_wire_type wire)
{
    return field->number << 3 | (uint32_t)wire;
}

static uint8_t *put_number(weir_wire_writer *w, uint8_t *at, unsigned kind, const char *value)
{
    switch (wire_type_of(kind)) {
    case WEIR_WIRE_FIXED64:
        return weir_wire_put_fixed64(w, at, u64_load(value));
    case WEIR_WIRE_FIXED32:
        return weir_wire_put_fixed32(w, at, u32_load(value));
    default:
        return weir_wire_put_varint(w, at, varint_load(kind, value));
    }
}

/** The empty message stands for NULL, which only the value of a map's entry can be here. */
uint8_t *weir_wire_put_nested(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                              const weir_message *type, const void *message, unsigned depth)
{
    const uint8_t *end = at;
    if (message && depth == 0)
        return weir_wire_fail(w, WEIR_EDEPTH);
    if (message)
        at = write_message(w, at, type, message, depth - 1);
    return weir_wire_put_length(w, at, tag, end);
}

static uint8_t *put_value(weir_wire_writer *w, uint8_t *at, const weir_field *field,
                          const char *value, unsigned depth)
{
    uint32_t tag = tag_of(field, wire_type_of(field->kind));
    switch (field->kind) {
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return weir_wire_put_bytes_field(w, at, tag, str_load(value));
    case WEIR_KIND_MESSAGE:
        return weir_wire_put_nested(w, at, tag, field->type.message, pointer_load(value), depth);
    default:
        return weir_wire_put_varint(w, put_number(w, at, field->kind, value), tag);
    }
}

static uint8_t *put_packed(weir_wire_writer *w, uint8_t *at, const weir_field *field, array values)
{
    size_t step = value_size(field->kind);
    const uint8_t *end = at;
    for (size_t i = values.len; i-- > 0;)
        at = put_number(w, at, field->kind, values.items + i * step);
    return weir_wire_put_length(w, at, tag_of(field, WEIR_WIRE_BYTES), end);
}

static uint8_t *put_array(weir_wire_writer *w, uint8_t *at, const weir_field *field, array items,
                          unsigned depth)
{
    if (items.len == 0)
        return at;
    if (field->shape == WEIR_SHAPE_PACKED)
        return put_packed(w, at, field, items);
    const weir_message *nested = field->kind == WEIR_KIND_MESSAGE ? field->type.message : NULL;
    uint32_t tag = tag_of(field, WEIR_WIRE_BYTES);
    size_t step = item_size(field);
    for (size_t i = items.len; i-- > 0 && !w->err;) {
        const char *item = items.items + i * step;
        at = nested ? weir_wire_put_nested(w, at, tag, nested, item, depth)
                    : put_value(w, at, field, item, depth);
    }
    return at;
}

static uint8_t *put_field(weir_wire_writer *w, uint8_t *at, const weir_field *field,
                          const char *message, unsigned depth)
{
    const char *value = message + field->offset;
    if (is_array(field))
        return put_array(w, at, field, array_load(value), depth);
    return is_present(field, message) ? put_value(w, at, field, value, depth) : at;
}

uint8_t *weir_wire_put_runs(weir_wire_writer *w, uint8_t *at, weir_unknown unknown)
{
    for (size_t i = unknown.len; i-- > 0;)
        at = weir_wire_put_raw(w, at, unknown.items[i].ptr, unknown.items[i].len);
    return at;
}

static uint8_t *write_message(weir_wire_writer *w, uint8_t *at, const weir_message *type,
                              const char *message, unsigned depth)
{
    if (type->write)
        return type->write(w, at, message, depth);
    if (!type->map_entry)
        at = weir_wire_put_unknown(w, at, unknown_load(type, message));
    for (uint32_t i = type->field_count; i-- > 0;)
        at = put_field(w, at, &type->fields[i], message, depth);
    return at;
}

weir_err weir_message_encode(const weir_message *type, const void *message, uint8_t *out,
                             size_t size)
{
    weir_wire_writer w = {.begin = out};
    const uint8_t *at = write_message(&w, out + size, type, message, WEIR_MESSAGE_DEPTH_MAX);
    if (w.err)
        return w.err;
    return at == out ? WEIR_OK : WEIR_EINVAL;
}

weir_err weir_message_encode_new(const weir_message *type, const void *message, weir_arena *mem,
                                 weir_str *out)
{
    size_t size = weir_message_size(type, message);
    uint8_t *bytes = weir_arena_alloc_aligned(mem, size, 1);
    if (!bytes)
        return WEIR_ENOMEM;
    weir_err err = weir_message_encode(type, message, bytes, size);
    if (!err)
        *out = weir_str_of(bytes, size);
    return err;
}
