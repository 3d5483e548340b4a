/**
 * @file
 * SQL, as SQLite and MariaDB both speak it: one connection of a database, and prepared statements
 * on it. Everything above is written once; a statement whose text must differ has two texts.
 *
 * A `db` is used by one thread at a time, and blocks it.
 */
#ifndef CHAT_STORE_DB_H
#define CHAT_STORE_DB_H

#include <weir/base/base.h>

typedef struct db db;

/** A statement: static, since its address names it. Prepared when a connection first runs it. */
typedef struct db_query {
    const char *text;    /**< with ? for its values */
    const char *mariadb; /**< where MariaDB needs another text; NULL: the same */
} db_query;

/** One value for a ?. */
typedef struct db_value {
    enum {
        DB_NULL,
        DB_INT,
        DB_TEXT,
        DB_BLOB
    } kind;
    int64_t number;
    weir_str bytes; /**< borrowed until the statement has run to its end */
} db_value;

static inline db_value db_int(int64_t number)
{
    return (db_value){.kind = DB_INT, .number = number};
}

static inline db_value db_text(weir_str bytes)
{
    return (db_value){.kind = DB_TEXT, .bytes = bytes};
}

static inline db_value db_blob(weir_str bytes)
{
    return (db_value){.kind = DB_BLOB, .bytes = bytes};
}

/** The values of a statement: db_exec(d, &INSERT_USER, DB_VALUES(db_int(id), db_text(name))). */
#define DB_VALUES(...)                                                                             \
    (const db_value[]){__VA_ARGS__}, sizeof((const db_value[]){__VA_ARGS__}) / sizeof(db_value)
/** ... of one without any. */
#define DB_NONE NULL, 0

/* Errors of all functions below. Their texts are db_error()'s.
 *   WEIR_EEXIST   a UNIQUE or PRIMARY KEY has that value already; the transaction may go on
 *   WEIR_EAGAIN   deadlock, lock wait or busy: the whole transaction must be run again
 *   WEIR_ECLOSED  the database is away; whether a commit took place is not known
 *   WEIR_EFULL    the disk is full: nothing of the transaction is kept
 *   WEIR_EIO      anything else
 *   WEIR_ENOMEM */

/**
 * @param url   "sqlite:PATH" or "mariadb://USER:PASSWORD@HOST:PORT/DATABASE" (and
 *              "mariadb://USER:PASSWORD@/DATABASE?socket=PATH"), %XX for other bytes; the database
 *              is made if it is missing
 * @param why   a sentence on failure, without the password
 * @errors also WEIR_EINVAL: no such URL; WEIR_EACCES: wrong user or password
 */
WEIR_MUST_CHECK weir_err db_open(db **out, const char *url, weir_why *why);
/** NULL is fine. */
void db_close(db *self);
/** The last failure's sentence, until the next call. */
const char *db_error(const db *self);
/** Whether a URL's database has one writer only (SQLite). */
bool db_is_single_writer(const char *url);

/** Transactions. MariaDB: READ COMMITTED; what must not race takes its row's lock by an UPDATE
 * first. SQLite: BEGIN IMMEDIATE, or with `reads_only` a snapshot. */
WEIR_MUST_CHECK weir_err db_begin(db *self, bool reads_only);
/** After a failure the transaction is over. So it is after a statement has ended with WEIR_EAGAIN,
 * WEIR_ECLOSED or WEIR_EFULL: those after it are refused, and the commit too. */
WEIR_MUST_CHECK weir_err db_commit(db *self);
/** Without a transaction nothing happens. Never fails: a connection whose rollback fails is closed
 * and opened anew by the next db_begin().
 */
void db_rollback(db *self);

/** Runs a statement that gives no rows. */
WEIR_MUST_CHECK weir_err db_exec(db *self, const db_query *query, const db_value *values,
                                 size_t count);
/** Rows that the last db_exec() changed. */
int64_t db_changes(const db *self);
/** Rows changed since db_open(): whether anything has been written meanwhile. */
int64_t db_total_changes(const db *self);
/** What the last db_exec()'s INSERT was given as its automatic key, or its
 * LAST_INSERT_ID(expression) in MariaDB. */
int64_t db_last_id(const db *self);
/** Connections that were lost and made anew since db_open(). */
int64_t db_reopened(const db *self);

/** Rows of a query. On the caller's stack; between db_query_rows() and db_rows_end(). Rows of two
 * different queries may be open at once; those of one query not. */
typedef struct db_rows {
    db *of;
    void *statement;
    weir_err err; /**< why db_next() said false; WEIR_OK: there are no more */
} db_rows;

WEIR_MUST_CHECK weir_err db_query_rows(db *self, db_rows *rows, const db_query *query,
                                       const db_value *values, size_t count);
/** The next row. @return false: no more, or rows->err */
WEIR_MUST_CHECK bool db_next(db_rows *rows);
/** Column of this row, from 0; a NULL is 0. */
int64_t db_column_int(const db_rows *rows, int column);
/** Until the next row; a NULL is the empty view. */
weir_str db_column_text(const db_rows *rows, int column);
/** @return rows->err */
weir_err db_rows_end(db_rows *rows);

/** A copy of a SQLite database into a file, while it is in use. WEIR_ENOTSUP with MariaDB, whose
 * own tools do that. */
WEIR_MUST_CHECK weir_err db_backup(const char *url, const char *file, weir_why *why);
/** The other way. A file that is no sound backup changes nothing.
 * @errors WEIR_ESTATE: somebody uses the database. WEIR_EMALFORMED: the file is not sound. */
WEIR_MUST_CHECK weir_err db_restore(const char *url, const char *file, weir_why *why);

#endif
