/**
 * @file
 * Compression of messages (grpc/doc/compression.md): the encodings, and the contexts of the
 * libraries behind them. A message is compressed or not, as its flag byte says; the encoding is the
 * call's.
 *
 * Where compression is used:
 * - a channel or server has a default, a call may choose another; a server's answer is compressed
 *   only with what its client accepts (`grpc-accept-encoding`);
 * - messages below WEIR_COMPRESS_MIN_BYTES, and those that would not become smaller, are sent as
 *   they are;
 * - limits on messages are on their size before compression at the sender and after it at the
 *   receiver, where it is checked while the message is decompressed.
 */
#ifndef WEIR_CODEC_COMPRESSION_H
#define WEIR_CODEC_COMPRESSION_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

typedef enum weir_compression {
    WEIR_COMPRESSION_DEFAULT = 0, /**< a call's: its channel's or server's; theirs: identity */
    WEIR_COMPRESSION_IDENTITY,    /**< none */
    WEIR_COMPRESSION_DEFLATE,     /**< with zlib's header (RFC 1950), as gRPC means it */
    WEIR_COMPRESSION_GZIP,        /**< RFC 1952 */
    WEIR_COMPRESSION_ZSTD         /**< RFC 8878, with a window of at most 8 MiB */
} weir_compression;

#define WEIR_COMPRESSION_COUNT 5

/** Smaller messages are not compressed: prefix and trailer of the encodings eat the gain. */
#define WEIR_COMPRESS_MIN_BYTES 128

/** "gzip"; "identity" for WEIR_COMPRESSION_DEFAULT and for what is no encoding. Static. */
WEIR_API const char *weir_compression_name(weir_compression compression);

/** The encoding of that name; WEIR_COMPRESSION_DEFAULT for a name that is not known. */
WEIR_API weir_compression weir_compression_from_name(weir_str name);

/**
 * The contexts of zlib and libzstd of one thread, which all its engines share: at most one for each
 * encoding and direction, made at the first use (about 270 KiB for gzip, 1 MiB and more for zstd)
 * and freed when a second has passed without use. A loop has them: weir_loop_compressors().
 */
typedef struct weir_compressors weir_compressors;

/**
 * @param out     yours until weir_compressors_free()
 * @param timers  borrowed; the contexts are freed by it when they are not used
 * @thread any; afterwards one at a time
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_compressors_new(weir_compressors **out, weir_timers *timers);
/** NULL is fine. */
WEIR_API void weir_compressors_free(weir_compressors *compressors);
/** Contexts that exist now. */
WEIR_API size_t weir_compressors_contexts(const weir_compressors *compressors);

/**
 * Compresses a message.
 * @param out   room for `room` bytes; undefined content after an error
 * @param len   bytes written
 * @errors WEIR_EMSGSIZE: it does not fit: it is better sent as it is. WEIR_EINVAL: identity.
 *         WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_compress(weir_compressors *compressors,
                                                weir_compression compression, weir_str message,
                                                uint8_t *out, size_t room, size_t *len);

/**
 * Decompresses a whole message into a block of `pool`, which grows as bytes come out, to
 * `limit_bytes` + 1 at most; while it grows the old one is there too, so that both together never
 * take more than twice the limit.
 * @param block       the caller's, to be given back with weir_pool_put()
 * @param block_size  as it was asked of the pool
 * @param why         a sentence without the encoding's name, e.g. "is cut off"; static
 * @errors WEIR_EMSGSIZE: it would be larger than `limit_bytes`. WEIR_EMALFORMED: corrupt, cut off,
 *         followed by other bytes, or zstd with a larger window. WEIR_EINVAL: identity.
 *         WEIR_ENOMEM. No block is left then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_decompress(weir_compressors *compressors,
                                                  weir_compression compression, weir_str bytes,
                                                  size_t limit_bytes, weir_pool *pool,
                                                  uint8_t **block, size_t *block_size, size_t *len,
                                                  const char **why);

WEIR_END_DECLS

#endif
