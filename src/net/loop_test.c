#include "net_test.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <weir/net/watcher.h>

/* Tasks */

enum {
    MANY = 1000
};

struct job {
    weir_task task;
    struct record *record;
    int number;
    weir_err err;
};

struct record {
    weir_loop *loop;
    int ran;
    bool in_order;
    weir_latch begun, posted;
    struct job jobs[MANY];
};

static void run_job(weir_task *task, weir_err err)
{
    struct job *job = WEIR_CONTAINER_OF(task, struct job, task);
    job->record->in_order &= job->number == job->record->ran;
    job->record->ran++;
    job->err = err;
}

static struct record *new_record(void)
{
    struct record *r = test_calloc(1, sizeof *r);
    r->loop = new_loop();
    r->in_order = true;
    for (int i = 0; i < MANY; i++) {
        r->jobs[i].record = r;
        r->jobs[i].number = i;
    }
    return r;
}

static void *post_all(void *user)
{
    struct record *r = user;
    for (int i = 0; i < MANY; i++)
        weir_loop_post(r->loop, &r->jobs[i].task, run_job);
    return NULL;
}

static void in_another_thread(void *(*fn)(void *), void *user)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, fn, user), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

TEST(loop, tasks_of_one_thread_run_in_its_order)
{
    struct record *r = new_record();
    in_another_thread(post_all, r);
    run_until(r->loop, r->ran == MANY);
    assert_true(r->in_order);
    weir_loop_free(r->loop);
    test_free(r);
}

static void run_first_job(weir_task *task, weir_err err)
{
    struct job *job = WEIR_CONTAINER_OF(task, struct job, task);
    weir_latch_down(&job->record->begun);
    weir_latch_wait(&job->record->posted);
    run_job(task, err);
}

static void *post_while_it_runs(void *user)
{
    struct record *r = user;
    weir_loop_post(r->loop, &r->jobs[0].task, run_first_job);
    weir_latch_wait(&r->begun);
    for (int i = 1; i < MANY; i++)
        weir_loop_post(r->loop, &r->jobs[i].task, run_job);
    weir_latch_down(&r->posted);
    return NULL;
}

TEST(loop, many_tasks_wake_it_at_most_once)
{
    struct record *r = new_record();
    weir_latch_init(&r->begun, 1);
    weir_latch_init(&r->posted, 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_while_it_runs, r), 0);
    run_until(r->loop, r->ran == MANY);
    pthread_join(thread, NULL);
    weir_loop_stats stats;
    weir_loop_get_stats(r->loop, &stats);
    assert_true(r->in_order);
    assert_int_equal(stats.tasks, MANY);
    assert_true(stats.wakes <= 1);
    weir_loop_free(r->loop);
    test_free(r);
}

TEST(loop, a_task_posted_in_the_loop_needs_no_wake)
{
    struct record *r = new_record();
    assert_ok(weir_loop_run_once(r->loop, 0));
    weir_loop_post(r->loop, &r->jobs[0].task, run_job);
    assert_int_equal(r->ran, 0);
    assert_ok(weir_loop_run_once(r->loop, -1));
    assert_int_equal(r->ran, 1);
    weir_loop_run_in(r->loop, &r->jobs[1].task, run_job);
    assert_int_equal(r->ran, 2);
    weir_loop_free(r->loop);
    test_free(r);
}

TEST(loop, tasks_left_at_its_end_are_canceled)
{
    struct record *r = new_record();
    weir_loop_post(r->loop, &r->jobs[0].task, run_job);
    weir_loop_post(r->loop, &r->jobs[1].task, run_job);
    weir_loop_free(r->loop);
    assert_int_equal(r->ran, 2);
    assert_err(r->jobs[0].err, WEIR_ECANCELED);
    assert_err(r->jobs[1].err, WEIR_ECANCELED);
    test_free(r);
}

static void post_again(weir_task *task, weir_err err)
{
    struct job *job = WEIR_CONTAINER_OF(task, struct job, task);
    job->record->ran++;
    if (!err)
        weir_loop_post(job->record->loop, task, post_again);
}

static void note_time(weir_timer *timer WEIR_UNUSED, void *user)
{
    *(weir_time *)user = weir_time_now();
}

TEST(loop, a_task_that_posts_itself_does_not_starve_timers)
{
    struct record *r = new_record();
    weir_timer timer = {0};
    weir_time ran = {0};
    weir_loop_post(r->loop, &r->jobs[0].task, post_again);
    weir_loop_after(r->loop, &timer, 1000, note_time, &ran);
    run_until(r->loop, ran.us != 0);
    weir_loop_free(r->loop);
    test_free(r);
}

/* Quitting */

static void *quit(void *loop)
{
    weir_loop_quit(loop);
    return NULL;
}

TEST(loop, another_thread_quits_it)
{
    weir_loop *loop = new_loop();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, quit, loop), 0);
    assert_ok(weir_loop_run(loop));
    pthread_join(thread, NULL);
    weir_loop_free(loop);
}

