#include "heap.h"

#include <stdlib.h>

weir_err weir__heap_init(weir__heap *heap, size_t room)
{
    weir__heap_entry *entries = malloc((room ? room : 1) * sizeof *entries);
    uint32_t *where = malloc((room ? room : 1) * sizeof *where);
    if (!entries || !where) {
        free(entries);
        free(where);
        return WEIR_ENOMEM;
    }
    *heap = (weir__heap){.entries = entries, .where = where};
    return WEIR_OK;
}

void weir__heap_fini(weir__heap *heap)
{
    free(heap->entries);
    free(heap->where);
    *heap = (weir__heap){0};
}

static bool less(const weir__heap_entry *a, const weir__heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void put(weir__heap *heap, size_t at, weir__heap_entry entry)
{
    heap->entries[at] = entry;
    heap->where[entry.item] = (uint32_t)at;
}

static void sift_up(weir__heap *heap, size_t at)
{
    const weir__heap_entry entry = heap->entries[at];
    while (at > 0 && less(&entry, &heap->entries[(at - 1) / 2])) {
        put(heap, at, heap->entries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, entry);
}

static void sift_down(weir__heap *heap, size_t at)
{
    const weir__heap_entry entry = heap->entries[at];
    for (size_t child = 2 * at + 1; child < heap->count; child = 2 * at + 1) {
        if (child + 1 < heap->count && less(&heap->entries[child + 1], &heap->entries[child]))
            child++;
        if (!less(&heap->entries[child], &entry))
            break;
        put(heap, at, heap->entries[child]);
        at = child;
    }
    put(heap, at, entry);
}

void weir__heap_push(weir__heap *heap, uint32_t item, uint64_t key, uint64_t tie)
{
    heap->entries[heap->count] = (weir__heap_entry){key, tie, item};
    sift_up(heap, heap->count++);
}

/* The popped one goes where the last one was, so that it can be put back. */
uint32_t weir__heap_pop(weir__heap *heap)
{
    const weir__heap_entry least = heap->entries[0];
    heap->count--;
    put(heap, 0, heap->entries[heap->count]);
    put(heap, heap->count, least);
    if (heap->count > 1)
        sift_down(heap, 0);
    return least.item;
}

void weir__heap_unpop(weir__heap *heap)
{
    sift_up(heap, heap->count++);
}

void weir__heap_move(weir__heap *heap, uint32_t item, uint64_t key, uint64_t tie)
{
    size_t at = heap->where[item];
    heap->entries[at].key = key;
    heap->entries[at].tie = tie;
    if (at > 0 && less(&heap->entries[at], &heap->entries[(at - 1) / 2]))
        sift_up(heap, at);
    else
        sift_down(heap, at);
}
