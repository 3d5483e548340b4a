/**
 * @file
 * Where messages begin and end in a stream of bytes: TCP keeps the bytes, but not the boundaries. A
 * codec is a small value; put on a connection (weir_conn_opts.codec) it makes on_message come once
 * for each whole message. Here it is by itself: bytes in a buffer, no socket.
 */
#ifndef WEIR_CODEC_CODEC_H
#define WEIR_CODEC_CODEC_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

typedef enum weir_codec_kind {
    WEIR_CODEC_NONE,   /**< bytes as they come */
    WEIR_CODEC_FIXED,  /**< every message has the same length */
    WEIR_CODEC_PREFIX, /**< a length in front, in network order */
    WEIR_CODEC_VARINT, /**< a length in front as a base-128 varint: length-delimited protobuf */
    WEIR_CODEC_LINE,   /**< "\n" behind; a "\r" before it is not part of the message either */
    WEIR_CODEC_JSON    /**< JSON objects (RFC 8259), with white space between them or none */
} weir_codec_kind;

/** By value; zeroed is WEIR_CODEC_NONE. Made by the functions below. */
typedef struct weir_codec {
    weir_codec_kind kind;
    unsigned width;   /* of the length in front, in bytes */
    size_t max_bytes; /* of a message */
} weir_codec;

/** Messages of exactly `len` bytes, at least 1. */
WEIR_API weir_codec weir_codec_fixed(size_t len);
/** A length of `width` bytes (1, 2, 4 or 8) and so many bytes, at most `max_bytes`. */
WEIR_API weir_codec weir_codec_prefix(unsigned width, size_t max_bytes);
/** A varint and so many bytes, at most `max_bytes`. */
WEIR_API weir_codec weir_codec_varint(size_t max_bytes);
/** Lines of at most `max_bytes`, their end not counted. */
WEIR_API weir_codec weir_codec_line(size_t max_bytes);
/** JSON objects of at most `max_bytes`, white space before them counted. Only braces and strings
 * are looked at: what is inside is the reader's to check. */
WEIR_API weir_codec weir_codec_json(size_t max_bytes);

/** How far a half message has been looked at; zeroed at the beginning of a stream. */
typedef struct weir_codec_state {
    size_t scanned;
    size_t begun; /* bytes before the message */
    uint32_t depth;
    bool in_string;
    bool escaped;
} weir_codec_state;

/** The first message of a buffer: `skip` bytes, `len` bytes of message, `total` with what follows.
 */
typedef struct weir_codec_message {
    size_t skip;
    size_t len;
    size_t total;
} weir_codec_message;

/**
 * Finds the first message in `in`. After WEIR_OK drop `total` bytes before asking again. Each byte
 * is looked at once, however small the pieces in which it comes; nothing is allocated.
 * @errors WEIR_EAGAIN: not whole yet. WEIR_EMSGSIZE: longer than max_bytes, told as soon as that is
 *         known. WEIR_EMALFORMED: not such a message. After the last two the stream is lost.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_codec_next(const weir_codec *codec, weir_codec_state *state,
                                                  const weir_buf *in, weir_codec_message *out);

/**
 * Appends a message with what belongs before and behind it.
 * @errors WEIR_EMSGSIZE: longer than max_bytes, or not of the fixed length. WEIR_EINVAL: a line
 * with a line break in it. WEIR_ENOMEM. Nothing was appended then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_codec_append(const weir_codec *codec, weir_buf *out,
                                                    weir_str message);

WEIR_END_DECLS

#endif
