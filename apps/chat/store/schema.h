/**
 * @file
 * The tables, and how a database of an older version becomes one of this version.
 */
#ifndef CHAT_STORE_SCHEMA_H
#define CHAT_STORE_SCHEMA_H

#include "db.h"

/**
 * Runs the migrations that a database has not had yet, each in a transaction of its own, under a
 * lock that keeps two nodes from doing it at once.
 * @errors WEIR_ENOTSUP: the database is of a newer version. Else as db.h.
 */
WEIR_MUST_CHECK weir_err schema_migrate(db *d, weir_why *why);

#endif
