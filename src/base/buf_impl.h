/** @file Blocks of a buffer. */
#ifndef WEIR_BASE_BUF_IMPL_H
#define WEIR_BASE_BUF_IMPL_H

#include <weir/base/buf.h>

/** Bytes that blocks hold: a small first one for small messages, then full ones. */
enum {
    WEIR__BUF_SMALL = 2048,
    WEIR__BUF_BLOCK = 16384,
    WEIR__BUF_HEADROOM = 16
};
/** Ask for so many bytes to get a full block. */
enum {
    WEIR__BUF_FULL = 16000
};

/** Memory, shared by the blocks that show parts of it. */
typedef struct weir__buf_store {
    unsigned refs;
    size_t size;                 /* of the pool block, this header included; 0: borrowed bytes */
    weir_buf_release_fn release; /* of borrowed bytes */
    void *user;
} weir__buf_store;

/** A run of bytes in a store. The first block of a store lies in it, right behind its header. */
typedef struct weir__buf_block {
    struct weir__buf_block *next;
    weir__buf_store *store;
    char *start, *end; /* the bytes */
    char *limit;       /* room goes to here; equal to `end` where nothing may be appended */
    char *front;       /* prepending may go down to here */
    size_t own_size;   /* of this header when it is a pool block of its own; 0: inside the store */
} weir__buf_block;

/** An empty block with room for at least `len` bytes, not linked; NULL when out of memory. */
weir__buf_block *weir__buf_block_new(weir_pool *pool, size_t len);
void weir__buf_block_free(weir_pool *pool, weir__buf_block *block);
/** Links it at the end. */
void weir__buf_link(weir_buf *buf, weir__buf_block *block);

/** Bytes that may be appended to the last block. */
static inline size_t weir__buf_room(const weir_buf *buf)
{
    return buf->last ? (size_t)(buf->last->limit - buf->last->end) : 0;
}

#endif
