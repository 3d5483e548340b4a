/**
 * @file
 * What a database has to offer so that db.h works with it, and what its drivers share.
 */
#ifndef CHAT_STORE_DB_DRIVER_H
#define CHAT_STORE_DB_DRIVER_H

#include "db.h"

#include <stdint.h>

enum {
    /** Statements of one connection; the program has a fixed number of them, and it is smaller. */
    DB_MAX_STATEMENTS = 256,
    DB_STATEMENT_SLOTS = 2 * DB_MAX_STATEMENTS
};

/** Prepared statements by their query's address: hashing with open addressing. */
typedef struct db_statements {
    struct db_statement_slot {
        const db_query *query;
        void *statement; /* the driver's; NULL: not prepared yet */
    } slots[DB_STATEMENT_SLOTS];
    size_t count;
} db_statements;

/** Callbacks mean what the functions of db.h that are called so mean. */
typedef struct db_ops {
    const char *scheme; /* of the URL, with what follows it: "sqlite:" */
    bool single_writer;
    weir_err (*open)(db **out, const char *url, weir_why *why);
    void (*close)(db *self);
    weir_err (*begin)(db *self, bool reads_only);
    weir_err (*commit)(db *self);
    void (*rollback)(db *self);
    weir_err (*exec)(db *self, const db_query *query, const db_value *values, size_t count);
    weir_err (*query_rows)(db *self, db_rows *rows, const db_query *query, const db_value *values,
                           size_t count);
    bool (*next)(db_rows *rows);
    int64_t (*column_int)(const db_rows *rows, int column);
    weir_str (*column_text)(const db_rows *rows, int column);
    void (*rows_end)(db_rows *rows);
    weir_err (*backup)(const char *url, const char *file, weir_why *why);  /* NULL: not supported */
    weir_err (*restore)(const char *url, const char *file, weir_why *why); /* NULL: not supported */
} db_ops;

/** First member of each driver's own struct. */
struct db {
    const db_ops *ops;
    int64_t changes;
    int64_t total_changes;
    int64_t last_id;
    int64_t reopened;
    db_statements statements;
    weir_why error;
};

extern const db_ops db_sqlite_ops;
extern const db_ops db_mariadb_ops;

/**
 * The slot of that query, whose `statement` is NULL at first.
 * @return NULL: DB_MAX_STATEMENTS are in use
 */
struct db_statement_slot *db_statements_slot(db_statements *self, const db_query *query);
/** Forgets all, after `drop` has freed each. */
void db_statements_clear(db_statements *self, void (*drop)(void *statement));

/** The bytes of a text or blob, never NULL. */
static inline const char *db_value_bytes(const db_value *value)
{
    return value->bytes.ptr ? value->bytes.ptr : "";
}

#endif
