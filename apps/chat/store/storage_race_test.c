/* Numbers that several writers take from one row. Over SQLite, or with WEIR_MARIADB_URL over
 * MariaDB, where the writers are those of two nodes. */
#include "storage.h"

#include "store_testing.h"

enum {
    NODES = 2,
    THREADS = 4,
    SENDS = 200,
    CONVERSATIONS = 2
};

static const db_query ADD_CONVERSATION = {
    "INSERT INTO conversations (id, kind, title, last_seq, created_us) VALUES (?, 1, '', 0, 0)",
    NULL};
static const db_query NEXT = {
    "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = ?",
    "UPDATE conversations SET last_seq = LAST_INSERT_ID(last_seq + 1) WHERE id = ?"};
static const db_query LAST = {"SELECT last_seq FROM conversations WHERE id = ?",
                              "SELECT LAST_INSERT_ID() FROM conversations WHERE id = ?"};
static const db_query ADD_MESSAGE = {
    "INSERT INTO messages (id, conversation, seq, sender_id, client_id, kind, title, text, time_us)"
    " VALUES (?, ?, ?, 1, ?, 1, '', 'text', 0)",
    NULL};
static const db_query CHECK = {
    "SELECT COUNT(*) FROM messages WHERE conversation = ? AND seq BETWEEN 1 AND ?", NULL};

typedef struct send {
    storage_job job;
    int64_t id, conversation, seq;
    char client_id[32];
    weir_err err;
    weir_latch *all;
} send;

static weir_err run_send(db *d, storage_job *job)
{
    send *self = WEIR_CONTAINER_OF(job, send, job);
    weir_err err = db_exec(d, &NEXT, DB_VALUES(db_int(self->conversation)));
    if (err)
        return err;
    db_rows rows;
    err = db_query_rows(d, &rows, &LAST, DB_VALUES(db_int(self->conversation)));
    if (!err && db_next(&rows))
        self->seq = db_column_int(&rows, 0);
    err = db_rows_end(&rows);
    if (err)
        return err;
    return db_exec(d, &ADD_MESSAGE,
                   DB_VALUES(db_int(self->id), db_int(self->conversation), db_int(self->seq),
                             db_text(weir_str_from(self->client_id))));
}

static void done_send(storage_job *job, weir_err err, const char *why WEIR_UNUSED)
{
    send *self = WEIR_CONTAINER_OF(job, send, job);
    self->err = err;
    weir_latch_down(self->all);
}

static void make_conversations(const testing_store *store)
{
    weir_why why = {""};
    db *d = testing_db(store);
    assert_ok(schema_migrate(d, &why));
    for (int64_t id = 1; id <= CONVERSATIONS; id++)
        assert_ok(db_exec(d, &ADD_CONVERSATION, DB_VALUES(db_int(id))));
    db_close(d);
}

static void check_numbers(const testing_store *store)
{
    db *d = testing_db(store);
    const int64_t each = NODES * SENDS / CONVERSATIONS;
    static const db_query STORED = {"SELECT last_seq FROM conversations WHERE id = ?", NULL};
    for (int64_t id = 1; id <= CONVERSATIONS; id++) {
        assert_int_equal(testing_number(d, &STORED, DB_VALUES(db_int(id))), each);
        assert_int_equal(testing_number(d, &CHECK, DB_VALUES(db_int(id), db_int(each))), each);
    }
    db_close(d);
}

TEST(storage_race, no_number_is_lost_or_given_twice)
{
    testing_store store;
    testing_store_init(&store);
    make_conversations(&store);
    static send sends[NODES][SENDS];
    storage *nodes[NODES];
    weir_latch all;
    weir_latch_init(&all, NODES * SENDS);
    weir_why why = {""};
    const storage_opts opts = {.url = store.url, .threads = THREADS};
    for (unsigned n = 0; n < NODES; n++)
        assert_ok(storage_open(&nodes[n], &opts, &why));
    for (unsigned i = 0; i < SENDS; i++) {
        for (unsigned n = 0; n < NODES; n++) {
            send *s = &sends[n][i];
            *s = (send){.job = {.run = run_send, .done = done_send},
                        .id = (int64_t)(n * SENDS + i + 1),
                        .conversation = i % CONVERSATIONS + 1,
                        .all = &all};
            snprintf(s->client_id, sizeof s->client_id, "%u-%u", n, i);
            /* SQLite has one node: its file belongs to one process, with one writing thread. */
            assert_ok(storage_submit(nodes[store.is_mariadb ? n : 0], &s->job));
        }
    }
    weir_latch_wait(&all);
    for (unsigned n = 0; n < NODES; n++) {
        for (unsigned i = 0; i < SENDS; i++)
            assert_ok(sends[n][i].err);
        storage_close(nodes[n]);
    }
    check_numbers(&store);
    testing_store_fini(&store);
}

