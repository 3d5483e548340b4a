/**
 * @file
 * Protocol Buffers messages (proto3): tables that describe them, and one codec that works from the
 * tables. `protoc-gen-weir` writes a plain struct and a table per message.
 *
 * A struct that is all zero is the empty message. In a struct:
 * - a scalar, string or bytes field without `optional` is absent when it is zero or empty;
 * - with `optional`, `has_x` says whether it is there;
 * - a message field is a pointer, NULL when absent;
 * - a oneof is `x_case` (a field's number, 0 for none) and a union `x`;
 * - a repeated field is `{ const T *items; size_t len; }`, and a map is such an array of entries
 *   `{ key, value }`. Decoding leaves each key once and the entries sorted by key; encoding writes
 *   them as they are;
 * - enums are open: a number without a name stays as it is. Repeated enums are weir_int32s;
 * - `unknown` has the fields of a newer sender, which are encoded again behind the others.
 */
#ifndef WEIR_CODEC_MESSAGE_H
#define WEIR_CODEC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <weir/base/arena.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>
#include <weir/base/str.h>

WEIR_BEGIN_DECLS

/** Levels of messages and groups inside a message; deeper ones are WEIR_EDEPTH. */
#define WEIR_MESSAGE_DEPTH_MAX 100

/* What repeated fields of basic types are. */

typedef struct weir_bools {
    const bool *items;
    size_t len;
} weir_bools;

typedef struct weir_int32s {
    const int32_t *items;
    size_t len;
} weir_int32s;

typedef struct weir_uint32s {
    const uint32_t *items;
    size_t len;
} weir_uint32s;

typedef struct weir_int64s {
    const int64_t *items;
    size_t len;
} weir_int64s;

typedef struct weir_uint64s {
    const uint64_t *items;
    size_t len;
} weir_uint64s;

typedef struct weir_floats {
    const float *items;
    size_t len;
} weir_floats;

typedef struct weir_doubles {
    const double *items;
    size_t len;
} weir_doubles;

/** Repeated string and repeated bytes. */
typedef struct weir_strs {
    const weir_str *items;
    size_t len;
} weir_strs;

/** Runs of whole fields, tags included, in the order in which they came. */
typedef weir_strs weir_unknown;

/* Tables. */

typedef struct weir_message weir_message;
typedef struct weir_file weir_file;
typedef struct weir_wire_writer weir_wire_writer;
typedef struct weir_wire_reader weir_wire_reader;

/** A field's type; the numbers are those of FieldDescriptorProto.Type. */
typedef enum weir_kind {
    WEIR_KIND_DOUBLE = 1,
    WEIR_KIND_FLOAT = 2,
    WEIR_KIND_INT64 = 3,
    WEIR_KIND_UINT64 = 4,
    WEIR_KIND_INT32 = 5,
    WEIR_KIND_FIXED64 = 6,
    WEIR_KIND_FIXED32 = 7,
    WEIR_KIND_BOOL = 8,
    WEIR_KIND_STRING = 9,
    WEIR_KIND_MESSAGE = 11,
    WEIR_KIND_BYTES = 12,
    WEIR_KIND_UINT32 = 13,
    WEIR_KIND_ENUM = 14,
    WEIR_KIND_SFIXED32 = 15,
    WEIR_KIND_SFIXED64 = 16,
    WEIR_KIND_SINT32 = 17,
    WEIR_KIND_SINT64 = 18
} weir_kind;

/** How a field lies in the struct and when it is there. */
typedef enum weir_shape {
    WEIR_SHAPE_IMPLICIT, /**< one value; absent when zero, empty or NULL */
    WEIR_SHAPE_OPTIONAL, /**< one value; `has` is the offset of its bool */
    WEIR_SHAPE_ENTRY,    /**< key or value of a map entry: always written */
    WEIR_SHAPE_ONEOF,    /**< in a union; `has` is the offset of the case, which is its number */
    WEIR_SHAPE_REPEATED, /**< an array, a tag for each item */
    WEIR_SHAPE_PACKED,   /**< an array, one tag for all */
    WEIR_SHAPE_MAP       /**< an array of entries */
} weir_shape;

