/**
 * @file
 * A database for each test case: a new SQLite file, or with WEIR_MARIADB_URL in the environment a
 * new database of that server.
 */
#ifndef CHAT_STORE_STORE_TESTING_H
#define CHAT_STORE_STORE_TESTING_H

#include "db.h"
#include "schema.h"

#include <test.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct testing_store {
    char folder[64]; /* SQLite's */
    char url[256];
    bool is_mariadb;
} testing_store;

static inline void testing_store_init(testing_store *self)
{
    static int number;
    *self = (testing_store){.folder = "/tmp/weir-store-XXXXXX"};
    const char *server = getenv("WEIR_MARIADB_URL");
    self->is_mariadb = server != NULL;
    assert_non_null(mkdtemp(self->folder));
    if (server)
        snprintf(self->url, sizeof self->url, "%.*s/t%d_%d", (int)(strrchr(server, '/') - server),
                 server, (int)getpid(), number++);
    else
        snprintf(self->url, sizeof self->url, "sqlite:%s/chat.db", self->folder);
}

static inline void testing_store_fini(testing_store *self)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    assert_int_equal(system(command), 0);
}

static inline db *testing_db(const testing_store *self)
{
    weir_why why = {""};
    db *d = NULL;
    if (db_open(&d, self->url, &why))
        fail_msg("%s", why.text);
    return d;
}

/** The first column of the first row; -1: none. */
static inline int64_t testing_number(db *d, const db_query *query, const db_value *values,
                                     size_t count)
{
    db_rows rows;
    assert_ok(db_query_rows(d, &rows, query, values, count));
    int64_t n = db_next(&rows) ? db_column_int(&rows, 0) : -1;
    assert_ok(db_rows_end(&rows));
    return n;
}

#endif
