/* How the codec sees the structs that the tables describe: by offset. Values are copied in and out,
 * since the compiler knows nothing of their types here. */
#ifndef WEIR_CODEC_MESSAGE_IMPL_H
#define WEIR_CODEC_MESSAGE_IMPL_H

#include <string.h>
#include <weir/codec/wire.h>

/** Any repeated field or map. */
typedef struct array {
    char *items;
    size_t len;
} array;

static inline array array_load(const void *at)
{
    array a;
    memcpy(&a, at, sizeof a);
    return a;
}

static inline void array_store(void *at, array a)
{
    memcpy(at, &a, sizeof a);
}

static inline void *pointer_load(const void *at)
{
    void *p;
    memcpy(&p, at, sizeof p);
    return p;
}

static inline weir_str str_load(const void *at)
{
    weir_str s;
    memcpy(&s, at, sizeof s);
    return s;
}

static inline uint32_t u32_load(const void *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

static inline uint64_t u64_load(const void *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

/** Bytes of one value in a struct or union; a message there is a pointer. */
static inline size_t value_size(unsigned kind)
{
    static const uint8_t sizes[] = {
        [WEIR_KIND_DOUBLE] = 8,
        [WEIR_KIND_FLOAT] = 4,
        [WEIR_KIND_INT64] = 8,
        [WEIR_KIND_UINT64] = 8,
        [WEIR_KIND_INT32] = 4,
        [WEIR_KIND_FIXED64] = 8,
        [WEIR_KIND_FIXED32] = 4,
        [WEIR_KIND_BOOL] = 1,
        [WEIR_KIND_STRING] = sizeof(weir_str),
        [WEIR_KIND_ENUM] = 4,
        [WEIR_KIND_UINT32] = 4,
        [WEIR_KIND_BYTES] = sizeof(weir_str),
        [WEIR_KIND_SFIXED32] = 4,
        [WEIR_KIND_SFIXED64] = 8,
        [WEIR_KIND_SINT32] = 4,
        [WEIR_KIND_SINT64] = 8,
        [WEIR_KIND_MESSAGE] = sizeof(void *),
    };
    return sizes[kind];
}

/** Bytes of one item of an array of that field. */
static inline size_t item_size(const weir_field *field)
{
    return field->kind == WEIR_KIND_MESSAGE ? field->type.message->size : value_size(field->kind);
}

static inline weir_unknown unknown_load(const weir_message *type, const char *message)
{
    weir_unknown unknown;
    memcpy(&unknown, message + type->unknown, sizeof unknown);
    return unknown;
}

static inline bool is_array(const weir_field *field)
{
    return field->shape >= WEIR_SHAPE_REPEATED;
}

/** Whether a value that is absent when it is zero is there. */
static inline bool is_set(unsigned kind, const char *value)
{
    switch (kind) {
    case WEIR_KIND_STRING:
    case WEIR_KIND_BYTES:
        return str_load(value).len != 0;
    case WEIR_KIND_MESSAGE:
        return pointer_load(value) != NULL;
    case WEIR_KIND_BOOL:
        return *value != 0;
    default:
        return value_size(kind) == 8 ? u64_load(value) != 0 : u32_load(value) != 0;
    }
}

/** Whether a field that is not an array is to be written. */
static inline bool is_present(const weir_field *field, const char *message)
{
    switch (field->shape) {
    case WEIR_SHAPE_IMPLICIT:
        return is_set(field->kind, message + field->offset);
    case WEIR_SHAPE_OPTIONAL:
        return message[field->has] != 0;
    case WEIR_SHAPE_ONEOF:
        return u32_load(message + field->has) == field->number;
    default:
        return true;
    }
}

/** The number that goes on the wire as a varint. Negative 32-bit ones are written as 64-bit ones.
 */
static inline uint64_t varint_load(unsigned kind, const char *value)
{
    switch (kind) {
    case WEIR_KIND_BOOL:
        return *value != 0;
    case WEIR_KIND_INT64:
    case WEIR_KIND_UINT64:
        return u64_load(value);
    case WEIR_KIND_SINT64:
        return weir_wire_zigzag((int64_t)u64_load(value));
    case WEIR_KIND_SINT32:
        return (uint32_t)weir_wire_zigzag((int32_t)u32_load(value));
    case WEIR_KIND_UINT32:
        return u32_load(value);
    default:
        return weir_wire_int32((int32_t)u32_load(value));
    }
}

/** The wire type of one value of that kind. */
static inline weir_wire_type wire_type_of(unsigned kind)
{
    static const uint8_t types[] = {
        [WEIR_KIND_DOUBLE] = WEIR_WIRE_FIXED64,   [WEIR_KIND_FIXED64] = WEIR_WIRE_FIXED64,
        [WEIR_KIND_SFIXED64] = WEIR_WIRE_FIXED64, [WEIR_KIND_FLOAT] = WEIR_WIRE_FIXED32,
        [WEIR_KIND_FIXED32] = WEIR_WIRE_FIXED32,  [WEIR_KIND_SFIXED32] = WEIR_WIRE_FIXED32,
        [WEIR_KIND_STRING] = WEIR_WIRE_BYTES,     [WEIR_KIND_BYTES] = WEIR_WIRE_BYTES,
        [WEIR_KIND_MESSAGE] = WEIR_WIRE_BYTES,    [WEIR_KIND_SINT64] = WEIR_WIRE_VARINT,
    };
    return (weir_wire_type)types[kind];
}

/** weir_message_field(), fast for fields numbered from 1 without gaps. */
static inline const weir_field *find_field(const weir_message *type, uint32_t number)
{
    if (WEIR_LIKELY(number - 1 < type->dense))
        return &type->fields[number - 1];
    return weir_message_field(type, number);
}

/**
 * Sorts the entries of every map in the message and removes all but the last entry of each key.
 * @return false: out of memory
 */
bool weir__message_tidy_maps(const weir_message *type, void *message, weir_arena *mem);

#endif
