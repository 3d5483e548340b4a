/**
 * @file
 * What a module keeps of each person: a table by name that handlers on several threads share. It
 * is memory, so that the example stays small; a module of a real application has a database.
 */
#ifndef SOCIAL_TABLE_H
#define SOCIAL_TABLE_H

#include <pthread.h>
#include <weir/weir.h>

enum {
    TABLE_PLACES = 1024,
    TABLE_ITEMS = 1000 /* of one person */
};

typedef struct table_row {
    struct table_row *next;
    char **items; /* texts */
    size_t count;
    char name[];
} table_row;

typedef struct table {
    pthread_mutex_t lock;
    table_row *rows[TABLE_PLACES];
} table;

#define TABLE_INIT                                                                                 \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/** Adds a text to a person's row. @param number  of it in the row; may be NULL
 * @errors WEIR_EFULL: TABLE_ITEMS are there; WEIR_ENOMEM */
weir_err table_add(table *t, weir_str name, weir_str text, int64_t *number);
/** Copies of what is there. @return how many */
size_t table_get(table *t, weir_str name, weir_arena *mem, weir_str **out);

#endif
