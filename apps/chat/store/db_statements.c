#include "db_driver.h"

struct db_statement_slot *db_statements_slot(db_statements *self, const db_query *query)
{
    size_t i = (size_t)weir_random_mix((uintptr_t)query) % DB_STATEMENT_SLOTS;
    while (self->slots[i].query && self->slots[i].query != query)
        i = (i + 1) % DB_STATEMENT_SLOTS;
    if (!self->slots[i].query) {
        if (self->count == DB_MAX_STATEMENTS)
            return NULL;
        self->slots[i].query = query;
        self->count++;
    }
    return &self->slots[i];
}

void db_statements_clear(db_statements *self, void (*drop)(void *statement))
{
    for (size_t i = 0; i < DB_STATEMENT_SLOTS; i++) {
        if (self->slots[i].statement)
            drop(self->slots[i].statement);
    }
    *self = (db_statements){0};
}