TEST(loop, a_quit_before_the_run_is_not_lost)
{
    weir_loop *loop = new_loop();
    weir_loop_quit(loop);
    assert_ok(weir_loop_run(loop));
    weir_loop_free(loop);
}

/* Timers and end-of-turn work */

TEST(loop, a_timer_runs_after_its_time_and_soon)
{
    weir_loop *loop = new_loop();
    weir_timer timer = {0}, canceled = {0};
    weir_time ran = {0}, never = {0};
    weir_time begin = weir_time_now();
    weir_loop_after(loop, &timer, 5000, note_time, &ran);
    weir_loop_after(loop, &canceled, 1000, note_time, &never);
    weir_loop_cancel(loop, &canceled);
    run_until(loop, ran.us != 0);
    assert_true(weir_time_diff(ran, begin) >= 5000);
    assert_int_equal(never.us, 0);
    weir_loop_free(loop);
}

struct later {
    weir_deferred work;
    weir_loop *loop;
    int ran, again;
};

static void run_later(weir_deferred *work)
{
    struct later *later = WEIR_CONTAINER_OF(work, struct later, work);
    later->ran++;
    if (later->again-- > 0)
        weir_loop_defer(later->loop, work);
}

TEST(loop, deferred_work_runs_once_however_often_it_was_asked_for)
{
    weir_loop *loop = new_loop();
    struct later a = {.work.fn = run_later, .loop = loop}, b = a;
    weir_loop_defer(loop, &a.work);
    weir_loop_defer(loop, &a.work);
    weir_loop_defer(loop, &b.work);
    weir_loop_undefer(loop, &b.work);
    assert_ok(weir_loop_run_once(loop, -1));
    assert_int_equal(a.ran, 1);
    assert_int_equal(b.ran, 0);
    weir_loop_free(loop);
}

TEST(loop, work_deferred_again_without_end_does_not_hold_the_turn)
{
    weir_loop *loop = new_loop();
    struct later a = {.work.fn = run_later, .loop = loop, .again = 1000};
    weir_loop_defer(loop, &a.work);
    assert_ok(weir_loop_run_once(loop, -1));
    assert_true(a.ran > 1 && a.ran < 100);
    run_until(loop, a.ran == 1001);
    weir_loop_free(loop);
}

/* Threads, numbers, processes */

static void *is_in_thread(void *loop)
{
    return weir_loop_in_thread(loop) ? loop : NULL;
}

TEST(loop, it_belongs_to_the_thread_that_first_ran_it)
{
    weir_loop *loop = new_loop();
    pthread_t thread;
    void *inside;
    assert_true(weir_loop_in_thread(loop));
    pthread_create(&thread, NULL, is_in_thread, loop);
    pthread_join(thread, &inside);
    assert_ptr_equal(inside, loop);
    assert_ok(weir_loop_run_once(loop, 0));
    assert_true(weir_loop_in_thread(loop));
    pthread_create(&thread, NULL, is_in_thread, loop);
    pthread_join(thread, &inside);
    assert_null(inside);
    weir_loop_free(loop);
}

TEST(loop, its_number_finds_it_while_it_lives)
{
    weir_loop *a = new_loop(), *b = new_loop();
    unsigned number = weir_loop_number(a);
    assert_true(number >= 1);
    assert_int_not_equal(number, weir_loop_number(b));
    assert_ptr_equal(weir_loop_enter(number), a);
    weir_loop_leave(number);
    weir_loop_free(a);
    assert_null(weir_loop_enter(number));
    assert_null(weir_loop_enter(0));
    assert_null(weir_loop_enter(UINT32_MAX));
    weir_loop_free(b);
}

TEST(loop, ids_of_a_dead_loop_name_nothing_in_the_next_with_its_number)
{
    static const char kind;
    weir_loop *loop = new_loop();
    uint64_t old, new;
    assert_ok(weir_slots_add(weir_loop_slots(loop), &kind, loop, weir_loop_number(loop), 1, &old));
    weir_slots_remove(weir_loop_slots(loop), old);
    weir_loop_free(loop);
    loop = new_loop();
    assert_ok(weir_slots_add(weir_loop_slots(loop), &kind, loop, weir_loop_number(loop), 1, &new));
    assert_int_equal(weir_slot_loop(old), weir_slot_loop(new));
    assert_false(weir_slots_alive(weir_loop_slots(loop), old));
    weir_slots_remove(weir_loop_slots(loop), new);
    weir_loop_free(loop);
}

static void note_byte(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    char byte;
    assert_int_equal(read(watcher->fd, &byte, 1), 1);
    ++*(int *)user;
}

/** Whether tasks of another thread and the byte in the pipe arrive. */
static void use_after_fork(struct record *r, int write_end, const int *bytes)
{
    pthread_t thread;
    assert_int_equal(write(write_end, "x", 1), 1);
    pthread_create(&thread, NULL, post_all, r);
    run_until(r->loop, r->ran == MANY && *bytes == 1);
    pthread_join(thread, NULL);
}

