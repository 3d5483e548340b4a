/* Over SQLite, or with WEIR_MARIADB_URL over MariaDB. */
#include "storage.h"

#include "store_testing.h"

enum {
    JOBS = 500
};

static const db_query PUT = {"INSERT INTO settings (name, value) VALUES (?, ?)", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM settings", NULL};

static storage *open_storage(const testing_store *store, storage_opts opts)
{
    weir_why why = {""};
    storage *s = NULL;
    opts.url = store->url;
    if (storage_open(&s, &opts, &why))
        fail_msg("%s", why.text);
    return s;
}

/** A gate, which holds a storage thread until it is opened. */
typedef struct gate {
    storage_job job;
    weir_latch entered, open, done;
} gate;

static weir_err run_gate(db *d WEIR_UNUSED, storage_job *job)
{
    gate *self = WEIR_CONTAINER_OF(job, gate, job);
    weir_latch_down(&self->entered);
    weir_latch_wait(&self->open);
    return WEIR_OK;
}

static void done_gate(storage_job *job, weir_err err WEIR_UNUSED, const char *why WEIR_UNUSED)
{
    weir_latch_down(&WEIR_CONTAINER_OF(job, gate, job)->done);
}

/** Returns when the storage thread is in it. */
static void gate_close(gate *self, storage *s, bool reads_only)
{
    *self = (gate){.job = {.run = run_gate, .done = done_gate, .reads_only = reads_only}};
    weir_latch_init(&self->entered, 1);
    weir_latch_init(&self->open, 1);
    weir_latch_init(&self->done, 1);
    assert_ok(storage_submit(s, &self->job));
    weir_latch_wait(&self->entered);
}

static void gate_open(gate *self)
{
    weir_latch_down(&self->open);
    weir_latch_wait(&self->done);
}

/** Writes a setting. */
typedef struct put {
    storage_job job;
    weir_latch *all;
    char name[32];
    weir_err fail_before, fail_after; /* what it ends with, before or after its writing */
    bool ignores_duplicate;
    unsigned runs, order;
    weir_err err;
    char why[100];
} put;

static _Atomic unsigned answers;

static weir_err run_put(db *d, storage_job *job)
{
    put *self = WEIR_CONTAINER_OF(job, put, job);
    self->runs++;
    if (self->fail_before)
        return self->fail_before;
    weir_err err =
        db_exec(d, &PUT, DB_VALUES(db_text(weir_str_from(self->name)), db_blob(WEIR_STR("v"))));
    if (err == WEIR_EEXIST && self->ignores_duplicate)
        return WEIR_OK;
    return err ? err : self->fail_after;
}

static void done_put(storage_job *job, weir_err err, const char *why)
{
    put *self = WEIR_CONTAINER_OF(job, put, job);
    self->err = err;
    self->order = answers++;
    snprintf(self->why, sizeof self->why, "%s", why);
    weir_latch_down(self->all);
}

static void put_init(put *self, const char *name, unsigned number, weir_latch *all)
{
    *self = (put){.job = {.run = run_put, .done = done_put}, .all = all};
    snprintf(self->name, sizeof self->name, "%s%u", name, number);
}

typedef struct counting {
    storage_job job;
    int64_t rows;
} counting;

static weir_err run_count(db *d, storage_job *job)
{
    db_rows rows;
    weir_err err = db_query_rows(d, &rows, &COUNT, DB_NONE);
    if (!err && db_next(&rows))
        WEIR_CONTAINER_OF(job, counting, job)->rows = db_column_int(&rows, 0);
    return db_rows_end(&rows);
}

static int64_t count_rows(storage *s)
{
    weir_why why = {""};
    counting c = {.job = {.run = run_count, .reads_only = true}};
    if (storage_run(s, &c.job, &why))
        fail_msg("%s", why.text);
    return c.rows;
}

static storage_stats stats_of(storage *s)
{
    storage_stats stats;
    storage_get_stats(s, &stats);
    return stats;
}

TEST(storage, a_job_is_done_when_it_is_answered)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){0});
    weir_latch all;
    weir_latch_init(&all, 1);
    put p;
    put_init(&p, "p", 0, &all);
    assert_ok(storage_submit(s, &p.job));
    weir_latch_wait(&all);
    assert_ok(p.err);
    assert_int_equal(count_rows(s), 1);
    assert_int_equal(stats_of(s).commits, 1);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, many_jobs_share_few_commits)
{
    testing_store store;
    testing_store_init(&store);
    if (store.is_mariadb)
        return;
    storage *s = open_storage(&store, (storage_opts){0});
    static put puts[JOBS];
    gate g;
    weir_latch all;
    weir_latch_init(&all, JOBS);
    gate_close(&g, s, false);
    for (unsigned i = 0; i < JOBS; i++) {
        put_init(&puts[i], "p", i, &all);
        assert_ok(storage_submit(s, &puts[i].job));
    }
    gate_open(&g);
    weir_latch_wait(&all);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_ok(puts[i].err);
        assert_int_equal(puts[i].order, i);
    }
    assert_int_equal(count_rows(s), JOBS);
    assert_int_equal(stats_of(s).commits, 1);
    storage_close(s);
    testing_store_fini(&store);
}
