/**
 * @file
 * The door to SQLite.
 */
#ifndef CHAT_STORE_DB_SQLITE_H
#define CHAT_STORE_DB_SQLITE_H

#include "db_driver.h"

#include <sqlite3.h>

/** The weir_err for what a function of SQLite returned just now. */
weir_err db_sqlite_err(sqlite3 *handle, int code);
/** Fills `why` with what has just failed, and gives its error. */
weir_err db_sqlite_why(sqlite3 *handle, int code, const char *path, weir_why *why);
/** Opens for this thread only; *out needs sqlite3_close() in any case. */
int db_sqlite_open_file(sqlite3 **out, const char *path, int flags);

/** What follows "sqlite:". */
const char *db_sqlite_path(const char *url);

weir_err db_sqlite_backup(const char *url, const char *file, weir_why *why);
weir_err db_sqlite_restore(const char *url, const char *file, weir_why *why);

#endif
