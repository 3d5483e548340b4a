#include "test.h"

#include <sched.h>
#include <stdatomic.h>
#include <weir/base/thread.h>
#include <weir/base/workers.h>

enum {
    JOBS = 1000,
    THREADS = 4
};

typedef struct counted {
    weir_job job;
    struct record *record;
    int number;
    weir_err err;
} counted;

struct record {
    atomic_int ran;
    int order[JOBS];
    weir_latch begun, go;
    counted jobs[JOBS];
};

static struct record *new_record(void)
{
    struct record *r = test_calloc(1, sizeof *r);
    weir_latch_init(&r->begun, 1);
    weir_latch_init(&r->go, 1);
    for (int i = 0; i < JOBS; i++) {
        r->jobs[i].record = r;
        r->jobs[i].number = i;
        r->jobs[i].err = WEIR_EIO;
    }
    return r;
}

static void note(weir_job *job, weir_err err)
{
    counted *c = WEIR_CONTAINER_OF(job, counted, job);
    c->err = err;
    c->record->order[atomic_fetch_add(&c->record->ran, 1)] = c->number;
}

/** Holds its worker until the test says go. */
static void hold(weir_job *job, weir_err err)
{
    struct record *r = WEIR_CONTAINER_OF(job, counted, job)->record;
    weir_latch_down(&r->begun);
    weir_latch_wait(&r->go);
    note(job, err);
}

TEST(workers, every_job_runs_once)
{
    struct record *r = new_record();
    weir_workers *workers;
    assert_ok(weir_workers_new(&workers, &(weir_workers_opts){.threads = THREADS}));
    for (int i = 0; i < JOBS; i++)
        assert_ok(weir_workers_post(workers, &r->jobs[i].job, note));
    weir_workers_free(workers);
    assert_int_equal(atomic_load(&r->ran), JOBS);
    test_free(r);
}

TEST(workers, jobs_of_one_worker_keep_their_order_and_the_bound_refuses)
{
    struct record *r = new_record();
    weir_workers *workers;
    assert_ok(weir_workers_new(&workers, &(weir_workers_opts){.threads = 1, .queue_max = 2}));
    assert_ok(weir_workers_post(workers, &r->jobs[0].job, hold));
    weir_latch_wait(&r->begun);
    assert_ok(weir_workers_post(workers, &r->jobs[1].job, note));
    assert_ok(weir_workers_post(workers, &r->jobs[2].job, hold));
    assert_int_equal(weir_workers_queued(workers), 2);
    assert_err(weir_workers_post(workers, &r->jobs[3].job, note), WEIR_EAGAIN);
    weir_latch_init(&r->begun, 1);
    weir_latch_down(&r->go);
    weir_latch_wait(&r->begun);
    assert_ok(weir_workers_post(workers, &r->jobs[3].job, note));
    weir_workers_free(workers);
    assert_int_equal(r->order[0], 0);
    assert_int_equal(r->order[1], 1);
    assert_int_equal(r->order[2], 2);
    assert_int_equal(r->jobs[1].err, WEIR_OK);
    test_free(r);
}

static void end_pool(void *user)
{
    weir_workers_free(user);
}

TEST(workers, what_waits_at_the_end_is_canceled_and_what_runs_is_waited_for)
{
    struct record *r = new_record();
    weir_workers *workers;
    weir_thread *ender;
    int posted = 1;
    assert_ok(weir_workers_new(&workers, &(weir_workers_opts){.threads = 1, .queue_max = 10}));
    assert_ok(weir_workers_post(workers, &r->jobs[0].job, hold));
    weir_latch_wait(&r->begun);
    assert_ok(weir_workers_post(workers, &r->jobs[posted++].job, note));
    assert_ok(weir_thread_start(&ender, "ender", end_pool, workers));
    weir_err err = WEIR_OK;
    while (err != WEIR_ECLOSED) { /* full, until the end has begun */
        err = weir_workers_post(workers, &r->jobs[posted].job, note);
        posted += !err;
        sched_yield();
    }
    weir_latch_down(&r->go);
    weir_thread_join(ender);
    assert_int_equal(atomic_load(&r->ran), posted);
    assert_err(r->jobs[0].err, WEIR_OK);
    for (int i = 1; i < posted; i++)
        assert_err(r->jobs[i].err, WEIR_ECANCELED);
    weir_workers_free(NULL);
    test_free(r);
}
