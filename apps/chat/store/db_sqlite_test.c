/* What only SQLite has: a disk that is full, backups, and files that are none. */
#include "storage.h"

#include "store_testing.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const db_query PUT = {"INSERT INTO settings (name, value) VALUES (?, ?)", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM settings", NULL};
static const db_query CHECK = {"SELECT COUNT(*) FROM pragma_integrity_check WHERE "
                               "integrity_check <> 'ok'",
                               NULL};

enum {
    VALUE_BYTES = 4000
};

static weir_err put(db *d, int number)
{
    static char value[VALUE_BYTES];
    char name[16];
    snprintf(name, sizeof name, "p%d", number);
    return db_exec(
        d, &PUT,
        DB_VALUES(db_text(weir_str_from(name)), db_blob(weir_str_of(value, sizeof value))));
}

static db *open_migrated(const testing_store *store)
{
    weir_why why = {""};
    db *d = testing_db(store);
    assert_ok(schema_migrate(d, &why));
    return d;
}

/** No file of this process may grow beyond that: as when the disk is full. */
static void limit_files(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(db_sqlite, a_full_disk_keeps_nothing_of_the_transaction)
{
    testing_store store;
    testing_store_init(&store);
    db *d = open_migrated(&store);
    assert_ok(put(d, 0));
    limit_files(1 << 20);
    int written = 1;
    weir_err err = WEIR_OK;
    while (!err) {
        assert_ok(db_begin(d, false));
        for (int i = 0; i < 20 && !err; i++)
            err = put(d, written + i);
        if (err)
            db_rollback(d);
        else
            err = db_commit(d);
        written += err ? 0 : 20;
    }
    assert_err(err, WEIR_EFULL);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), written);
    assert_int_equal(testing_number(d, &CHECK, DB_NONE), 0);
    limit_files(RLIM_INFINITY);
    assert_ok(put(d, 1000000));
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), written + 1);
    db_close(d);
    testing_store_fini(&store);
}

/** A job that writes as many rows as it is told. */
typedef struct filling {
    storage_job job;
    int from, rows;
    weir_err err;
    weir_latch *all;
} filling;

static weir_err run_filling(db *d, storage_job *job)
{
    const filling *self = WEIR_CONTAINER_OF(job, filling, job);
    weir_err err = WEIR_OK;
    for (int i = 0; i < self->rows && !err; i++)
        err = put(d, self->from + i);
    return err;
}

static void done_filling(storage_job *job, weir_err err, const char *why WEIR_UNUSED)
{
    filling *self = WEIR_CONTAINER_OF(job, filling, job);
    self->err = err;
    weir_latch_down(self->all);
}

TEST(db_sqlite, a_full_disk_is_told_to_each_job_and_those_told_ok_are_kept)
{
    enum {
        COUNT_JOBS = 400
    };
    testing_store store;
    testing_store_init(&store);
    db *d = open_migrated(&store);
    storage *s = NULL;
    weir_why why = {""};
    assert_ok(storage_open(&s, &(storage_opts){.url = store.url}, &why));
    limit_files(1 << 20);
    static filling jobs[COUNT_JOBS];
    weir_latch all;
    weir_latch_init(&all, COUNT_JOBS);
    for (int i = 0; i < COUNT_JOBS; i++) {
        jobs[i] = (filling){.job = {.run = run_filling, .done = done_filling},
                            .from = i * 2,
                            .rows = 2,
                            .all = &all};
        assert_ok(storage_submit(s, &jobs[i].job));
    }
    weir_latch_wait(&all);
    int kept = 0;
    for (int i = 0; i < COUNT_JOBS; i++) {
        if (jobs[i].err)
            assert_err(jobs[i].err, WEIR_EFULL);
        else
            kept += 2;
    }
    assert_true(kept < 2 * COUNT_JOBS);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), kept);
    limit_files(RLIM_INFINITY);
    filling again = {.job = {.run = run_filling}, .from = 1000000, .rows = 1};
    assert_ok(storage_run(s, &again.job, &why));
    storage_close(s);
    db_close(d);
    testing_store_fini(&store);
}

/** Writes one row after the other until it is told to stop. */
typedef struct writer {
    const testing_store *store;
    _Atomic bool stop;
    _Atomic int written;
} writer;

static void write_rows(void *user)
{
    writer *self = user;
    db *d = testing_db(self->store);
    while (!self->stop) {
        if (put(d, self->written))
            break;
        self->written++;
    }
    db_close(d);
}

static void backup_path(const testing_store *store, char *out, size_t size)
{
    snprintf(out, size, "%s/backup", store->folder);
}

