/* Over SQLite, or with WEIR_MARIADB_URL over MariaDB. */
#include "store_testing.h"

static const db_query INSERT = {"INSERT INTO t (id, name, value) VALUES (?, ?, ?)", NULL};
static const db_query SELECT = {"SELECT id, name, value FROM t WHERE id >= ? ORDER BY id", NULL};
static const db_query BY_NAME = {"SELECT id FROM t WHERE name = ?", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM t", NULL};
static const db_query UPDATE = {"UPDATE t SET name = ? WHERE id >= ?", NULL};

static const db_query MAKE = {
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, value BLOB)",
    "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE "
    "utf8mb4_nopad_bin UNIQUE, value MEDIUMBLOB) ENGINE=InnoDB"};

static db *open_with_table(testing_store *store)
{
    testing_store_init(store);
    db *d = testing_db(store);
    assert_ok(db_exec(d, &MAKE, DB_NONE));
    return d;
}

static void close_all(testing_store *store, db *d)
{
    db_close(d);
    testing_store_fini(store);
}

static weir_err insert(db *d, int64_t id, const char *name)
{
    return db_exec(
        d, &INSERT,
        DB_VALUES(db_int(id), db_text(weir_str_from(name)), (db_value){.kind = DB_NULL}));
}

static int64_t count_rows(db *d)
{
    return testing_number(d, &COUNT, DB_NONE);
}

static int64_t id_of(db *d, const char *name)
{
    return testing_number(d, &BY_NAME, DB_VALUES(db_text(weir_str_from(name))));
}

TEST(db, values_come_back_as_they_were)
{
    testing_store store;
    db *d = open_with_table(&store);
    const weir_str blob = WEIR_STR("\0\x01\xff blob");
    assert_ok(db_begin(d, false));
    assert_ok(db_exec(
        d, &INSERT,
        DB_VALUES(db_int(INT64_MAX), db_text(WEIR_STR("\xf0\x9f\x98\x80 name")), db_blob(blob))));
    assert_ok(db_exec(d, &INSERT,
                      DB_VALUES(db_int(-5), (db_value){.kind = DB_NULL}, db_blob(WEIR_STR("")))));
    assert_ok(db_commit(d));
    db_rows rows;
    assert_ok(db_query_rows(d, &rows, &SELECT, DB_VALUES(db_int(INT64_MIN))));
    assert_true(db_next(&rows));
    assert_int_equal(db_column_int(&rows, 0), -5);
    assert_str(db_column_text(&rows, 1), "");
    assert_str(db_column_text(&rows, 2), "");
    assert_true(db_next(&rows));
    assert_int_equal(db_column_int(&rows, 0), INT64_MAX);
    assert_str(db_column_text(&rows, 0), "9223372036854775807");
    assert_str(db_column_text(&rows, 1), "\xf0\x9f\x98\x80 name");
    assert_str(db_column_text(&rows, 2), "\0\x01\xff blob");
    assert_false(db_next(&rows));
    assert_false(db_next(&rows));
    assert_ok(db_rows_end(&rows));
    close_all(&store, d);
}

TEST(db, an_empty_text_is_not_null)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(
        db_exec(d, &INSERT, DB_VALUES(db_int(1), db_text((weir_str){0}), db_blob((weir_str){0}))));
    assert_int_equal(id_of(d, ""), 1);
    close_all(&store, d);
}

TEST(db, names_are_compared_by_their_bytes)
{
    testing_store store;
    db *d = open_with_table(&store);
    const char *const names[] = {"ann", "Ann", "ann ", "\xc3\xa4nn", "a\xcc\x88nn"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_ok(insert(d, (int64_t)i, names[i]));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(id_of(d, names[i]), i);
    close_all(&store, d);
}

TEST(db, values_are_never_read_as_sql)
{
    testing_store store;
    db *d = open_with_table(&store);
    const char *name = "x'); DROP TABLE t; -- \\' \"";
    assert_ok(insert(d, 1, name));
    assert_int_equal(id_of(d, name), 1);
    close_all(&store, d);
}

TEST(db, a_duplicate_is_told_and_the_transaction_goes_on)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(db_begin(d, false));
    assert_ok(insert(d, 1, "ann"));
    assert_err(insert(d, 2, "ann"), WEIR_EEXIST);
    assert_true(strlen(db_error(d)) > 0);
    assert_err(insert(d, 1, "bob"), WEIR_EEXIST);
    assert_ok(insert(d, 2, "bob"));
    assert_ok(db_commit(d));
    assert_int_equal(count_rows(d), 2);
    close_all(&store, d);
}

TEST(db, a_rollback_leaves_nothing)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(db_begin(d, false));
    assert_ok(insert(d, 1, "ann"));
    db_rollback(d);
    db_rollback(d);
    assert_int_equal(count_rows(d), 0);
    close_all(&store, d);
}

TEST(db, changes_are_counted_as_rows_found)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(insert(d, 1, NULL));
    const int64_t before = db_total_changes(d);
    assert_ok(db_exec(d, &UPDATE, DB_VALUES(db_text(WEIR_STR("ann")), db_int(1))));
    assert_int_equal(db_changes(d), 1);
    assert_ok(db_exec(d, &UPDATE, DB_VALUES(db_text(WEIR_STR("ann")), db_int(1))));
    assert_int_equal(db_changes(d), 1);
    assert_ok(db_exec(d, &UPDATE, DB_VALUES(db_text(WEIR_STR("ann")), db_int(2))));
    assert_int_equal(db_changes(d), 0);
    assert_int_equal(db_total_changes(d), before + 2);
    assert_err(insert(d, 1, "bob"), WEIR_EEXIST);
    assert_int_equal(db_total_changes(d), before + 2);
    close_all(&store, d);
}

