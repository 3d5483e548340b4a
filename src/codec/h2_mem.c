#include "h2_mem.h"

#include <stdint.h>
#include <string.h>

/** In front of what the library sees, which is aligned to 8: none of its types needs more. */
struct front {
    size_t size; /* as asked of the pool */
};

static struct front *front_of(void *block)
{
    return (struct front *)block - 1;
}

void *weir__h2_malloc(size_t size, void *pool)
{
    if (size > SIZE_MAX - sizeof(struct front))
        return NULL;
    struct front *front = weir_pool_get(pool, size + sizeof *front);
    if (!front)
        return NULL;
    front->size = size + sizeof *front;
    return front + 1;
}

void weir__h2_free(void *block, void *pool)
{
    if (block)
        weir_pool_put(pool, front_of(block), front_of(block)->size);
}

void *weir__h2_calloc(size_t count, size_t size, void *pool)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *block = weir__h2_malloc(total, pool);
    if (block)
        memset(block, 0, total);
    return block;
}

void *weir__h2_realloc(void *block, size_t size, void *pool)
{
    void *moved = weir__h2_malloc(size, pool);
    if (!moved || !block)
        return moved;
    size_t had = front_of(block)->size - sizeof(struct front);
    memcpy(moved, block, had < size ? had : size);
    weir__h2_free(block, pool);
    return moved;
}
