/* How many bytes a message will take. Each nested message is counted once, so that the whole is
 * linear. */
#include "message_impl.h"

static size_t tag_size(const weir_field *field)
{
    return weir_wire_varint_size((uint64_t)field->number << 3);
}

static size_t number_size(unsigned kind, const char *value)
{
    switch (wire_type_of(kind)) {
    case WEIR_WIRE_FIXED64:
        return 8;
    case WEIR_WIRE_FIXED32:
        return 4;
    default:
        return weir_wire_varint_size(varint_load(kind, value));
    }
}

static size_t value_bytes(const weir_field *field, const char *value, unsigned depth)
{
    switch (field->kind) {
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return weir_wire_framed_size(str_load(value).len);
    case WEIR_KIND_MESSAGE:
        return weir_wire_nested_size(field->type.message, pointer_load(value), depth);
    default:
        return number_size(field->kind, value);
    }
}

static size_t packed_size(unsigned kind, array values)
{
    size_t step = value_size(kind);
    if (wire_type_of(kind) != WEIR_WIRE_VARINT)
        return values.len * step;
    size_t size = 0;
    for (size_t i = 0; i < values.len; i++)
        size += weir_wire_varint_size(varint_load(kind, values.items + i * step));
    return size;
}

static size_t array_size(const weir_field *field, array items, unsigned depth)
{
    if (items.len == 0)
        return 0;
    if (field->shape == WEIR_SHAPE_PACKED)
        return tag_size(field) + weir_wire_framed_size(packed_size(field->kind, items));
    const weir_message *nested = field->kind == WEIR_KIND_MESSAGE ? field->type.message : NULL;
    size_t step = item_size(field), size = items.len * tag_size(field);
    for (size_t i = 0; i < items.len; i++) {
        const char *item = items.items + i * step;
        size +=
            nested ? weir_wire_nested_size(nested, item, depth) : value_bytes(field, item, depth);
    }
    return size;
}

static size_t field_size(const weir_field *field, const char *message, unsigned depth)
{
    const char *value = message + field->offset;
    if (is_array(field))
        return array_size(field, array_load(value), depth);
    return is_present(field, message) ? tag_size(field) + value_bytes(field, value, depth) : 0;
}

size_t weir_wire_runs_size(weir_unknown unknown)
{
    size_t size = 0;
    for (size_t i = 0; i < unknown.len; i++)
        size += unknown.items[i].len;
    return size;
}

static size_t measure(const weir_message *type, const char *message, unsigned depth)
{
    if (type->measure)
        return type->measure(message, depth);
    size_t size = 0;
    for (uint32_t i = 0; i < type->field_count; i++)
        size += field_size(&type->fields[i], message, depth);
    return type->map_entry ? size : size + weir_wire_unknown_size(unknown_load(type, message));
}

/** Nothing below the limit is counted: encoding will refuse it. */
size_t weir_wire_nested_size(const weir_message *type, const void *message, unsigned depth)
{
    return weir_wire_framed_size(message && depth > 0 ? measure(type, message, depth - 1) : 0);
}

size_t weir_message_size(const weir_message *type, const void *message)
{
    return measure(type, message, WEIR_MESSAGE_DEPTH_MAX);
}
