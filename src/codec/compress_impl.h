/**
 * @file
 * What compress.c asks of a compression library: compress_zlib.c and compress_zstd.c are the doors
 * to theirs. A context is used for one message after the other and resets itself.
 */
#ifndef WEIR_CODEC_COMPRESS_IMPL_H
#define WEIR_CODEC_COMPRESS_IMPL_H

#include <weir/codec/compression.h>

/** How far weir__compression_ops.decompress has come. */
typedef enum weir__progress {
    WEIR__PROGRESS_FULL, /* the room is full and there is more, or may be */
    WEIR__PROGRESS_END,
    WEIR__PROGRESS_CUT,
    WEIR__PROGRESS_CORRUPT,
    WEIR__PROGRESS_NO_MEMORY
} weir__progress;

typedef struct weir__compression_ops {
    /** NULL: out of memory. */
    void *(*compressor_open)(void);
    void (*compressor_close)(void *context);
    /** The whole message. @return bytes written; 0: it does not fit */
    size_t (*compress)(void *context, weir_str message, uint8_t *out, size_t room);

    /** NULL: out of memory. */
    void *(*decompressor_open)(void);
    void (*decompressor_close)(void *context);
    /** Another message begins: all its bytes, which stay as they are until its end. */
    void (*decompressor_begin)(void *context, weir_str bytes);
    /** Writes up to `room` bytes. */
    weir__progress (*decompress)(void *context, uint8_t *out, size_t room, size_t *len);
    /** Bytes that are left behind the end. */
    size_t (*decompressor_left)(const void *context);
} weir__compression_ops;

extern const weir__compression_ops weir__deflate_ops, weir__gzip_ops, weir__zstd_ops;

#endif
