/* Network-order integers at the ends of a buffer. */
#include <weir/base/buf.h>

static bool peek_big_endian(const weir_buf *buf, size_t len, uint64_t *out)
{
    unsigned char bytes[8];
    if (!weir_buf_peek(buf, bytes, len))
        return false;
    *out = 0;
    for (size_t i = 0; i < len; i++)
        *out = *out << 8 | bytes[i];
    return true;
}

static weir_err append_big_endian(weir_buf *buf, size_t len, uint64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)(value >> 8 * (len - 1 - i));
    return weir_buf_append(buf, bytes, len);
}

bool weir_buf_peek_u8(const weir_buf *buf, uint8_t *out)
{
    return weir_buf_peek(buf, out, 1);
}

bool weir_buf_peek_u16(const weir_buf *buf, uint16_t *out)
{
    uint64_t value;
    if (!peek_big_endian(buf, 2, &value))
        return false;
    *out = (uint16_t)value;
    return true;
}

bool weir_buf_peek_u32(const weir_buf *buf, uint32_t *out)
{
    uint64_t value;
    if (!peek_big_endian(buf, 4, &value))
        return false;
    *out = (uint32_t)value;
    return true;
}

bool weir_buf_peek_u64(const weir_buf *buf, uint64_t *out)
{
    return peek_big_endian(buf, 8, out);
}

weir_err weir_buf_append_u8(weir_buf *buf, uint8_t value)
{
    return append_big_endian(buf, 1, value);
}

weir_err weir_buf_append_u16(weir_buf *buf, uint16_t value)
{
    return append_big_endian(buf, 2, value);
}

weir_err weir_buf_append_u32(weir_buf *buf, uint32_t value)
{
    return append_big_endian(buf, 4, value);
}

weir_err weir_buf_append_u64(weir_buf *buf, uint64_t value)
{
    return append_big_endian(buf, 8, value);
}
