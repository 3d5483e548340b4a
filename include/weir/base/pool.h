/**
 * @file
 * Block pool: memory blocks in a few sizes, kept for reuse, for one thread (a loop has one).
 *
 * Freed blocks go to a list per size and come back last in, first out, warm in the cache. Memory
 * handed out and kept together never exceed the limit; at the limit weir_pool_get() returns NULL
 * and the caller ends its smallest thing. Above `keep_bytes` a freed block goes back to the system.
 * Sanitizer builds keep nothing, so that a use after free is seen.
 */
#ifndef WEIR_BASE_POOL_H
#define WEIR_BASE_POOL_H

#include <stddef.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

typedef struct weir_pool weir_pool;

/** How a pool is bounded. A zeroed field means the default written beside it. */
typedef struct weir_pool_opts {
    size_t limit_bytes; /**< handed out and kept together; 0: no limit but the system's */
    size_t keep_bytes;  /**< kept for reuse at most; 0: 8 MiB */
} weir_pool_opts;

typedef struct weir_pool_stats {
    size_t used_bytes; /**< handed out now */
    size_t kept_bytes; /**< waiting for reuse */
    size_t refused;    /**< requests answered with NULL */
} weir_pool_stats;

/**
 * @param out   the new pool; yours until weir_pool_free()
 * @param opts  copied; NULL is all defaults
 * @thread any; afterwards one thread at a time
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_pool_new(weir_pool **out, const weir_pool_opts *opts);

/** Frees the pool. Every block must have been put back: WEIR_BUG says how many bytes were not. */
WEIR_API void weir_pool_free(weir_pool *pool);

/**
 * A block of at least `size` bytes, aligned to 16. Sizes from 64 bytes to 64 KiB are rounded up
 * to one of four per doubling (64, 80, 96, 112, 128, 160, ...); larger ones come from the system
 * and count as well.
 * @param pool  NULL: malloc, without bound or reuse
 * @return NULL at the limit or when the system has none
 */
WEIR_API void *weir_pool_get(weir_pool *pool, size_t size);

/**
 * Gives a block back.
 * @param size  as it was asked for
 */
WEIR_API void weir_pool_put(weir_pool *pool, void *block, size_t size);

/** The bytes really behind a request of `size`: the caller may use them all. */
WEIR_API size_t weir_pool_round(size_t size);

WEIR_API void weir_pool_get_stats(const weir_pool *pool, weir_pool_stats *out);

WEIR_END_DECLS

#endif
