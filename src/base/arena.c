#include <weir/base/arena.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    FIRST_BLOCK = 1024,
    LARGEST_BLOCK = 64 * 1024
};

typedef struct weir__arena_block {
    struct weir__arena_block *older;
    size_t bytes; /* this header included */
} arena_block;

_Static_assert(sizeof(arena_block) % 16 == 0, "memory behind the header must be aligned");

void weir_arena_init(weir_arena *arena, weir_pool *pool, size_t limit_bytes)
{
    *arena = (weir_arena){.pool = pool, .limit_bytes = limit_bytes};
}

void weir_arena_lend(weir_arena *arena, void *memory, size_t size)
{
    arena->at = memory;
    arena->end = arena->at + size;
}

weir_arena *weir_arena_new(void)
{
    weir_arena *arena = malloc(sizeof *arena);
    if (arena)
        weir_arena_init(arena, NULL, 0);
    return arena;
}

void weir_arena_free(weir_arena *arena)
{
    if (arena)
        weir_arena_fini(arena);
    free(arena);
}

static void free_newest(weir_arena *arena)
{
    arena_block *block = arena->block;
    arena->block = block->older;
    arena->used_bytes -= block->bytes;
    weir_pool_put(arena->pool, block, block->bytes);
}

void weir_arena_fini(weir_arena *arena)
{
    while (arena->block)
        free_newest(arena);
    arena->at = arena->end = NULL;
}

void weir_arena_reset(weir_arena *arena)
{
    while (arena->block && arena->block->older)
        free_newest(arena);
    arena_block *first = arena->block;
    if (first && first->bytes > LARGEST_BLOCK) {
        free_newest(arena);
        first = NULL;
    }
    arena->at = first ? (char *)(first + 1) : NULL;
    arena->end = first ? (char *)first + first->bytes : NULL;
}

static bool within_limit(const weir_arena *arena, size_t bytes)
{
    return !arena->limit_bytes ||
           (bytes <= arena->limit_bytes && arena->used_bytes <= arena->limit_bytes - bytes);
}

/** Size of the next block: as much again as there is, but at least `need`. 0: over the limit. */
static size_t next_block_bytes(const weir_arena *arena, size_t need)
{
    size_t bytes = FIRST_BLOCK;
    if (arena->used_bytes >= LARGEST_BLOCK)
        bytes = LARGEST_BLOCK;
    else if (arena->used_bytes)
        bytes = weir_pool_round(arena->used_bytes);
    if (bytes < need || !within_limit(arena, bytes))
        bytes = weir_pool_round(need);
    return within_limit(arena, bytes) ? bytes : 0;
}

/* A block begins aligned to 16, so every `align` that is allowed is met by its first bytes. */
void *weir__arena_grow(weir_arena *arena, size_t size, size_t align WEIR_UNUSED)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size_t bytes = next_block_bytes(arena, sizeof(arena_block) + size);
    arena_block *block = bytes ? weir_pool_get(arena->pool, bytes) : NULL;
    if (!block)
        return NULL;
    *block = (arena_block){arena->block, bytes};
    arena->block = block;
    arena->used_bytes += bytes;

    char *start = (char *)(block + 1), *end = (char *)block + bytes;
    /* Go on in the block that has more room left: a large request does not waste the current one.
     */
    if (!arena->at || end - (start + size) > arena->end - arena->at) {
        arena->at = start + size;
        arena->end = end;
    }
    return start;
}

weir_str weir_arena_printf(weir_arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str s = weir_arena_vprintf(arena, fmt, args);
    va_end(args);
    return s;
}

weir_str weir_arena_vprintf(weir_arena *arena, const char *fmt, va_list args)
{
    char *out = arena->at;
    size_t room = out ? (size_t)(arena->end - out) : 0;
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(out, room, fmt, args);
    if (len >= 0) {
        out = weir_arena_alloc_aligned(arena, (size_t)len + 1, 1);
        if (out && (size_t)len >= room)
            vsnprintf(out, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return len >= 0 && out ? weir_str_of(out, (size_t)len) : weir_str_of(NULL, 0);
}

weir_str weir_arena_copy(weir_arena *arena, weir_str s)
{
    char *copy = s.len < SIZE_MAX ? weir_arena_alloc_aligned(arena, s.len + 1, 1) : NULL;
    if (!copy)
        return weir_str_of(NULL, 0);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return weir_str_of(copy, s.len);
}
