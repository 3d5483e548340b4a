/**
 * @file
 * The wire format's atoms (protobuf.dev, "Encoding"), for the codec and for generated code;
 * programs have no need of them.
 *
 * Readers return the place behind what they read, or NULL when it is not there. Messages are
 * written from the end to the beginning: a nested message is there before its length is written, so
 * that no length has to be known beforehand or kept anywhere. Writers take the place where what has
 * been written begins, and return the new one. A writer that fails notes the first error and has no
 * room from then on, so that only the end needs to look.
 */
#ifndef WEIR_CODEC_WIRE_H
#define WEIR_CODEC_WIRE_H

#include <stdint.h>
#include <string.h>
#include <weir/codec/message.h>

WEIR_BEGIN_DECLS

typedef enum weir_wire_type {
    WEIR_WIRE_VARINT = 0,
    WEIR_WIRE_FIXED64 = 1,
    WEIR_WIRE_BYTES = 2,
    WEIR_WIRE_GROUP = 3,
    WEIR_WIRE_GROUP_END = 4,
    WEIR_WIRE_FIXED32 = 5
} weir_wire_type;

#define WEIR_WIRE_VARINT_MAX   10
#define WEIR_WIRE_VARINT32_MAX 5

/** Where a message is written: room begins at `begin`. */
struct weir_wire_writer {
    uint8_t *begin;
    weir_err err;
};

/** A message is read into `mem`; the first error is noted, and NULL is returned from then on. */
struct weir_wire_reader {
    weir_arena *mem;
    weir_err err;
    bool maps; /* some map has more than one entry */
};

/* Parts of a message that need its table. */

/** One field of any kind, known or not, beginning with its tag. */
WEIR_API const uint8_t *weir_wire_take_other(weir_wire_reader *r, const weir_message *type,
                                             void *message, const uint8_t *at, const uint8_t *end,
                                             unsigned depth);
/** An array or map's item or items, behind a tag with that wire type. */
WEIR_API const uint8_t *weir_wire_take_items(weir_wire_reader *r, const weir_field *field,
                                             void *message, uint32_t wire, const uint8_t *at,
                                             const uint8_t *end, unsigned depth);
/** Merges into the message behind the pointer at `value`, which is made when NULL. */
WEIR_API const uint8_t *weir_wire_take_child(weir_wire_reader *r, const weir_message *type,
                                             void *value, const uint8_t *at, const uint8_t *end,
                                             unsigned depth);
/** Checked for UTF-8. */
WEIR_API const uint8_t *weir_wire_take_string(weir_wire_reader *r, const uint8_t *at,
                                              const uint8_t *end, weir_str *out);
/** Clears what another member of the oneof has left. */
WEIR_API void weir_wire_choose(const weir_field *field, void *message);
/** Notes the error. @return NULL */
WEIR_API WEIR_COLD const uint8_t *weir_wire_take_fail(weir_wire_reader *r, weir_err err);

/** Bytes of a length and a message. */
WEIR_API size_t weir_wire_nested_size(const weir_message *type, const void *message,
                                      unsigned depth);
WEIR_API uint8_t *weir_wire_put_nested(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                       const weir_message *type, const void *message,
                                       unsigned depth);
WEIR_API size_t weir_wire_runs_size(weir_unknown unknown);
WEIR_API uint8_t *weir_wire_put_runs(weir_wire_writer *w, uint8_t *at, weir_unknown unknown);

/** Notes the error. @return where no room is left */
WEIR_API WEIR_COLD uint8_t *weir_wire_fail(weir_wire_writer *w, weir_err err);

/* Reading. */

/** The slow half of weir_wire_read_varint(); surplus bits of the tenth byte are dropped. */
static inline const uint8_t *weir_wire_read_long(const uint8_t *at, const uint8_t *end,
                                                 unsigned max, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 7 * max && at < end; shift += 7) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return at;
        }
    }
    return NULL;
}

