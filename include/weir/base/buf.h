/**
 * @file
 * `weir_buf`: a queue of bytes over pooled blocks. Bytes go in at the end and out at the front.
 *
 * An empty buffer holds no block. Moving bytes between buffers of one pool copies nothing: whole
 * blocks change hands, and a block that is cut is shared by count (within the pool's thread). A cut
 * block's room is not appended to while it is shared.
 * @thread one at a time; blocks go back to the pool's thread
 */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdint.h>
#include <sys/uio.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>
#include <weir/base/pool.h>
#include <weir/base/str.h>

WEIR_BEGIN_DECLS

struct weir__buf_block;

/** In the caller's memory; the fields are weir's own. Must not be copied. */
typedef struct weir_buf {
    struct weir__buf_block *first;
    struct weir__buf_block *last;
    size_t len; /* bytes queued */
    weir_pool *pool;
} weir_buf;

/** Frees what weir_buf_append_ref() was given, once, in the buffer's thread. */
typedef void (*weir_buf_release_fn)(void *user);

/** @param pool  where blocks come from; NULL: malloc */
WEIR_API void weir_buf_init(weir_buf *buf, weir_pool *pool);

/** Frees everything queued; the buffer is empty and usable afterwards. */
WEIR_API void weir_buf_clear(weir_buf *buf);

/** Bytes queued. */
static inline size_t weir_buf_len(const weir_buf *buf)
{
    return buf->len;
}

/** The first run of bytes that lie together; empty when the buffer is. Until the next change. */
WEIR_API weir_str weir_buf_front(const weir_buf *buf);

/** Copies the first `len` bytes out without taking them. @return false: fewer are there */
WEIR_API bool weir_buf_peek(const weir_buf *buf, void *out, size_t len);

/** The same from `offset` on. */
WEIR_API bool weir_buf_peek_at(const weir_buf *buf, size_t offset, void *out, size_t len);

/**
 * The first `len` bytes in one piece, rearranged when they were not.
 * @return NULL: fewer are there, or out of memory. Until the next change.
 */
WEIR_API const char *weir_buf_pullup(weir_buf *buf, size_t len);

/** Drops the first `len` bytes (at most what is there). */
WEIR_API void weir_buf_retrieve(weir_buf *buf, size_t len);

/** Copies the first `len` bytes out and drops them. @return false: fewer are there, nothing done */
WEIR_API bool weir_buf_read(weir_buf *buf, void *out, size_t len);

/** @errors WEIR_ENOMEM: nothing was appended */
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append(weir_buf *buf, const void *bytes, size_t len);

/**
 * Room for `len` contiguous bytes (at most 16000) at the end, to be filled and then counted in with
 * weir_buf_commit(). NULL when out of memory.
 */
WEIR_API void *weir_buf_reserve(weir_buf *buf, size_t len);

/** Counts in the first `len` bytes of the last weir_buf_reserve(). */
WEIR_API void weir_buf_commit(weir_buf *buf, size_t len);

/**
 * Puts bytes in front, for a length before a payload: the payload is not copied.
 * @errors WEIR_ENOMEM: unchanged
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_prepend(weir_buf *buf, const void *bytes, size_t len);

/**
 * Appends bytes by reference. They must stay unchanged until `release(user)`, which comes exactly
 * once, also on WEIR_ENOMEM. `release` may be NULL for static bytes.
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append_ref(weir_buf *buf, const void *bytes, size_t len,
                                                      weir_buf_release_fn release, void *user);

/** Moves everything from `from` to the end of `to`. O(1); both have the same pool. */
WEIR_API void weir_buf_move(weir_buf *to, weir_buf *from);

/**
 * Moves the first `len` bytes (at most what is there) to the end of `to`; no byte is copied.
 * @errors WEIR_ENOMEM: some whole blocks may have moved; no byte is lost or doubled
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_move_len(weir_buf *to, weir_buf *from, size_t len);

/** Few bytes (1 KiB) that lie in large blocks are copied into a small one, for bytes that may wait
 * for long. Changes nothing where that is not so, or without memory. */
WEIR_API void weir_buf_shrink(weir_buf *buf);

/** Offset of the first occurrence of `needle` (1 to 64 bytes) at or after `from`; -1: none. */
WEIR_API int64_t weir_buf_find(const weir_buf *buf, size_t from, weir_str needle);

/** Offset of the first "\r\n"; -1: none. */
WEIR_API int64_t weir_buf_find_crlf(const weir_buf *buf);

/** Network-order integers at the front, without taking them. @return false: too few bytes */
WEIR_API bool weir_buf_peek_u8(const weir_buf *buf, uint8_t *out);
WEIR_API bool weir_buf_peek_u16(const weir_buf *buf, uint16_t *out);
WEIR_API bool weir_buf_peek_u32(const weir_buf *buf, uint32_t *out);
WEIR_API bool weir_buf_peek_u64(const weir_buf *buf, uint64_t *out);

/** Network-order integers at the end. @errors WEIR_ENOMEM */
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append_u8(weir_buf *buf, uint8_t value);
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append_u16(weir_buf *buf, uint16_t value);
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append_u32(weir_buf *buf, uint32_t value);
WEIR_API WEIR_MUST_CHECK weir_err weir_buf_append_u64(weir_buf *buf, uint64_t value);

/**
 * One readv() into the room of the last block and fresh blocks, at most `max` bytes and at most
 * about 64 KiB. Blocks that stay empty go back.
 * @param full  whether all the room was filled, so that there may be more; may be NULL
 * @return bytes read, 0 at the end of the stream, or -1 with errno as readv sets it (ENOMEM too)
 */
WEIR_API ssize_t weir_buf_readv(weir_buf *buf, int fd, size_t max, bool *full);

/**
 * One writev() of the front; what was written is dropped.
 * @return bytes written, or -1 with errno as writev sets it
 */
WEIR_API ssize_t weir_buf_writev(weir_buf *buf, int fd);

/** Views of the front for a gather call, up to `max` of them. @return how many were filled */
WEIR_API int weir_buf_iov(const weir_buf *buf, struct iovec *iov, int max);

WEIR_END_DECLS

#endif
