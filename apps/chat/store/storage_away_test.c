/* A database that is gone for a while: MariaDB killed, or SQLite's file locked by somebody else. */
#include "storage.h"

#include "store_testing.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

enum {
    LIMIT_S = 60
};

static const db_query PUT = {"INSERT INTO settings (name, value) VALUES (?, 'v')", NULL};
static const db_query COUNT = {"SELECT COUNT(*) FROM settings", NULL};

/** Tells with_mariadb.py to do something to the server, and waits until it is done. */
static void control(const char *word)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("WEIR_MARIADB_CONTROL"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(write(fd, word, strlen(word)), strlen(word));
    char said[200] = "";
    assert_true(read(fd, said, sizeof said - 1) > 0);
    close(fd);
    assert_string_equal(said, "ok");
}

/** Another process, which locks the file when it is told to, until it is ended. */
typedef struct locker {
    pid_t pid;
    int go; /* a byte: lock; closed: end */
    int ready;
} locker;

static void lock_until_end(const char *url, int go, int ready)
{
    weir_why why;
    db *d = NULL;
    char byte = 0;
    if (read(go, &byte, 1) == 1 && !db_open(&d, url, &why) && !db_begin(d, false) &&
        write(ready, &byte, 1) == 1 && read(go, &byte, 1) == 0)
        db_rollback(d);
    db_close(d);
    _exit(0);
}

/** Before this process has threads, or the file open: neither survives a fork. */
static void locker_start(locker *self, const char *url)
{
    int go[2], ready[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    self->pid = fork();
    if (self->pid == 0) {
        close(go[1]);
        lock_until_end(url, go[0], ready[1]);
    }
    close(go[0]);
    close(ready[1]);
    self->go = go[1];
    self->ready = ready[0];
}

static void locker_lock(const locker *self)
{
    char byte = 'x';
    assert_int_equal(write(self->go, &byte, 1), 1);
    assert_int_equal(read(self->ready, &byte, 1), 1);
}

static void locker_end(const locker *self)
{
    close(self->go);
    assert_int_equal(waitpid(self->pid, NULL, 0), self->pid);
    close(self->ready);
}

typedef struct put {
    storage_job job;
    char name[32];
} put;

static weir_err run_put(db *d, storage_job *job)
{
    put *self = WEIR_CONTAINER_OF(job, put, job);
    return db_exec(d, &PUT, DB_VALUES(db_text(weir_str_from(self->name))));
}

static weir_err try_put(storage *s, unsigned number, weir_why *why)
{
    put p = {.job = {.run = run_put}};
    snprintf(p.name, sizeof p.name, "p%u", number);
    return storage_run(s, &p.job, why);
}

/** Until a job is done again. @return how many were tried */
static unsigned put_until_ok(storage *s, unsigned number)
{
    weir_why why;
    const weir_time end = weir_time_add(weir_time_now(), WEIR_SECONDS(LIMIT_S));
    while (try_put(s, number, &why)) {
        assert_true(weir_time_before(weir_time_now(), end));
        usleep(5000); /* the storage tries only now and then */
        number++;
    }
    return number;
}

static int64_t count_rows(const testing_store *store)
{
    db *d = testing_db(store);
    const int64_t n = testing_number(d, &COUNT, DB_NONE);
    db_close(d);
    return n;
}

static storage *open_storage(const testing_store *store)
{
    weir_why why = {""};
    storage *s = NULL;
    if (storage_open(&s, &(storage_opts){.url = store->url, .threads = 2}, &why))
        fail_msg("%s", why.text);
    return s;
}

TEST(storage_away, jobs_are_refused_at_once_and_run_again_when_it_is_back)
{
    testing_store store;
    testing_store_init(&store);
    locker other = {0};
    if (!store.is_mariadb)
        locker_start(&other, store.url);
    storage *s = open_storage(&store);
    weir_why why = {""};
    assert_ok(try_put(s, 1, &why));
    if (store.is_mariadb)
        control("kill");
    else
        locker_lock(&other);
    assert_err(try_put(s, 2, &why), WEIR_ECLOSED);
    const weir_time before = weir_time_now();
    for (unsigned i = 0; i < 60; i++)
        assert_err(try_put(s, 3, &why), WEIR_ECLOSED);
    /* One or two of those have tried; SQLite waits for a lock for 0.3 s. */
    assert_true(weir_time_diff(weir_time_now(), before) < WEIR_SECONDS(10));
    assert_true(strlen(why.text) > 0);
    if (store.is_mariadb)
        control("start");
    else
        locker_end(&other);
    put_until_ok(s, 4);
    assert_int_equal(count_rows(&store), 2);
    storage_stats stats;
    storage_get_stats(s, &stats);
    assert_true(store.is_mariadb ? stats.reopened >= 1 : stats.reopened == 0);
    storage_close(s);
    testing_store_fini(&store);
}

static weir_err run_count(db *d, storage_job *job WEIR_UNUSED)
{
    return testing_number(d, &COUNT, DB_NONE) < 0 ? WEIR_EIO : WEIR_OK;
}

TEST(storage_away, what_is_locked_for_writing_can_be_read)
{
    testing_store store;
    testing_store_init(&store);
    if (store.is_mariadb)
        return;
    locker other;
    locker_start(&other, store.url);
    storage *s = open_storage(&store);
    weir_why why = {""};
    locker_lock(&other);
    for (unsigned i = 0; i < 3; i++) {
        storage_job count = {.run = run_count, .reads_only = true};
        assert_err(try_put(s, i, &why), WEIR_ECLOSED);
        assert_ok(storage_run(s, &count, &why));
    }
    locker_end(&other);
    put_until_ok(s, 4);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage_away, a_restart_between_two_jobs_is_not_noticed)
{
    testing_store store;
    testing_store_init(&store);
    if (!store.is_mariadb)
        return;
    storage *s = open_storage(&store);
    weir_why why = {""};
    assert_ok(try_put(s, 1, &why));
    control("kill");
    control("start");
    assert_ok(try_put(s, 2, &why));
    assert_ok(try_put(s, 3, &why));
    assert_int_equal(count_rows(&store), 3);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage_away, a_server_that_is_stopped_is_given_up_after_a_time)
{
    testing_store store;
    testing_store_init(&store);
    if (!store.is_mariadb)
        return;
    storage *s = open_storage(&store);
    weir_why why = {""};
    assert_ok(try_put(s, 1, &why));
    control("stop");
    const weir_time before = weir_time_now();
    assert_err(try_put(s, 2, &why), WEIR_ECLOSED);
    assert_true(weir_time_diff(weir_time_now(), before) < WEIR_SECONDS(30));
    control("cont");
    put_until_ok(s, 3);
    storage_close(s);
    testing_store_fini(&store);
}

TEST(storage_away, what_was_answered_is_there_after_a_kill)
{
    testing_store store;
    testing_store_init(&store);
    if (!store.is_mariadb)
        return;
    storage *s = open_storage(&store);
    weir_why why = {""};
    unsigned next = 0;
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 50; i++)
            assert_ok(try_put(s, next++, &why));
        control("kill");
        control("start");
    }
    assert_int_equal(count_rows(&store), next);
    storage_close(s);
    testing_store_fini(&store);
}
