#include "rows.h"

void *rows_add(rows *self, weir_arena *mem, size_t size)
{
    if (self->len == self->room) {
        size_t room = self->room > 0 ? self->room * 2 : 16;
        char *grown = weir_arena_zalloc(mem, room * size);
        if (!grown)
            return NULL;
        if (self->len > 0)
            memcpy(grown, self->items, self->len * size);
        self->items = grown;
        self->room = room;
    }
    return (char *)self->items + self->len++ * size;
}