TEST(db, an_automatic_key_is_told)
{
    static const db_query ADD = {"INSERT INTO nodes (name, started_us) VALUES ('n', 1)", NULL};
    testing_store store;
    testing_store_init(&store);
    db *d = testing_db(&store);
    weir_why why;
    assert_ok(schema_migrate(d, &why));
    assert_ok(db_exec(d, &ADD, DB_NONE));
    assert_int_equal(db_last_id(d), 1);
    assert_ok(db_exec(d, &ADD, DB_NONE));
    assert_int_equal(db_last_id(d), 2);
    close_all(&store, d);
}

TEST(db, rows_of_two_queries_are_open_at_once)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(insert(d, 1, "ann"));
    assert_ok(insert(d, 2, "bob"));
    db_rows rows;
    assert_ok(db_query_rows(d, &rows, &SELECT, DB_VALUES(db_int(0))));
    for (int64_t id = 1; id <= 2; id++) {
        assert_true(db_next(&rows));
        const weir_str name = db_column_text(&rows, 1);
        assert_int_equal(testing_number(d, &BY_NAME, DB_VALUES(db_text(name))), id);
    }
    assert_ok(db_rows_end(&rows));
    close_all(&store, d);
}

TEST(db, rows_that_are_ended_early_leave_the_statement_usable)
{
    testing_store store;
    db *d = open_with_table(&store);
    assert_ok(insert(d, 1, "ann"));
    assert_ok(insert(d, 2, "bob"));
    for (int i = 0; i < 3; i++) {
        db_rows rows;
        assert_ok(db_begin(d, true));
        assert_ok(db_query_rows(d, &rows, &SELECT, DB_VALUES(db_int(0))));
        assert_true(db_next(&rows));
        assert_ok(db_rows_end(&rows));
        assert_ok(db_commit(d));
    }
    close_all(&store, d);
}

TEST(db, a_large_value_comes_back_whole)
{
    enum {
        SIZE = 1 << 20
    };
    testing_store store;
    db *d = open_with_table(&store);
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7);
    assert_ok(insert(d, 1, "small"));
    assert_ok(db_exec(
        d, &INSERT,
        DB_VALUES(db_int(2), db_text(WEIR_STR("large")), db_blob(weir_str_of(bytes, SIZE)))));
    db_rows rows;
    assert_ok(db_query_rows(d, &rows, &SELECT, DB_VALUES(db_int(1))));
    assert_true(db_next(&rows));
    assert_str(db_column_text(&rows, 2), "");
    assert_true(db_next(&rows));
    assert_int_equal(db_column_text(&rows, 2).len, SIZE);
    assert_memory_equal(db_column_text(&rows, 2).ptr, bytes, SIZE);
    assert_ok(db_rows_end(&rows));
    free(bytes);
    close_all(&store, d);
}

TEST(db, broken_sql_is_an_error_with_a_sentence)
{
    static const db_query BROKEN = {"SELEKT 1", NULL};
    testing_store store;
    db *d = open_with_table(&store);
    assert_err(db_exec(d, &BROKEN, DB_NONE), WEIR_EIO);
    assert_non_null(strstr(db_error(d), "SELEKT"));
    db_rows rows;
    assert_err(db_query_rows(d, &rows, &BROKEN, DB_NONE), WEIR_EIO);
    assert_false(db_next(&rows));
    assert_err(db_rows_end(&rows), WEIR_EIO);
    assert_ok(insert(d, 1, "ann"));
    close_all(&store, d);
}

TEST(db, a_url_of_no_known_kind_is_refused)
{
    static const char *const urls[] = {"", "chat.db", "postgres://x/y", "sqlite:", "mariadb:x"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        db *d = NULL;
        weir_why why = {""};
        assert_err(db_open(&d, urls[i], &why), WEIR_EINVAL);
        assert_true(strlen(why.text) > 0);
        assert_null(d);
    }
}

TEST(db, a_unix_socket_serves_too)
{
    static const db_query ONE = {"SELECT 1", NULL};
    const char *url = getenv("WEIR_MARIADB_SOCKET_URL");
    db *d = NULL;
    weir_why why = {""};
    if (!url)
        return;
    if (db_open(&d, url, &why))
        fail_msg("%s", why.text);
    assert_int_equal(testing_number(d, &ONE, DB_NONE), 1);
    db_close(d);
}

TEST(db, a_wrong_password_is_told_without_repeating_it)
{
    const char *url = getenv("WEIR_MARIADB_URL");
    char wrong[256];
    db *d = NULL;
    weir_why why = {""};
    if (!url)
        return;
    snprintf(wrong, sizeof wrong, "mariadb://weir:hunter2%s", strrchr(url, '@'));
    assert_err(db_open(&d, wrong, &why), WEIR_EACCES);
    assert_true(strlen(why.text) > 0);
    assert_null(strstr(why.text, "hunter2"));
    assert_null(d);
}

TEST(db, a_server_that_is_not_there_is_told)
{
    db *d = NULL;
    weir_why why = {""};
    assert_err(db_open(&d, "mariadb://a:b@127.0.0.1:1/chat", &why), WEIR_ECLOSED);
    assert_null(d);
}
