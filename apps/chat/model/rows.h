/**
 * @file
 * Results of queries: arrays that grow in an arena, and single numbers.
 */
#ifndef CHAT_MODEL_ROWS_H
#define CHAT_MODEL_ROWS_H

#include "store/db.h"

typedef struct rows {
    void *items;
    size_t len;
    size_t room;
} rows;

/** Space for one more item of `size` bytes, zeroed; NULL: the arena is full. */
void *rows_add(rows *self, weir_arena *mem, size_t size);

/** The first column of a query's first row. @errors WEIR_ENOENT: it gives no row; `out` is 0 then
 */
WEIR_MUST_CHECK weir_err rows_number(db *d, const db_query *query, const db_value *values,
                                     size_t count, int64_t *out);

#endif
