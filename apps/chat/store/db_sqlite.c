#include "db_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OPEN_TIMEOUT_MS = 5000, /* another process may be opening or checkpointing it */
    BUSY_TIMEOUT_MS = 300
};

typedef struct sqlite_db {
    db base;
    sqlite3 *handle;
    bool in_transaction;
    weir_err broken; /* why SQLite has rolled the transaction back by itself */
} sqlite_db;

static const char SCHEME[] = "sqlite:";

/* FULL: what was answered survives a loss of power. The log may grow to 40 MB before it is copied
 * into the database, whose pages are then written once for many changes. */
static const char SETTINGS[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA synchronous = FULL;"
                               "PRAGMA secure_delete = OFF;"
                               "PRAGMA cache_size = -65536;"
                               "PRAGMA wal_autocheckpoint = 10000;"
                               "PRAGMA journal_size_limit = 67108864;";

static const db_query BEGIN_WRITE = {"BEGIN IMMEDIATE", NULL};
static const db_query BEGIN_READ = {"BEGIN", NULL};
static const db_query COMMIT = {"COMMIT", NULL};
static const db_query ROLLBACK = {"ROLLBACK", NULL};

/**
 * Whether a write has failed for want of room, by the log's last errno. SQLITE_FULL stands for
 * ENOSPC only, and sqlite3_system_errno() knows nothing of writes to the log.
 */
static bool lacks_room(sqlite3 *handle)
{
    sqlite3_file *log = NULL;
    int last = 0;
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &last);
    return last == ENOSPC || last == EDQUOT || last == EFBIG;
}

weir_err db_sqlite_err(sqlite3 *handle, int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_UNIQUE:
        return WEIR_EEXIST;
    default:
        break;
    }
    switch (code & 0xff) {
    case SQLITE_OK:
        return WEIR_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WEIR_EAGAIN;
    case SQLITE_FULL:
        return WEIR_EFULL;
    case SQLITE_NOMEM:
        return WEIR_ENOMEM;
    case SQLITE_IOERR:
        return lacks_room(handle) ? WEIR_EFULL : WEIR_EIO;
    default:
        return WEIR_EIO;
    }
}

weir_err db_sqlite_why(sqlite3 *handle, int code, const char *path, weir_why *why)
{
    if (!handle)
        return weir_why_set(why, WEIR_ENOMEM, "%s: out of memory", path);
    const char *advice =
        code == SQLITE_CANTOPEN ? ": does its folder exist, and may it be written?" : "";
    return weir_why_set(why, db_sqlite_err(handle, code), "%s: %s%s", path, sqlite3_errmsg(handle),
                        advice);
}

const char *db_sqlite_path(const char *url)
{
    return url + strlen(SCHEME);
}

int db_sqlite_open_file(sqlite3 **out, const char *path, int flags)
{
    int code =
        sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (*out)
        sqlite3_busy_timeout(*out, OPEN_TIMEOUT_MS);
    return code;
}

static sqlite_db *of(db *self)
{
    return WEIR_CONTAINER_OF(self, sqlite_db, base);
}

static void drop_statement(void *statement)
{
    sqlite3_finalize(statement);
}

static void close_db(db *self)
{
    db_statements_clear(&self->statements, drop_statement);
    sqlite3_close(of(self)->handle);
    free(of(self));
}

/** Made by us if it is missing, so that only its owner can read it: it holds secrets. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static weir_err open_db(db **out, const char *url, weir_why *why)
{
    const char *path = db_sqlite_path(url);
    if (!*path)
        return weir_why_set(why, WEIR_EINVAL, "\"%s\" has no path", url);
    sqlite_db *self = calloc(1, sizeof *self);
    if (!self)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    self->base.ops = &db_sqlite_ops;
    make_private(path);
    int code = db_sqlite_open_file(&self->handle, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (code == SQLITE_OK)
        code = sqlite3_exec(self->handle, SETTINGS, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        weir_err err = db_sqlite_why(self->handle, code, path, why);
        close_db(&self->base);
        return err;
    }
    sqlite3_busy_timeout(self->handle, BUSY_TIMEOUT_MS);
    *out = &self->base;
    return WEIR_OK;
}

/** Notes what has failed. */
static weir_err failed(sqlite_db *self, int code)
{
    weir_err err = db_sqlite_err(self->handle, code);
    weir_why_set(&self->base.error, err, "%s", sqlite3_errmsg(self->handle));
    weir_why_set(&self->base.error, err, "%s", sqlite3_errmsg(self->handle));
    if (self->in_transaction && !self->broken && sqlite3_get_autocommit(self->handle))
        self->broken = err;
    return err;
}