/** Opens a storage from another thread: another node, for all that the database knows. */
typedef struct node {
    const testing_store *store;
    weir_latch *go;
    weir_err err;
    weir_why why;
} node;

static void start_node(void *user)
{
    node *self = user;
    storage *s = NULL;
    const storage_opts opts = {.url = self->store->url, .threads = 1};
    weir_latch_down(self->go);
    weir_latch_wait(self->go);
    self->err = storage_open(&s, &opts, &self->why);
    storage_close(s);
}

TEST(storage_race, nodes_that_begin_at_once_make_the_tables_once)
{
    enum {
        STARTING = 4
    };
    testing_store store;
    testing_store_init(&store);
    node nodes[STARTING];
    weir_thread *threads[STARTING];
    weir_latch go;
    weir_latch_init(&go, STARTING);
    for (int i = 0; i < STARTING; i++) {
        nodes[i] = (node){.store = &store, .go = &go};
        assert_ok(weir_thread_start(&threads[i], "node", start_node, &nodes[i]));
    }
    for (int i = 0; i < STARTING; i++) {
        weir_thread_join(threads[i]);
        if (nodes[i].err)
            fail_msg("%s", nodes[i].why.text);
    }
    static const db_query VERSIONS = {"SELECT COUNT(*) FROM schema_version", NULL};
    db *d = testing_db(&store);
    assert_int_equal(testing_number(d, &VERSIONS, DB_NONE), 1);
    db_close(d);
    testing_store_fini(&store);
}

/** Takes two rows' locks, one after the other; the first time not before the other job has one. */
typedef struct crossing {
    storage_job job;
    int64_t first, second;
    unsigned runs;
    weir_latch *both, *all;
    weir_err err;
} crossing;

static weir_err run_crossing(db *d, storage_job *job)
{
    crossing *self = WEIR_CONTAINER_OF(job, crossing, job);
    weir_err err = db_exec(d, &NEXT, DB_VALUES(db_int(self->first)));
    if (!err && self->runs++ == 0) {
        weir_latch_down(self->both);
        weir_latch_wait(self->both);
    }
    return err ? err : db_exec(d, &NEXT, DB_VALUES(db_int(self->second)));
}

static void done_crossing(storage_job *job, weir_err err, const char *why WEIR_UNUSED)
{
    crossing *self = WEIR_CONTAINER_OF(job, crossing, job);
    self->err = err;
    weir_latch_down(self->all);
}

TEST(storage_race, a_deadlock_is_resolved_by_running_one_again)
{
    testing_store store;
    testing_store_init(&store);
    if (!store.is_mariadb)
        return;
    make_conversations(&store);
    storage *s = NULL;
    weir_why why = {""};
    assert_ok(storage_open(&s, &(storage_opts){.url = store.url, .threads = 2}, &why));
    weir_latch both, all;
    weir_latch_init(&both, 2);
    weir_latch_init(&all, 2);
    crossing jobs[2];
    for (int i = 0; i < 2; i++) {
        jobs[i] = (crossing){.job = {.run = run_crossing, .done = done_crossing},
                             .first = 1 + i,
                             .second = 2 - i,
                             .both = &both,
                             .all = &all};
        assert_ok(storage_submit(s, &jobs[i].job));
    }
    weir_latch_wait(&all);
    assert_ok(jobs[0].err);
    assert_ok(jobs[1].err);
    storage_stats stats;
    storage_get_stats(s, &stats);
    assert_true(stats.retries >= 1);
    assert_int_equal(stats.commits, 2);
    storage_close(s);
    static const db_query SUM = {"SELECT SUM(last_seq) FROM conversations", NULL};
    db *d = testing_db(&store);
    assert_int_equal(testing_number(d, &SUM, DB_NONE), 4);
    db_close(d);
    testing_store_fini(&store);
}