static inline const uint8_t *weir_wire_read_varint(const uint8_t *at, const uint8_t *end,
                                                   uint64_t *out)
{
    if (WEIR_LIKELY(at < end && *at < 0x80)) {
        *out = *at;
        return at + 1;
    }
    return weir_wire_read_long(at, end, WEIR_WIRE_VARINT_MAX, out);
}

/** A tag: at most five bytes; surplus bits of the fifth are dropped, as Google's library does. */
static inline const uint8_t *weir_wire_read_tag(const uint8_t *at, const uint8_t *end,
                                                uint32_t *out)
{
    if (WEIR_LIKELY(at < end && *at < 0x80)) {
        *out = *at;
        return at + 1;
    }
    uint64_t value = 0;
    at = weir_wire_read_long(at, end, WEIR_WIRE_VARINT32_MAX, &value);
    *out = (uint32_t)value;
    return at;
}

/** A length and as many bytes. @return behind them */
static inline const uint8_t *weir_wire_read_view(const uint8_t *at, const uint8_t *end,
                                                 weir_str *out)
{
    uint64_t len = 0;
    if (WEIR_LIKELY(at < end && *at < 0x80))
        len = *at++;
    else
        at = weir_wire_read_long(at, end, WEIR_WIRE_VARINT32_MAX, &len);
    if (WEIR_UNLIKELY(!at || len > (size_t)(end - at)))
        return NULL;
    *out = weir_str_of(at, (size_t)len);
    return at + len;
}

static inline const uint8_t *weir_wire_read_fixed32(const uint8_t *at, const uint8_t *end,
                                                    uint32_t *out)
{
    if (end - at < 4)
        return NULL;
    *out = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    return at + 4;
}

static inline const uint8_t *weir_wire_read_fixed64(const uint8_t *at, const uint8_t *end,
                                                    uint64_t *out)
{
    uint32_t low = 0, high = 0;
    if (end - at < 8)
        return NULL;
    at = weir_wire_read_fixed32(at, end, &low);
    at = weir_wire_read_fixed32(at, end, &high);
    *out = low | (uint64_t)high << 32;
    return at;
}

/* The same for generated code, with the error noted. */

