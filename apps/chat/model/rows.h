/**
 * @file
 * Arrays of results that grow in an arena, with a limit.
 */
#ifndef CHAT_MODEL_ROWS_H
#define CHAT_MODEL_ROWS_H

#include <weir/base/base.h>

typedef struct rows {
    void *items;
    size_t len;
    size_t room;
} rows;

/** Space for one more item of `size` bytes, zeroed; NULL: the arena is full. */
void *rows_add(rows *self, weir_arena *mem, size_t size);

#endif
