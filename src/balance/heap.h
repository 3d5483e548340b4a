/**
 * @file
 * A binary heap of items 0 to room - 1, each at most once in it, that knows where each one is.
 */
#ifndef WEIR_BALANCE_HEAP_H
#define WEIR_BALANCE_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>

/** In order of key, then of tie. */
typedef struct weir__heap_entry {
    uint64_t key, tie;
    uint32_t item;
} weir__heap_entry;

typedef struct weir__heap {
    size_t count;
    weir__heap_entry *entries; /* entries[0] is the least */
    uint32_t *where;           /* of each item */
} weir__heap;

/** Empty, and untouched on failure. Zeroed is valid too, with no room. */
WEIR_MUST_CHECK weir_err weir__heap_init(weir__heap *heap, size_t room);
void weir__heap_fini(weir__heap *heap);

/** The item is not in it yet. */
void weir__heap_push(weir__heap *heap, uint32_t item, uint64_t key, uint64_t tie);
/** Removes the least one, and returns its item. There is one. */
uint32_t weir__heap_pop(weir__heap *heap);
/** Gives an item that is in it another key. */
void weir__heap_move(weir__heap *heap, uint32_t item, uint64_t key, uint64_t tie);
/** Puts the one that was popped last back; as often as was popped since the last push. */
void weir__heap_unpop(weir__heap *heap);

#endif
