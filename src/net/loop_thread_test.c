#include "net_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    THREADS = 4,
    TASKS = 5000
};

struct counted {
    weir_task task;
    atomic_int *ran, *canceled;
    weir_latch *all;
};

static void count(weir_task *task, weir_err err)
{
    struct counted *c = WEIR_CONTAINER_OF(task, struct counted, task);
    weir_latch *all = c->all;
    atomic_fetch_add(err ? c->canceled : c->ran, 1);
    free(c);
    if (all)
        weir_latch_down(all);
}

struct poster {
    weir_loop *loop;
    atomic_int ran, canceled;
    weir_latch all;
};

static void *post_many(void *user)
{
    struct poster *p = user;
    for (int i = 0; i < TASKS; i++) {
        struct counted *c = calloc(1, sizeof *c);
        if (!c)
            return NULL;
        c->ran = &p->ran;
        c->canceled = &p->canceled;
        c->all = &p->all;
        weir_loop_post(p->loop, &c->task, count);
        if (i % 64 == 0)
            sched_yield(); /* lets the loop fall asleep now and then */
    }
    return NULL;
}

TEST(loop_thread, no_task_of_many_threads_is_forgotten)
{
    weir_loop_thread *thread;
    assert_ok(weir_loop_thread_start(&thread, &(weir_loop_opts){.poller = test_poller()}));
    struct poster p = {.loop = weir_loop_thread_loop(thread)};
    weir_latch_init(&p.all, THREADS * TASKS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &p), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(weir_latch_wait_until(&p.all, weir_time_add(weir_time_now(), WEIR_SECONDS(30))));
    assert_int_equal(atomic_load(&p.ran), THREADS * TASKS);
    weir_loop_thread_stop(thread);
    weir_latch_fini(&p.all);
}

struct place {
    weir_task task;
    weir_latch done;
    weir_loop *loop;
    bool inside;
    pthread_t thread;
};

static void note_place(weir_task *task, weir_err err)
{
    struct place *place = WEIR_CONTAINER_OF(task, struct place, task);
    place->inside = !err && weir_loop_in_thread(place->loop);
    place->thread = pthread_self();
    weir_latch_down(&place->done);
}

TEST(loop_thread, tasks_run_in_it_and_not_in_the_poster)
{
    weir_loop_thread *thread;
    assert_ok(weir_loop_thread_start(&thread, &(weir_loop_opts){.name = "serving"}));
    struct place place = {.loop = weir_loop_thread_loop(thread)};
    assert_false(weir_loop_in_thread(place.loop));
    weir_latch_init(&place.done, 1);
    weir_loop_run_in(place.loop, &place.task, note_place);
    weir_latch_wait(&place.done);
    assert_true(place.inside);
    assert_false(pthread_equal(place.thread, pthread_self()));
    weir_loop_thread_stop(thread);
    weir_latch_fini(&place.done);
}

TEST(loop_thread, every_task_has_run_or_been_canceled_when_it_has_stopped)
{
    int before = open_fds();
    weir_loop_thread *thread;
    assert_ok(weir_loop_thread_start(&thread, &(weir_loop_opts){.poller = test_poller()}));
    atomic_int ran = 0, canceled = 0;
    for (int i = 0; i < TASKS; i++) {
        struct counted *c = calloc(1, sizeof *c);
        assert_non_null(c);
        c->ran = &ran;
        c->canceled = &canceled;
        weir_loop_post(weir_loop_thread_loop(thread), &c->task, count);
    }
    weir_loop_thread_stop(thread);
    assert_int_equal(atomic_load(&ran) + atomic_load(&canceled), TASKS);
    assert_int_equal(open_fds(), before);
    weir_loop_thread_stop(NULL);
}
