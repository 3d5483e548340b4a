/**
 * @file
 * malloc's family on a pool, for the framing library: a pool wants the size back with a block, so
 * each block carries its own in front. The last argument is the pool; NULL is malloc.
 */
#ifndef WEIR_CODEC_H2_MEM_H
#define WEIR_CODEC_H2_MEM_H

#include <weir/base/pool.h>

void *weir__h2_malloc(size_t size, void *pool);
void weir__h2_free(void *block, void *pool);
void *weir__h2_calloc(size_t count, size_t size, void *pool);
void *weir__h2_realloc(void *block, size_t size, void *pool);

#endif
