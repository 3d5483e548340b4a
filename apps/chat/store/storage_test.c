/* Over SQLite, or with WEIR_MARIADB_URL over MariaDB. */
#include "storage.h"

#include "store_testing.h"

enum {
    JOBS = 500,
    LONG_US = 200000
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

TEST(storage, a_job_that_fails_takes_no_other_with_it)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){.threads = 1});
    put puts[9];
    gate g;
    weir_latch all;
    weir_latch_init(&all, 9);
    gate_close(&g, s, false);
    for (unsigned i = 0; i < 9; i++) {
        put_init(&puts[i], "p", i, &all);
        puts[i].fail_before = i == 2 ? WEIR_ENOENT : WEIR_OK;
        puts[i].fail_after = i == 5 ? WEIR_EACCES : WEIR_OK;
        assert_ok(storage_submit(s, &puts[i].job));
    }
    gate_open(&g);
    weir_latch_wait(&all);
    for (unsigned i = 0; i < 9; i++) {
        assert_err(puts[i].err, i == 2 ? WEIR_ENOENT : i == 5 ? WEIR_EACCES : WEIR_OK);
        assert_int_equal(puts[i].order, i);
        assert_int_equal(puts[i].runs, store.is_mariadb || i > 5 ? 1 : 2);
    }
    assert_int_equal(count_rows(s), 7);
    assert_int_equal(stats_of(s).failed, 2);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, a_job_that_fails_without_writing_costs_the_others_nothing)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){.threads = 1});
    put puts[5];
    gate g;
    weir_latch all;
    weir_latch_init(&all, 5);
    gate_close(&g, s, false);
    for (unsigned i = 0; i < 5; i++) {
        put_init(&puts[i], "p", i == 3 ? 0 : i, &all); /* the fourth is the first once more */
        assert_ok(storage_submit(s, &puts[i].job));
    }
    gate_open(&g);
    weir_latch_wait(&all);
    for (unsigned i = 0; i < 5; i++) {
        assert_err(puts[i].err, i == 3 ? WEIR_EEXIST : WEIR_OK);
        assert_int_equal(puts[i].runs, 1);
    }
    assert_true(strlen(puts[3].why) > 0);
    assert_int_equal(count_rows(s), 4);
    assert_int_equal(stats_of(s).retries, 0);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, a_job_goes_on_after_a_duplicate)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){0});
    weir_latch all;
    weir_latch_init(&all, 2);
    put puts[2];
    for (unsigned i = 0; i < 2; i++) {
        put_init(&puts[i], "p", 0, &all);
        puts[i].ignores_duplicate = true;
        assert_ok(storage_submit(s, &puts[i].job));
    }
    weir_latch_wait(&all);
    assert_ok(puts[0].err);
    assert_ok(puts[1].err);
    assert_int_equal(count_rows(s), 1);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, a_full_queue_refuses)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){.threads = 1, .max_queued = 3});
    put puts[4];
    gate g;
    weir_latch all;
    weir_latch_init(&all, 3);
    gate_close(&g, s, false);
    for (unsigned i = 0; i < 4; i++) {
        put_init(&puts[i], "p", i, &all);
        assert_err(storage_submit(s, &puts[i].job), i < 3 ? WEIR_OK : WEIR_EFULL);
    }
    assert_int_equal(stats_of(s).queued, 3);
    gate_open(&g);
    weir_latch_wait(&all);
    assert_int_equal(count_rows(s), 3);
    assert_int_equal(stats_of(s).refused, 1);
    assert_int_equal(stats_of(s).queued, 0);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, a_job_that_has_waited_too_long_is_not_run)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){.threads = 1, .max_wait_us = LONG_US});
    put p;
    gate g;
    weir_latch all;
    weir_latch_init(&all, 1);
    gate_close(&g, s, false);
    put_init(&p, "p", 0, &all);
    assert_ok(storage_submit(s, &p.job));
    usleep(LONG_US + 1000); /* what is tested is that time passes */
    gate_open(&g);
    weir_latch_wait(&all);
    assert_err(p.err, WEIR_ETIMEDOUT);
    assert_int_equal(p.runs, 0);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, closing_runs_what_is_queued)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){0});
    static put puts[JOBS];
    weir_latch all;
    weir_latch_init(&all, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        put_init(&puts[i], "p", i, &all);
        assert_ok(storage_submit(s, &puts[i].job));
    }
    storage_close(s);
    for (unsigned i = 0; i < JOBS; i++)
        assert_ok(puts[i].err);
    s = open_storage(&store, (storage_opts){0});
    assert_int_equal(count_rows(s), JOBS);
    storage_close(s);
    testing_store_fini(&store);
}

/** Submits the next one when one is done. */
typedef struct chain {
    storage_job job;
    storage *s;
    unsigned left;
    weir_latch *all;
} chain;

static weir_err run_nothing(db *d WEIR_UNUSED, storage_job *job WEIR_UNUSED)
{
    return WEIR_OK;
}

static void done_chain(storage_job *job, weir_err err, const char *why WEIR_UNUSED)
{
    chain *self = WEIR_CONTAINER_OF(job, chain, job);
    if (err || self->left == 0) {
        weir_latch_down(self->all);
        return;
    }
    self->left--;
    self->job.reads_only = !self->job.reads_only;
    assert_ok(storage_submit(self->s, &self->job));
}

TEST(storage, a_job_is_submitted_again_from_its_own_end)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){0});
    weir_latch all;
    weir_latch_init(&all, 4);
    chain chains[4];
    for (size_t i = 0; i < 4; i++) {
        chains[i] = (chain){
            .job = {.run = run_nothing, .done = done_chain}, .s = s, .left = 50, .all = &all};
        assert_ok(storage_submit(s, &chains[i].job));
    }
    weir_latch_wait(&all);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(chains[i].left, 0);
    assert_int_equal(stats_of(s).jobs, 4 * 51);
    assert_int_equal(stats_of(s).commits, 0);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage, reading_goes_on_while_a_job_writes)
{
    testing_store store;
    testing_store_init(&store);
    storage *s = open_storage(&store, (storage_opts){.threads = 2});
    gate g;
    gate_close(&g, s, false);
    assert_int_equal(count_rows(s), 0);
    gate_open(&g);
    storage_close(s);
    testing_store_fini(&store);
}
