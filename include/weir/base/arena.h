/**
 * @file
 * Bump arena: many small allocations, freed together. A call has one; generated messages live in
 * it.
 *
 * Blocks come from a pool (or malloc) and double in size from 1 KiB to 64 KiB; a larger request
 * gets a block of its own. At the limit weir_arena_alloc() returns NULL.
 * @thread one at a time
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/attr.h>
#include <weir/base/pool.h>
#include <weir/base/str.h>

WEIR_BEGIN_DECLS

struct weir__arena_block;

/** In the caller's memory; the fields are weir's own. */
typedef struct weir_arena {
    char *at;                        /* next free byte */
    char *end;                       /* of the block that is filled now */
    struct weir__arena_block *block; /* newest; older ones behind it */
    weir_pool *pool;
    size_t used_bytes;  /* in all blocks */
    size_t limit_bytes; /* of used_bytes */
} weir_arena;

/**
 * @param pool         blocks come from here and must go back in its thread; NULL: malloc
 * @param limit_bytes  0: no limit
 */
WEIR_API void weir_arena_init(weir_arena *arena, weir_pool *pool, size_t limit_bytes);

/**
 * The first bytes come from the caller's memory, which must stay until weir_arena_fini(); it is not
 * counted, and weir_arena_reset() does not give it back. For an arena that has just been
 * initialised.
 * @param memory  aligned to 16
 */
WEIR_API void weir_arena_lend(weir_arena *arena, void *memory, size_t size);

/** Frees everything; the arena may be initialised again. A zeroed arena is fine. */
WEIR_API void weir_arena_fini(weir_arena *arena);

/** An arena on the heap, on malloc, without limit; NULL when out of memory. */
WEIR_API weir_arena *weir_arena_new(void);

/** NULL is fine. */
WEIR_API void weir_arena_free(weir_arena *arena);

/** Forgets every allocation but keeps the first block for the next ones. */
WEIR_API void weir_arena_reset(weir_arena *arena);

/** Slow half of weir_arena_alloc(). */
WEIR_API void *weir__arena_grow(weir_arena *arena, size_t size, size_t align);

/** "%.*s" of the format, NUL-terminated behind the view; an empty view when out of memory. */
WEIR_API weir_str weir_arena_printf(weir_arena *arena, const char *fmt, ...) WEIR_PRINTF(2, 3);
WEIR_API weir_str weir_arena_vprintf(weir_arena *arena, const char *fmt, va_list args)
    WEIR_PRINTF(2, 0);

/** A copy of `s`, NUL-terminated behind the view; {NULL, 0} when out of memory. */
WEIR_API weir_str weir_arena_copy(weir_arena *arena, weir_str s);

/**
 * `size` bytes, not cleared, aligned to `align` (a power of two, at most 16). Size 0 gives a valid
 * pointer.
 * @return NULL at the limit or when out of memory
 */
static inline void *weir_arena_alloc_aligned(weir_arena *arena, size_t size, size_t align)
{
    uintptr_t at = ((uintptr_t)arena->at + (align - 1)) & ~(uintptr_t)(align - 1);
    if (WEIR_LIKELY(arena->at != NULL && at <= (uintptr_t)arena->end &&
                    size <= (size_t)((uintptr_t)arena->end - at))) {
        arena->at = (char *)at + size;
        return (void *)at;
    }
    return weir__arena_grow(arena, size, align);
}

/** As weir_arena_alloc_aligned() with the alignment that suits every basic type. */
static inline void *weir_arena_alloc(weir_arena *arena, size_t size)
{
    return weir_arena_alloc_aligned(arena, size, 8);
}

/** As weir_arena_alloc(), cleared. */
static inline void *weir_arena_zalloc(weir_arena *arena, size_t size)
{
    void *p = weir_arena_alloc(arena, size);
    if (p)
        memset(p, 0, size);
    return p;
}

WEIR_END_DECLS

#endif
