#include <weir/base/pool.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Sizes of blocks: every 16 bytes up to 256, then sixteen for each doubling, so that at most a
 * seventeenth of a block is not used. */
enum {
    SMALLEST = 64,
    GRAIN = 16,
    EVEN_BITS = 8, /* 2^EVEN_BITS: the last one of equal steps */
    LARGEST_BITS = 16,
    STEP_BITS = 4,
    STEPS = 1 << STEP_BITS,
    EVEN = 1 << EVEN_BITS,
    EVEN_CLASSES = (EVEN - SMALLEST) / GRAIN + 1,
    CLASSES = EVEN_CLASSES + (LARGEST_BITS - EVEN_BITS) * STEPS
};

#define LARGEST      ((size_t)1 << LARGEST_BITS)
#define DEFAULT_KEEP ((size_t)8 << 20)

typedef struct free_block {
    struct free_block *next;
} free_block;

struct weir_pool {
    free_block *free[CLASSES];
    size_t used_bytes;
    size_t kept_bytes;
    size_t keep_bytes;  /* upper bound of kept_bytes */
    size_t limit_bytes; /* upper bound of used_bytes + kept_bytes; SIZE_MAX: none */
    size_t refused;
};

weir_err weir_pool_new(weir_pool **out, const weir_pool_opts *opts)
{
    static const weir_pool_opts defaults;
    if (!opts)
        opts = &defaults;
    weir_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return WEIR_ENOMEM;
    pool->limit_bytes = opts->limit_bytes ? opts->limit_bytes : SIZE_MAX;
    pool->keep_bytes = opts->keep_bytes ? opts->keep_bytes : DEFAULT_KEEP;
    if (WEIR_ASAN)
        pool->keep_bytes = 0;
    *out = pool;
    return WEIR_OK;
}

/** For sizes up to LARGEST. */
static unsigned class_of(size_t size)
{
    if (size <= SMALLEST)
        return 0;
    if (size <= EVEN)
        return (unsigned)((size - SMALLEST + GRAIN - 1) / GRAIN);
    unsigned doubling = 63 - WEIR_CLZ64(size - 1); /* 2^doubling < size <= 2^(doubling + 1) */
    unsigned step = (unsigned)((size - 1) >> (doubling - STEP_BITS)) & (STEPS - 1);
    return EVEN_CLASSES + (doubling - EVEN_BITS) * STEPS + step;
}

static size_t class_bytes(unsigned class)
{
    if (class < EVEN_CLASSES)
        return SMALLEST + (size_t) class * GRAIN;
    size_t base = (size_t)EVEN << (class - EVEN_CLASSES) / STEPS;
    return base + (base >> STEP_BITS) * ((class - EVEN_CLASSES) % STEPS + 1);
}

size_t weir_pool_round(size_t size)
{
    return size <= LARGEST ? class_bytes(class_of(size)) : size;
}

static free_block *take_kept(weir_pool *pool, unsigned class)
{
    free_block *block = pool->free[class];
    if (block) {
        pool->free[class] = block->next;
        pool->kept_bytes -= class_bytes(class);
    }
    return block;
}

static void free_kept(weir_pool *pool)
{
    for (unsigned class = 0; class < CLASSES; class ++)
        for (free_block *block; (block = take_kept(pool, class));)
            free(block);
}

void weir_pool_free(weir_pool *pool)
{
    if (!pool)
        return;
    if (pool->used_bytes)
        WEIR_BUG("weir_pool_free() with %zu bytes still handed out: put every block back first",
                 pool->used_bytes);
    free_kept(pool);
    free(pool);
}

static bool fits(const weir_pool *pool, size_t bytes)
{
    return bytes <= pool->limit_bytes &&
           pool->used_bytes + pool->kept_bytes <= pool->limit_bytes - bytes;
}

static WEIR_COLD void *get_from_system(weir_pool *pool, size_t bytes)
{
    if (!fits(pool, bytes))
        free_kept(pool); /* what is kept in other sizes must not stand in the way */
    void *block = fits(pool, bytes) ? malloc(bytes) : NULL;
    if (block)
        pool->used_bytes += bytes;
    else
        pool->refused++;
    return block;
}

void *weir_pool_get(weir_pool *pool, size_t size)
{
    if (!pool)
        return malloc(weir_pool_round(size));
    if (WEIR_UNLIKELY(size > LARGEST))
        return get_from_system(pool, size);
    unsigned class = class_of(size);
    void *block = take_kept(pool, class);
    if (WEIR_UNLIKELY(!block))
        return get_from_system(pool, class_bytes(class));
    pool->used_bytes += class_bytes(class);
    return block;
}

void weir_pool_put(weir_pool *pool, void *block, size_t size)
{
    if (!pool || !block) {
        free(block);
        return;
    }
    unsigned class = size <= LARGEST ? class_of(size) : 0;
    size_t bytes = size <= LARGEST ? class_bytes(class) : size;
    pool->used_bytes -= bytes;
    if (WEIR_UNLIKELY(size > LARGEST || pool->kept_bytes + bytes > pool->keep_bytes)) {
        free(block);
        return;
    }
    free_block *kept = block;
    kept->next = pool->free[class];
    pool->free[class] = kept;
    pool->kept_bytes += bytes;
}

void weir_pool_get_stats(const weir_pool *pool, weir_pool_stats *out)
{
    *out = (weir_pool_stats){pool->used_bytes, pool->kept_bytes, pool->refused};
}
