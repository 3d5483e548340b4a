/* zstd with libzstd: the only place where its header is included. */
#include "compress_impl.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    LEVEL = 1,          /* measured in docs/decisions/0009-compression.md */
    WINDOW_LOG_MAX = 23 /* 8 MiB: what every decoder should take (RFC 8878 3.1.1.1.2) */
};

static void *compressor_open(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    if (zstd && ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL))) {
        ZSTD_freeCCtx(zstd);
        zstd = NULL;
    }
    return zstd;
}

static void compressor_close(void *context)
{
    ZSTD_freeCCtx(context);
}

static size_t compress_message(void *context, weir_str message, uint8_t *out, size_t room)
{
    size_t len = ZSTD_compress2(context, out, room, message.ptr, message.len);
    return ZSTD_isError(len) ? 0 : len;
}

/** A decompressor with the input of its message. */
typedef struct decoder {
    ZSTD_DCtx *zstd;
    ZSTD_inBuffer in;
} decoder;

static void decompressor_close(void *context)
{
    decoder *d = context;
    ZSTD_freeDCtx(d->zstd);
    free(d);
}

static void *decompressor_open(void)
{
    decoder *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->zstd = ZSTD_createDCtx();
    if (!d->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
        decompressor_close(d);
        return NULL;
    }
    return d;
}

static void decompressor_begin(void *context, weir_str bytes)
{
    decoder *d = context;
    ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
    d->in = (ZSTD_inBuffer){bytes.ptr, bytes.len, 0};
}

static weir__progress decompress(void *context, uint8_t *out, size_t room, size_t *len)
{
    decoder *d = context;
    ZSTD_outBuffer to = {out, room, 0};
    size_t rv, before;
    do {
        before = d->in.pos + to.pos;
        rv = ZSTD_decompressStream(d->zstd, &to, &d->in);
    } while (!ZSTD_isError(rv) && rv != 0 && to.pos < to.size && d->in.pos + to.pos > before);
    *len = to.pos;
    if (ZSTD_isError(rv))
        return ZSTD_getErrorCode(rv) == ZSTD_error_memory_allocation ? WEIR__PROGRESS_NO_MEMORY
                                                                     : WEIR__PROGRESS_CORRUPT;
    if (rv == 0)
        return WEIR__PROGRESS_END;
    return to.pos == to.size ? WEIR__PROGRESS_FULL : WEIR__PROGRESS_CUT;
}

static size_t decompressor_left(const void *context)
{
    const decoder *d = context;
    return d->in.size - d->in.pos;
}

const weir__compression_ops weir__zstd_ops = {
    .compressor_open = compressor_open,
    .compressor_close = compressor_close,
    .compress = compress_message,
    .decompressor_open = decompressor_open,
    .decompressor_close = decompressor_close,
    .decompressor_begin = decompressor_begin,
    .decompress = decompress,
    .decompressor_left = decompressor_left,
};