TEST(loop, one_made_before_a_fork_runs_in_parent_and_child_apart)
{
    int fds[2], bytes = 0, status;
    struct record *r = new_record();
    weir_watcher watcher;
    assert_int_equal(pipe(fds), 0);
    weir_watcher_init(&watcher, r->loop, fds[0], note_byte, &bytes);
    assert_ok(weir_watcher_want(&watcher, WEIR_READABLE));
    pid_t child = fork();
    if (child == 0) {
        use_after_fork(r, fds[1], &bytes);
        weir_watcher_stop(&watcher);
        weir_loop_free(r->loop);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    use_after_fork(r, fds[1], &bytes);
    weir_watcher_stop(&watcher);
    weir_loop_free(r->loop);
    close(fds[0]);
    close(fds[1]);
    test_free(r);
}

TEST(loop, without_descriptors_it_is_not_made_and_nothing_is_left)
{
    int before = open_fds();
    for (int spare = 0; spare < 2; spare++) {
        struct rlimit old, few;
        getrlimit(RLIMIT_NOFILE, &old);
        int next = dup(0);
        close(next);
        few = old;
        few.rlim_cur = (rlim_t)(next + spare);
        setrlimit(RLIMIT_NOFILE, &few);
        weir_loop *loop = NULL;
        weir_err err = weir_loop_new(&loop, NULL);
        setrlimit(RLIMIT_NOFILE, &old);
        assert_err(err, WEIR_EMFILE);
        assert_null(loop);
    }
    assert_int_equal(open_fds(), before);
}

/* Driven by another loop */

/** What a foreign loop does: poll(2) on the loop's descriptor. @return turns that it took */
static int drive(weir_loop *loop, const int *done, int goal)
{
    struct pollfd p = {.events = POLLIN};
    int turns = 0;
    assert_ok(weir_loop_descriptor(loop, &p.fd));
    for (; *done < goal && turns < 1000; turns++) {
        int64_t wait_us = weir_loop_wait_us(loop);
        assert_true(poll(&p, 1, wait_us < 0 ? 10000 : (int)((wait_us + 999) / 1000)) >= 0);
        assert_ok(weir_loop_run_once(loop, 0));
    }
    return turns;
}

static void count_down_timer(weir_timer *timer WEIR_UNUSED, void *user)
{
    ++*(int *)user;
}

static void count_bytes(weir_watcher *watcher, unsigned events WEIR_UNUSED, void *user)
{
    char byte;
    if (read(watcher->fd, &byte, 1) == 1)
        ++*(int *)user;
}

static void *write_later(void *user)
{
    assert_int_equal(write(*(int *)user, "xyz", 3), 3);
    return NULL;
}

TEST(loop, a_foreign_loop_learns_how_long_it_may_wait_and_when_to_go_on)
{
    weir_loop *loop = new_loop();
    weir_timer timer = {0};
    int fd, ran = 0;
    assert_true(weir_loop_wait_us(loop) < 0);
    weir_loop_after(loop, &timer, WEIR_SECONDS(60), count_down_timer, &ran);
    assert_in_range(weir_loop_wait_us(loop), 0, WEIR_SECONDS(60) + 1000);
    weir_loop_cancel(loop, &timer);
    weir_loop_after(loop, &timer, 5000, count_down_timer, &ran);
    if (test_poller() == WEIR_POLLER_POLL)
        assert_err(weir_loop_descriptor(loop, &fd), WEIR_ENOTSUP);
    else
        assert_true(drive(loop, &ran, 1) <= 3);
    weir_loop_cancel(loop, &timer);
    weir_loop_free(loop);
}

TEST(loop, tasks_of_other_threads_wake_the_foreign_loop)
{
    struct record *r = new_record();
    pthread_t poster;
    assert_int_equal(pthread_create(&poster, NULL, post_all, r), 0);
    if (test_poller() != WEIR_POLLER_POLL)
        drive(r->loop, &r->ran, MANY);
    else
        run_until(r->loop, r->ran == MANY);
    pthread_join(poster, NULL);
    assert_int_equal(r->ran, MANY);
    weir_loop_free(r->loop);
    test_free(r);
}

TEST(loop, descriptors_wake_the_foreign_loop)
{
    weir_loop *loop = new_loop();
    weir_watcher watcher;
    pthread_t writer;
    int fds[2], ran = 0;
    socket_pair(SOCK_STREAM, fds);
    weir_watcher_init(&watcher, loop, fds[0], count_bytes, &ran);
    assert_ok(weir_watcher_want(&watcher, WEIR_READABLE));
    assert_int_equal(pthread_create(&writer, NULL, write_later, &fds[1]), 0);
    if (test_poller() != WEIR_POLLER_POLL)
        drive(loop, &ran, 3);
    else
        run_until(loop, ran == 3);
    pthread_join(writer, NULL);
    assert_int_equal(ran, 3);
    weir_watcher_stop(&watcher);
    weir_loop_free(loop);
    close(fds[0]);
    close(fds[1]);
}
