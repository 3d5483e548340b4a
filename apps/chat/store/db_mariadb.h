/**
 * @file
 * The door to MariaDB, and its driver's inside.
 */
#ifndef CHAT_STORE_DB_MARIADB_H
#define CHAT_STORE_DB_MARIADB_H

#include "db_driver.h"
#include "db_mariadb_url.h"

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>

typedef struct mariadb_db {
    db base;
    db_mariadb_url url;
    MYSQL *handle; /* NULL: not connected */
    bool is_lost;  /* the connection is of no use any more */
    bool in_transaction;
    weir_err broken; /* why the transaction can only be rolled back */
} mariadb_db;

static inline mariadb_db *mariadb_of(db *self)
{
    return WEIR_CONTAINER_OF(self, mariadb_db, base);
}

/** The weir_err for one of MariaDB's errors. */
weir_err db_mariadb_err(unsigned code, const char *text);
/** Notes what has failed, and what that means for the connection and its transaction. */
weir_err db_mariadb_failed(mariadb_db *self, unsigned code, const char *text);

/* db_mariadb_statement.c */

weir_err db_mariadb_exec(db *base, const db_query *query, const db_value *values, size_t count);
weir_err db_mariadb_query_rows(db *base, db_rows *rows, const db_query *query,
                               const db_value *values, size_t count);
bool db_mariadb_next(db_rows *rows);
int64_t db_mariadb_column_int(const db_rows *rows, int column);
weir_str db_mariadb_column_text(const db_rows *rows, int column);
void db_mariadb_rows_end(db_rows *rows);
/** For db_statements_clear(). */
void db_mariadb_drop_statement(void *statement);

#endif