static int bind(sqlite3_stmt *statement, int index, const db_value *value)
{
    switch (value->kind) {
    case DB_INT:
        return sqlite3_bind_int64(statement, index, value->number);
    case DB_TEXT:
        return sqlite3_bind_text64(statement, index, db_value_bytes(value), value->bytes.len,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case DB_BLOB:
        return sqlite3_bind_blob64(statement, index, db_value_bytes(value), value->bytes.len,
                                   SQLITE_STATIC);
    case DB_NULL:
    default:
        return sqlite3_bind_null(statement, index);
    }
}

static weir_err prepare(sqlite_db *self, const db_query *query, sqlite3_stmt **out)
{
    struct db_statement_slot *slot = db_statements_slot(&self->base.statements, query);
    if (!slot)
        return weir_why_set(&self->base.error, WEIR_ENOMEM, "more than %d statements",
                            DB_MAX_STATEMENTS);
    if (!slot->statement) {
        sqlite3_stmt *made = NULL;
        int code = sqlite3_prepare_v3(self->handle, query->text, -1, SQLITE_PREPARE_PERSISTENT,
                                      &made, NULL);
        if (code != SQLITE_OK)
            return failed(self, code);
        slot->statement = made;
    }
    *out = slot->statement;
    return WEIR_OK;
}

/** The statement with its values, ready to be stepped. */
static weir_err start(sqlite_db *self, const db_query *query, const db_value *values, size_t count,
                      sqlite3_stmt **out)
{
    if (self->broken) /* without its transaction it would be one of its own */
        return self->broken;
    self->base.error.text[0] = 0;
    sqlite3_stmt *statement = NULL;
    weir_err err = prepare(self, query, &statement);
    if (err)
        return err;
    if (sqlite3_bind_parameter_count(statement) != (int)count)
        WEIR_BUG("\"%s\" was given %zu values", query->text, count);
    if (sqlite3_stmt_busy(statement))
        WEIR_BUG("\"%s\" is run while its rows are open: end them with db_rows_end()", query->text);
    for (size_t i = 0; i < count; i++) {
        int code = bind(statement, (int)i + 1, &values[i]);
        if (code != SQLITE_OK)
            return failed(self, code);
    }
    *out = statement;
    return WEIR_OK;
}

static void count_changes(sqlite_db *self)
{
    self->base.changes = sqlite3_changes64(self->handle);
    self->base.total_changes = sqlite3_total_changes64(self->handle);
}

static weir_err exec(db *base, const db_query *query, const db_value *values, size_t count)
{
    sqlite_db *self = of(base);
    sqlite3_stmt *statement = NULL;
    weir_err err = start(self, query, values, count, &statement);
    if (err)
        return err;
    int code = sqlite3_step(statement);
    while (code == SQLITE_ROW)
        code = sqlite3_step(statement);
    if (code != SQLITE_DONE)
        err = failed(self, code);
    sqlite3_reset(statement);
    count_changes(self);
    base->last_id = sqlite3_last_insert_rowid(self->handle);
    return err;
}

static weir_err begin(db *base, bool reads_only)
{
    sqlite_db *self = of(base);
    if (self->in_transaction)
        WEIR_BUG("db_begin() in a transaction");
    weir_err err = exec(base, reads_only ? &BEGIN_READ : &BEGIN_WRITE, DB_NONE);
    self->in_transaction = !err;
    return err;
}

static void rollback(db *base)
{
    sqlite_db *self = of(base);
    self->in_transaction = false;
    self->broken = WEIR_OK;
    if (sqlite3_get_autocommit(self->handle))
        return;
    const weir_why error = base->error;
    weir_err err = exec(base, &ROLLBACK, DB_NONE);
    if (err) /* only with rows still open */
        WEIR_BUG("a rollback failed: %s", base->error.text);
    base->error = error;
}

static weir_err commit(db *base)
{
    weir_err err = exec(base, &COMMIT, DB_NONE);
    if (err)
        rollback(base);
    of(base)->in_transaction = false;
    return err;
}

static weir_err query_rows(db *base, db_rows *rows, const db_query *query, const db_value *values,
                           size_t count)
{
    sqlite3_stmt *statement = NULL;
    weir_err err = start(of(base), query, values, count, &statement);
    rows->statement = statement;
    return err;
}

static void rows_end(db_rows *rows)
{
    sqlite3_reset(rows->statement);
    count_changes(of(rows->of));
}

static bool next(db_rows *rows)
{
    if (rows->err)
        return false;
    int code = sqlite3_step(rows->statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        rows->err = failed(of(rows->of), code);
    rows_end(rows);
    rows->statement = NULL; /* stepped once more it would begin again */
    return false;
}

static int64_t column_int(const db_rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

static weir_str column_text(const db_rows *rows, int column)
{
    const void *bytes = sqlite3_column_blob(rows->statement, column);
    return weir_str_of(bytes, (size_t)sqlite3_column_bytes(rows->statement, column));
}

const db_ops db_sqlite_ops = {
    .scheme = SCHEME,
    .single_writer = true,
    .open = open_db,
    .close = close_db,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .exec = exec,
    .query_rows = query_rows,
    .next = next,
    .column_int = column_int,
    .column_text = column_text,
    .rows_end = rows_end,
    .backup = db_sqlite_backup,
    .restore = db_sqlite_restore,
};
