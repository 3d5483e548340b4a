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

weir_err rows_number(db *d, const db_query *query, const db_value *values, size_t count,
                     int64_t *out)
{
    db_rows row;
    *out = 0;
    weir_err err = db_query_rows(d, &row, query, values, count);
    if (err)
        return err;
    bool found = db_next(&row);
    if (found)
        *out = db_column_int(&row, 0);
    err = db_rows_end(&row);
    return err || found ? err : WEIR_ENOENT;
}