static inline const uint8_t *weir_wire_take_varint(weir_wire_reader *r, const uint8_t *at,
                                                   const uint8_t *end, uint64_t *out)
{
    at = weir_wire_read_varint(at, end, out);
    return WEIR_LIKELY(at != NULL) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

static inline const uint8_t *weir_wire_take_fixed32(weir_wire_reader *r, const uint8_t *at,
                                                    const uint8_t *end, uint32_t *out)
{
    at = weir_wire_read_fixed32(at, end, out);
    return WEIR_LIKELY(at != NULL) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

static inline const uint8_t *weir_wire_take_fixed64(weir_wire_reader *r, const uint8_t *at,
                                                    const uint8_t *end, uint64_t *out)
{
    at = weir_wire_read_fixed64(at, end, out);
    return WEIR_LIKELY(at != NULL) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

static inline const uint8_t *weir_wire_take_bytes(weir_wire_reader *r, const uint8_t *at,
                                                  const uint8_t *end, weir_str *out)
{
    at = weir_wire_read_view(at, end, out);
    return WEIR_LIKELY(at != NULL) ? at : weir_wire_take_fail(r, WEIR_EMALFORMED);
}

/* Numbers. */

static inline uint64_t weir_wire_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t weir_wire_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

/** An int32 or enum: negative ones are written as 64-bit numbers. */
static inline uint64_t weir_wire_int32(int32_t value)
{
    return (uint64_t)(int64_t)value;
}

/** Whether a double is not the zero that is absent; negative zero is not it. */
static inline uint64_t weir_wire_double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double weir_wire_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float weir_wire_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t weir_wire_float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Sizes. */

/** Bytes that `value` takes, 1 to 10: one per 7 bits, as (9 * bits + 64) / 64 without a division.
 */
static inline size_t weir_wire_varint_size(uint64_t value)
{
    if (WEIR_LIKELY(value < 0x80))
        return 1;
    unsigned bits = 64u - WEIR_CLZ64(value);
    return (bits * 9 + 64) / 64;
}

/** A length and as many bytes. */
static inline size_t weir_wire_framed_size(size_t len)
{
    return weir_wire_varint_size(len) + len;
}

static inline size_t weir_wire_unknown_size(weir_unknown unknown)
{
    return WEIR_LIKELY(unknown.len == 0) ? 0 : weir_wire_runs_size(unknown);
}

/* Writing. */

/** Writes weir_wire_varint_size(value) bytes. @return behind them */
static inline uint8_t *weir_wire_write_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

/** Whether there are `len` bytes of room; notes the error when there are not. */
static inline bool weir_wire_has_room(weir_wire_writer *w, const uint8_t *at, size_t len)
{
    if (WEIR_LIKELY((size_t)(at - w->begin) >= len))
        return true;
    weir_wire_fail(w, WEIR_EINVAL);
    return false;
}

static inline uint8_t *weir_wire_put_varint(weir_wire_writer *w, uint8_t *at, uint64_t value)
{
    size_t size = weir_wire_varint_size(value);
    if (!weir_wire_has_room(w, at, size))
        return w->begin;
    weir_wire_write_varint(at - size, value);
    return at - size;
}

static inline uint8_t *weir_wire_put_raw(weir_wire_writer *w, uint8_t *at, const void *bytes,
                                         size_t len)
{
    if (!weir_wire_has_room(w, at, len))
        return w->begin;
    if (len)
        memcpy(at - len, bytes, len);
    return at - len;
}

static inline uint8_t *weir_wire_put_varint_field(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                                  uint64_t value)
{
    size_t size = weir_wire_varint_size(tag) + weir_wire_varint_size(value);
    if (!weir_wire_has_room(w, at, size))
        return w->begin;
    weir_wire_write_varint(weir_wire_write_varint(at - size, tag), value);
    return at - size;
}

static inline uint8_t *weir_wire_put_fixed32(weir_wire_writer *w, uint8_t *at, uint32_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};
    return weir_wire_put_raw(w, at, bytes, sizeof bytes);
}

static inline uint8_t *weir_wire_put_fixed64(weir_wire_writer *w, uint8_t *at, uint64_t value)
{
    at = weir_wire_put_fixed32(w, at, (uint32_t)(value >> 32));
    return weir_wire_put_fixed32(w, at, (uint32_t)value);
}

static inline uint8_t *weir_wire_put_fixed32_field(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                                   uint32_t value)
{
    return weir_wire_put_varint(w, weir_wire_put_fixed32(w, at, value), tag);
}

static inline uint8_t *weir_wire_put_fixed64_field(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                                   uint64_t value)
{
    return weir_wire_put_varint(w, weir_wire_put_fixed64(w, at, value), tag);
}

/** A tag and the length of what has been written since `end`. */
static inline uint8_t *weir_wire_put_length(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                            const uint8_t *end)
{
    return weir_wire_put_varint_field(w, at, tag, (size_t)(end - at));
}

static inline uint8_t *weir_wire_put_bytes_field(weir_wire_writer *w, uint8_t *at, uint32_t tag,
                                                 weir_str bytes)
{
    size_t size = weir_wire_varint_size(tag) + weir_wire_framed_size(bytes.len);
    if (!weir_wire_has_room(w, at, size))
        return w->begin;
    uint8_t *body = weir_wire_write_varint(weir_wire_write_varint(at - size, tag), bytes.len);
    if (bytes.len)
        memcpy(body, bytes.ptr, bytes.len);
    return at - size;
}

static inline uint8_t *weir_wire_put_unknown(weir_wire_writer *w, uint8_t *at, weir_unknown unknown)
{
    return WEIR_LIKELY(unknown.len == 0) ? at : weir_wire_put_runs(w, at, unknown);
}

WEIR_END_DECLS

#endif