TEST(db_sqlite, a_backup_is_taken_while_others_write_and_can_be_restored)
{
    testing_store store;
    char file[128];
    testing_store_init(&store);
    backup_path(&store, file, sizeof file);
    db_close(open_migrated(&store));
    writer w = {.store = &store};
    weir_thread *thread = NULL;
    weir_why why = {""};
    assert_ok(weir_thread_start(&thread, "writer", write_rows, &w));
    while (w.written < 10)
        usleep(1000);
    const int before = w.written;
    if (db_backup(store.url, file, &why))
        fail_msg("%s", why.text);
    const int after = w.written;
    w.stop = true;
    weir_thread_join(thread);
    if (db_restore(store.url, file, &why))
        fail_msg("%s", why.text);
    db *d = open_migrated(&store);
    assert_in_range(testing_number(d, &COUNT, DB_NONE), before, after + 1);
    assert_int_equal(testing_number(d, &CHECK, DB_NONE), 0);
    assert_ok(put(d, 1000000));
    db_close(d);
    struct stat about;
    assert_int_equal(stat(file, &about), 0);
    assert_int_equal(about.st_mode & 077, 0);
    testing_store_fini(&store);
}

TEST(db_sqlite, a_backup_is_restored_where_there_is_no_database)
{
    testing_store store;
    char file[128], url[160];
    testing_store_init(&store);
    backup_path(&store, file, sizeof file);
    snprintf(url, sizeof url, "sqlite:%s/new.db", store.folder);
    weir_why why = {""};
    db *d = open_migrated(&store);
    assert_ok(put(d, 1));
    assert_ok(db_backup(store.url, file, &why));
    db_close(d);
    assert_ok(db_restore(url, file, &why));
    assert_ok(db_open(&d, url, &why));
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 1);
    db_close(d);
    testing_store_fini(&store);
}

static void use_in_child(const testing_store *store, int ready, int end)
{
    db *d = testing_db(store);
    char byte = testing_number(d, &COUNT, DB_NONE) >= 0;
    if (write(ready, &byte, 1) == 1 && read(end, &byte, 1) == 0)
        db_close(d);
    _exit(0);
}

TEST(db_sqlite, a_database_in_use_is_not_replaced)
{
    testing_store store;
    char file[128], byte;
    int ready[2], end[2];
    testing_store_init(&store);
    backup_path(&store, file, sizeof file);
    weir_why why = {""};
    db *d = open_migrated(&store);
    assert_ok(db_backup(store.url, file, &why));
    assert_ok(put(d, 1));
    db_close(d);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(end[1]);
        use_in_child(&store, ready[1], end[0]);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_err(db_restore(store.url, file, &why), WEIR_ESTATE);
    assert_non_null(strstr(why.text, "in use"));
    close(end[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    d = testing_db(&store);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 1);
    db_close(d);
    assert_ok(db_restore(store.url, file, &why));
    d = testing_db(&store);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 0);
    db_close(d);
    testing_store_fini(&store);
}

/** Writes over the middle of a file. */
static void damage(const char *file)
{
    struct stat about;
    FILE *f = fopen(file, "r+b");
    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &about), 0);
    assert_int_equal(fseek(f, about.st_size / 2, SEEK_SET), 0);
    for (off_t i = about.st_size / 2; i < about.st_size; i++)
        fputc(0x5a, f);
    fclose(f);
}

TEST(db_sqlite, a_backup_that_is_not_sound_changes_nothing)
{
    testing_store store;
    char file[128];
    testing_store_init(&store);
    backup_path(&store, file, sizeof file);
    weir_why why = {""};
    db *d = open_migrated(&store);
    for (int i = 0; i < 50; i++)
        assert_ok(put(d, i));
    assert_ok(db_backup(store.url, file, &why));
    db_close(d);
    damage(file);
    assert_true(db_restore(store.url, file, &why) != WEIR_OK);
    assert_true(strlen(why.text) > 0);
    assert_err(db_restore(store.url, "/nowhere/backup", &why), WEIR_ENOENT);
    assert_true(db_restore(store.url, "/proc/self/status", &why) != WEIR_OK);
    d = testing_db(&store);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 50);
    db_close(d);
    testing_store_fini(&store);
}

TEST(db_sqlite, a_database_that_is_none_any_more_is_restored)
{
    testing_store store;
    char file[128], path[128];
    testing_store_init(&store);
    backup_path(&store, file, sizeof file);
    snprintf(path, sizeof path, "%s/chat.db", store.folder);
    weir_why why = {""};
    db *d = open_migrated(&store);
    assert_ok(put(d, 1));
    assert_ok(db_backup(store.url, file, &why));
    db_close(d);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (int i = 0; i < 10000; i++)
        fputs("no database ", f);
    fclose(f);
    d = NULL;
    assert_err(db_open(&d, store.url, &why), WEIR_EIO);
    if (db_restore(store.url, file, &why))
        fail_msg("%s", why.text);
    d = testing_db(&store);
    assert_int_equal(testing_number(d, &COUNT, DB_NONE), 1);
    db_close(d);
    testing_store_fini(&store);
}

TEST(db_sqlite, only_its_owner_reads_the_file)
{
    testing_store store;
    char path[128];
    struct stat about;
    testing_store_init(&store);
    db *d = open_migrated(&store);
    snprintf(path, sizeof path, "%s/chat.db", store.folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/chat.db-wal", store.folder);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    db_close(d);
    testing_store_fini(&store);
}
