#include "table.h"

#include <stdlib.h>

static table_row **place_of(table *t, weir_str name)
{
    size_t hash = 5381;
    for (size_t i = 0; i < name.len; i++)
        hash = hash * 33 + (unsigned char)name.ptr[i];
    table_row **place = &t->rows[hash % TABLE_PLACES];
    while (*place && !weir_str_eq(weir_str_from((*place)->name), name))
        place = &(*place)->next;
    return place;
}

static table_row *make_row(table_row **place, weir_str name)
{
    table_row *row = calloc(1, sizeof *row + name.len + 1);
    if (row)
        memcpy(row->name, name.ptr ? name.ptr : "", name.len);
    return *place = row;
}

static weir_err add(table *t, weir_str name, weir_str text, int64_t *number)
{
    table_row **place = place_of(t, name), *row = *place ? *place : make_row(place, name);
    if (!row)
        return WEIR_ENOMEM;
    if (row->count >= TABLE_ITEMS)
        return WEIR_EFULL;
    char **items = realloc(row->items, (row->count + 1) * sizeof *items);
    char *copy = strndup(text.ptr ? text.ptr : "", text.len);
    if (items)
        row->items = items;
    if (!items || !copy) {
        free(copy);
        return WEIR_ENOMEM;
    }
    items[row->count++] = copy;
    if (number)
        *number = (int64_t)row->count;
    return WEIR_OK;
}

weir_err table_add(table *t, weir_str name, weir_str text, int64_t *number)
{
    pthread_mutex_lock(&t->lock);
    weir_err err = add(t, name, text, number);
    pthread_mutex_unlock(&t->lock);
    return err;
}

size_t table_get(table *t, weir_str name, weir_arena *mem, weir_str **out)
{
    size_t count = 0;
    pthread_mutex_lock(&t->lock);
    const table_row *row = *place_of(t, name);
    *out = row ? weir_arena_alloc(mem, row->count * sizeof **out) : NULL;
    for (; *out && count < row->count; count++)
        (*out)[count] = weir_arena_copy(mem, weir_str_from(row->items[count]));
    pthread_mutex_unlock(&t->lock);
    return count;
}
