/* gzip and deflate with zlib: the only place where its header is included. */
#include "compress_impl.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    LEVEL = 1, /* measured in docs/decisions/0009-compression.md */
    MEM_LEVEL = 8,
    WINDOW_BITS = 15,
    GZIP = 16 /* added to the window bits: gzip's header instead of zlib's */
};

/* zlib reads through a pointer to non-const. */
static Bytef *input(weir_str bytes)
{
    return (Bytef *)(uintptr_t)bytes.ptr;
}

static void *compressor_open(int window_bits)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z && deflateInit2(z, LEVEL, Z_DEFLATED, window_bits, MEM_LEVEL, Z_DEFAULT_STRATEGY)) {
        free(z);
        z = NULL;
    }
    return z;
}

static void *deflate_compressor_open(void)
{
    return compressor_open(WINDOW_BITS);
}

static void *gzip_compressor_open(void)
{
    return compressor_open(WINDOW_BITS + GZIP);
}

static void compressor_close(void *context)
{
    deflateEnd(context);
    free(context);
}

static size_t compress_message(void *context, weir_str message, uint8_t *out, size_t room)
{
    z_stream *z = context;
    if (message.len > UINT32_MAX || room > UINT32_MAX)
        return 0;
    deflateReset(z);
    z->next_in = input(message);
    z->avail_in = (uInt)message.len;
    z->next_out = out;
    z->avail_out = (uInt)room;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
}

static void *decompressor_open(int window_bits)
{
    z_stream *z = calloc(1, sizeof *z);
    if (z && inflateInit2(z, window_bits)) {
        free(z);
        z = NULL;
    }
    return z;
}

static void *deflate_decompressor_open(void)
{
    return decompressor_open(WINDOW_BITS);
}

static void *gzip_decompressor_open(void)
{
    return decompressor_open(WINDOW_BITS + GZIP);
}

static void decompressor_close(void *context)
{
    inflateEnd(context);
    free(context);
}

static void decompressor_begin(void *context, weir_str bytes)
{
    z_stream *z = context;
    inflateReset(z);
    z->next_in = input(bytes);
    z->avail_in = (uInt)bytes.len;
}

static weir__progress decompress(void *context, uint8_t *out, size_t room, size_t *len)
{
    z_stream *z = context;
    z->next_out = out;
    z->avail_out = (uInt)(room < UINT32_MAX ? room : UINT32_MAX);
    uInt had = z->avail_out;
    int rv = inflate(z, Z_FINISH);
    *len = had - z->avail_out;
    if (rv == Z_STREAM_END)
        return WEIR__PROGRESS_END;
    if (rv == Z_MEM_ERROR)
        return WEIR__PROGRESS_NO_MEMORY;
    if (rv != Z_OK && rv != Z_BUF_ERROR)
        return WEIR__PROGRESS_CORRUPT;
    return z->avail_out == 0 ? WEIR__PROGRESS_FULL : WEIR__PROGRESS_CUT;
}

static size_t decompressor_left(const void *context)
{
    return ((const z_stream *)context)->avail_in;
}

const weir__compression_ops weir__deflate_ops = {
    .compressor_open = deflate_compressor_open,
    .compressor_close = compressor_close,
    .compress = compress_message,
    .decompressor_open = deflate_decompressor_open,
    .decompressor_close = decompressor_close,
    .decompressor_begin = decompressor_begin,
    .decompress = decompress,
    .decompressor_left = decompressor_left,
};

const weir__compression_ops weir__gzip_ops = {
    .compressor_open = gzip_compressor_open,
    .compressor_close = compressor_close,
    .compress = compress_message,
    .decompressor_open = gzip_decompressor_open,
    .decompressor_close = decompressor_close,
    .decompressor_begin = decompressor_begin,
    .decompress = decompress,
    .decompressor_left = decompressor_left,
};
