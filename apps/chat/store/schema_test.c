/* Over SQLite, or with WEIR_MARIADB_URL over MariaDB. */
#include "store_testing.h"

static const db_query VERSION = {"SELECT MAX(version) FROM schema_version", NULL};
static const db_query NEWER = {"INSERT INTO schema_version (version) VALUES (1000)", NULL};
static const db_query ADD_USER = {
    "INSERT INTO users (id, name, password, display_name, about, token_generation, created_us,"
    " last_seen_us) VALUES (?, ?, '', '', '', 0, 0, 0)",
    NULL};
static const db_query ADD_ROOM = {
    "INSERT INTO conversations (id, kind, name, title, last_seq, created_us)"
    " VALUES (?, 3, ?, '', 0, 0)",
    NULL};

TEST(schema, an_empty_database_gets_the_tables_and_keeps_what_is_in_them)
{
    testing_store store;
    testing_store_init(&store);
    db *d = testing_db(&store);
    weir_why why = {""};
    assert_ok(schema_migrate(d, &why));
    assert_int_equal(testing_number(d, &VERSION, DB_NONE), 1);
    assert_ok(db_exec(d, &ADD_USER, DB_VALUES(db_int(1), db_text(WEIR_STR("ann")))));
    assert_ok(schema_migrate(d, &why));
    assert_err(db_exec(d, &ADD_USER, DB_VALUES(db_int(2), db_text(WEIR_STR("ann")))), WEIR_EEXIST);
    db_close(d);
    testing_store_fini(&store);
}

TEST(schema, a_migration_that_stopped_half_way_is_finished)
{
    static const db_query DROP = {"DROP TABLE messages", NULL};
    static const db_query FORGET = {"DELETE FROM schema_version", NULL};
    static const db_query COUNT = {"SELECT COUNT(*) FROM messages", NULL};
    testing_store store;
    testing_store_init(&store);
    db *d = testing_db(&store);
    weir_why why = {""};
    assert_ok(schema_migrate(d, &why));
    assert_ok(db_exec(d, &DROP, DB_NONE));
    assert_ok(db_exec(d, &FORGET, DB_NONE));
    assert_ok(schema_migrate(d, &why));
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 0);
    db_close(d);
    testing_store_fini(&store);
}

TEST(schema, a_newer_database_is_refused)
{
    testing_store store;
    testing_store_init(&store);
    db *d = testing_db(&store);
    weir_why why = {""};
    assert_ok(schema_migrate(d, &why));
    assert_ok(db_exec(d, &NEWER, DB_NONE));
    assert_err(schema_migrate(d, &why), WEIR_ENOTSUP);
    assert_non_null(strstr(why.text, "1000"));
    assert_err(schema_migrate(d, &why), WEIR_ENOTSUP); /* and no lock is left behind */
    db_close(d);
    testing_store_fini(&store);
}

TEST(schema, a_room_s_name_is_taken_once_and_no_name_any_number_of_times)
{
    testing_store store;
    testing_store_init(&store);
    db *d = testing_db(&store);
    weir_why why = {""};
    assert_ok(schema_migrate(d, &why));
    const db_value none = {.kind = DB_NULL};
    assert_ok(db_exec(d, &ADD_ROOM, DB_VALUES(db_int(1), db_text(WEIR_STR("lobby")))));
    assert_err(db_exec(d, &ADD_ROOM, DB_VALUES(db_int(2), db_text(WEIR_STR("lobby")))),
               WEIR_EEXIST);
    assert_ok(db_exec(d, &ADD_ROOM, DB_VALUES(db_int(3), none)));
    assert_ok(db_exec(d, &ADD_ROOM, DB_VALUES(db_int(4), none)));
    db_close(d);
    testing_store_fini(&store);
}