typedef struct weir_enum_value {
    const char *name; /**< as in the .proto */
    int32_t number;
} weir_enum_value;

typedef struct weir_enum {
    const char *name; /**< "package.Message.Enum" */
    const weir_enum_value *values;
    size_t value_count;
} weir_enum;

typedef struct weir_field {
    const char *name;      /**< as in the .proto */
    const char *json_name; /**< as in the JSON mapping */
    union {
        const weir_message *message;  /**< WEIR_KIND_MESSAGE; of a map, its entry */
        const weir_enum *enumeration; /**< WEIR_KIND_ENUM */
    } type;
    uint32_t number;
    uint32_t offset; /**< of the value, array or union in the struct */
    uint32_t has;    /**< see weir_shape */
    uint8_t kind;    /**< weir_kind */
    uint8_t shape;   /**< weir_shape */
} weir_field;

struct weir_message {
    const char *name;         /**< "package.Outer.Inner" */
    const weir_file *file;    /**< where it is declared */
    const weir_field *fields; /**< by number, ascending */
    uint32_t field_count;
    uint32_t dense;   /**< the first so many fields have the numbers 1, 2, 3, ... */
    uint32_t size;    /**< of the struct */
    uint32_t unknown; /**< offset of `unknown`; an entry of a map has none */
    bool map_entry;

    /* Generated: the same as the codec does with the table, in straight lines. NULL: use the table.
     */
    size_t (*measure)(const void *message, unsigned depth);
    uint8_t *(*write)(weir_wire_writer *w, uint8_t *at, const void *message, unsigned depth);
    const uint8_t *(*read)(weir_wire_reader *r, void *message, const uint8_t *at,
                           const uint8_t *end, unsigned depth);
};

/** A .proto file. */
struct weir_file {
    const char *name;          /**< "path/to/file.proto" */
    const uint8_t *descriptor; /**< a FileDescriptorProto, encoded, without source positions */
    size_t descriptor_len;
    const weir_file *const *imports;
    size_t import_count;
    const weir_message *const *messages; /**< all, nested ones too */
    size_t message_count;
};

/** The field of that number, or NULL. @thread any */
WEIR_API const weir_field *weir_message_field(const weir_message *type, uint32_t number);

/* The codec. Generated headers have a typed form of encode and decode for each message. */

/**
 * Bytes that weir_message_encode() will write. Linear in the message.
 * @param message  a struct of that type
 * @thread any
 */
WEIR_API size_t weir_message_size(const weir_message *type, const void *message);

/**
 * Writes fields by ascending number, map entries and unknown fields in their order: equal structs
 * give equal bytes. That strings are UTF-8 is the caller's promise; who decodes will check it.
 * @param out   room for `size` bytes; undefined content after an error
 * @param size  exactly weir_message_size()
 * @thread any
 * @errors WEIR_EDEPTH. WEIR_EINVAL: `size` is wrong, or the message was changed since it was taken.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_message_encode(const weir_message *type, const void *message,
                                                      uint8_t *out, size_t size);

/**
 * As weir_message_encode(), into the arena.
 * @thread the arena's
 * @errors also WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_message_encode_new(const weir_message *type,
                                                          const void *message, weir_arena *mem,
                                                          weir_str *out);

/** For weir_message_decode(): nothing in the message points into `bytes`. */
#define WEIR_DECODE_COPY 1u

/**
 * Reads a message. Without WEIR_DECODE_COPY its strings, bytes and unknown fields are views of
 * `bytes`, which must live as long as the message.
 * @param out    the new struct, in the arena; untouched after an error
 * @param flags  WEIR_DECODE_COPY or 0
 * @thread the arena's
 * @errors WEIR_EMALFORMED: not a valid encoding. WEIR_EUTF8: a string field is not UTF-8.
 *         WEIR_EDEPTH. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_message_decode(const weir_message *type, void **out,
                                                      weir_arena *mem, weir_str bytes,
                                                      unsigned flags);

WEIR_END_DECLS

#endif
