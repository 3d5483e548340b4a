#include "db_mariadb.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TIMEOUT_S = 5 /* to connect, and for each answer */
};

static const char SCHEME[] = "mariadb:";

/* Names are compared by bytes, as in the tables. A lock is waited for less long than an answer. */
static const char *const SETTINGS[] = {
    "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION innodb_lock_wait_timeout = 3",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
};

weir_err db_mariadb_err(unsigned code, const char *text)
{
    switch (code) {
    case 0:
        return WEIR_OK;
    case ER_DUP_ENTRY:
    case ER_DUP_KEY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
        return WEIR_EEXIST;
    case ER_LOCK_DEADLOCK:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_CHECKREAD:
    case ER_TABLE_DEF_CHANGED:
    case ER_NEED_REPREPARE:
        return WEIR_EAGAIN;
    case CR_CONNECTION_ERROR:
    case CR_CONN_HOST_ERROR:
    case CR_IPSOCK_ERROR:
    case CR_UNKNOWN_HOST:
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_SERVER_LOST_EXTENDED:
    case CR_SERVER_HANDSHAKE_ERR:
    case CR_COMMANDS_OUT_OF_SYNC:
    case CR_MALFORMED_PACKET:
    case ER_CON_COUNT_ERROR:
    case ER_SERVER_SHUTDOWN:
    case ER_CONNECTION_KILLED:
    case ER_UNKNOWN_STMT_HANDLER:
        return WEIR_ECLOSED;
    case ER_DISK_FULL:
    case ER_RECORD_FILE_FULL:
        return WEIR_EFULL;
    case ER_GET_ERRNO: /* an errno in its text: 28 is ENOSPC */
        return strstr(text, "error 28 ") ? WEIR_EFULL : WEIR_EIO;
    case CR_OUT_OF_MEMORY:
        return WEIR_ENOMEM;
    case ER_ACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
        return WEIR_EACCES;
    default:
        return WEIR_EIO;
    }
}

weir_err db_mariadb_failed(mariadb_db *self, unsigned code, const char *text)
{
    weir_err err = db_mariadb_err(code, text);
    weir_why_set(&self->base.error, err, "%s (%u)", text, code);
    if (err == WEIR_ECLOSED)
        self->is_lost = true;
    const bool ends_it = err == WEIR_EAGAIN || err == WEIR_ECLOSED || err == WEIR_EFULL;
    if (self->in_transaction && !self->broken && ends_it)
        self->broken = err;
    return err;
}

static weir_err command(mariadb_db *self, const char *text)
{
    if (mysql_query(self->handle, text) == 0)
        return WEIR_OK;
    return db_mariadb_failed(self, mysql_errno(self->handle), mysql_error(self->handle));
}

static void disconnect(mariadb_db *self)
{
    db_statements_clear(&self->base.statements, db_mariadb_drop_statement);
    if (self->handle)
        mysql_close(self->handle);
    self->handle = NULL;
    self->is_lost = false;
}

static bool set_options(MYSQL *handle)
{
    const unsigned timeout_s = TIMEOUT_S, off = 0;
    return mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s) == 0 &&
           mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &timeout_s) == 0 &&
           mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &timeout_s) == 0 &&
           mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &off) == 0 &&
           mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
}

/** @param database  NULL: none. CLIENT_FOUND_ROWS: rows found are counted, as SQLite does, not
 * those that are different then. */
static weir_err reach(mariadb_db *self, const char *database)
{
    const db_mariadb_url *u = &self->url;
    disconnect(self);
    self->handle = mysql_init(NULL);
    if (!self->handle || !set_options(self->handle))
        return weir_why_set(&self->base.error, WEIR_ENOMEM, "out of memory");
    if (mysql_real_connect(self->handle, *u->host ? u->host : NULL, u->user, u->password, database,
                           u->port, *u->socket ? u->socket : NULL, CLIENT_FOUND_ROWS))
        return WEIR_OK;
    return db_mariadb_failed(self, mysql_errno(self->handle), mysql_error(self->handle));
}

/** The database's name has letters only that need no quoting but '-'. */
static weir_err make_database(mariadb_db *self)
{
    char text[256];
    snprintf(text, sizeof text,
             "CREATE DATABASE IF NOT EXISTS `%s` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
             self->url.database);
    weir_err err = reach(self, NULL);
    if (!err)
        err = command(self, text);
    return err ? err : reach(self, self->url.database);
}

static weir_err connect_db(mariadb_db *self)
{
    weir_err err = reach(self, self->url.database);
    if (err && self->handle && mysql_errno(self->handle) == ER_BAD_DB_ERROR)
        err = make_database(self);
    for (size_t i = 0; !err && i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        err = command(self, SETTINGS[i]);
    if (err)
        disconnect(self);
    return err;
}

static void init_library(void)
{
    mysql_library_init(0, NULL, NULL);
}

static void close_db(db *base)
{
    disconnect(mariadb_of(base));
    free(mariadb_of(base));
}

static weir_err open_db(db **out, const char *url, weir_why *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
    db_mariadb_url parts;
    weir_err err = db_mariadb_url_parse(&parts, url, why);
    if (err)
        return err;
    mariadb_db *self = calloc(1, sizeof *self);
    if (!self)
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    self->base.ops = &db_mariadb_ops;
    self->url = parts;
    err = connect_db(self);
    if (err) {
        weir_why_set(why, err, "database %s: %s", parts.database, self->base.error.text);
        close_db(&self->base);
        return err;
    }
    *out = &self->base;
    return WEIR_OK;
}

/** A new connection, if there is none. Whatever keeps one from being made: the database is away. */
static weir_err be_connected(mariadb_db *self)
{
    if (self->handle && !self->is_lost)
        return WEIR_OK;
    weir_err err = connect_db(self);
    if (err)
        return err == WEIR_ENOMEM ? err : WEIR_ECLOSED;
    self->base.reopened++;
    return WEIR_OK;
}

static weir_err begin(db *base, bool reads_only)
{
    mariadb_db *self = mariadb_of(base);
    if (self->in_transaction)
        WEIR_BUG("db_begin() in a transaction");
    const char *text = reads_only ? "START TRANSACTION READ ONLY" : "START TRANSACTION";
    weir_err err = be_connected(self);
    if (!err) {
        err = command(self, text);
        if (err == WEIR_ECLOSED) { /* it was lost since it was last used */
            err = be_connected(self);
            if (!err)
                err = command(self, text);
        }
    }
    self->in_transaction = !err;
    return err;
}

static void rollback(db *base)
{
    mariadb_db *self = mariadb_of(base);
    if (!self->in_transaction)
        return;
    self->in_transaction = false;
    self->broken = WEIR_OK;
    if (self->is_lost || mysql_rollback(self->handle) != 0)
        disconnect(self);
}

static weir_err commit(db *base)
{
    mariadb_db *self = mariadb_of(base);
    weir_err err = self->broken;
    if (!err && mysql_commit(self->handle) != 0)
        err = db_mariadb_failed(self, mysql_errno(self->handle), mysql_error(self->handle));
    if (err)
        rollback(base);
    self->in_transaction = false;
    return err;
}

const db_ops db_mariadb_ops = {
    .scheme = SCHEME,
    .open = open_db,
    .close = close_db,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .exec = db_mariadb_exec,
    .query_rows = db_mariadb_query_rows,
    .next = db_mariadb_next,
    .column_int = db_mariadb_column_int,
    .column_text = db_mariadb_column_text,
    .rows_end = db_mariadb_rows_end,
};
