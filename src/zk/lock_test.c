#include "zk_test.h"

/** What a lock has told. */
typedef struct told {
    int acquired, ended, unsure, sure, lost;
    weir_err err;
    int64_t fence;
    char why[200];
    weir_zk_lock *free_it;
} told;

static void on_ended(weir_zk_lock *lock WEIR_UNUSED, const weir_zk_lock_result *result, void *user)
{
    told *t = user;
    t->ended++;
    t->err = result->err;
    t->acquired += result->err == WEIR_OK;
    t->fence = result->fence;
    snprintf(t->why, sizeof t->why, "%s", result->why);
    if (t->free_it)
        weir_zk_lock_free(t->free_it);
}

static void on_unsure(weir_zk_lock *lock, void *user)
{
    assert_int_equal(weir_zk_lock_get_state(lock), WEIR_ZK_LOCK_UNSURE);
    ((told *)user)->unsure++;
}

static void on_sure(weir_zk_lock *lock, void *user)
{
    assert_int_equal(weir_zk_lock_get_state(lock), WEIR_ZK_LOCK_HELD);
    ((told *)user)->sure++;
}

static void on_lost(weir_zk_lock *lock, void *user)
{
    assert_int_equal(weir_zk_lock_get_state(lock), WEIR_ZK_LOCK_FREE);
    assert_int_equal(weir_zk_lock_fence(lock), 0);
    ((told *)user)->lost++;
}

static const weir_zk_lock_ops ops = {.unsure = on_unsure, .sure = on_sure, .lost = on_lost};

static weir_zk_lock *new_lock(weir_zk *zk, const char *path, told *t)
{
    weir_zk_lock *lock = NULL;
    *t = (told){0};
    assert_ok(weir_zk_lock_new(&lock, zk, path, &ops, t, NULL));
    return lock;
}

static void acquire(weir_zk_lock *lock, told *t)
{
    assert_ok(weir_zk_lock_acquire(lock, WEIR_TIME_NEVER_US, on_ended, t));
}

static size_t count_children(weir_loop *loop, weir_zk *zk, const char *path)
{
    outcome o;
    outcome_of(loop, &o, weir_zk_children(zk, NULL, path, NULL, note_outcome, &o));
    return o.err == WEIR_OK ? o.child_count : 999;
}

TEST(lock, is_given_in_the_order_of_arrival_with_growing_numbers)
{
    enum {
        N = 5
    };
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_lock *locks[N];
    told t[N];
    int64_t latest = 0;
    for (int i = 0; i < N; i++) {
        locks[i] = new_lock(zk, "/locks/order", &t[i]);
        acquire(locks[i], &t[i]);
        assert_int_equal(t[i].ended, 0);
        assert_int_equal(weir_zk_lock_get_state(locks[i]), WEIR_ZK_LOCK_WAITING);
        if (i == 0) /* the folder is made by this one */
            run_until(loop, t[0].acquired);
    }
    run_until(loop, count_children(loop, zk, "/locks/order") == N);
    for (int i = 0; i < N; i++) {
        run_until(loop, t[i].acquired);
        assert_true(t[i].fence > latest);
        assert_true(weir_zk_lock_fence(locks[i]) == t[i].fence);
        latest = t[i].fence;
        for (int j = i + 1; j < N; j++)
            assert_int_equal(t[j].ended, 0);
        assert_ok(weir_zk_lock_release(locks[i]));
        assert_err(weir_zk_lock_release(locks[i]), WEIR_ESTATE);
    }
    run_until(loop, count_children(loop, zk, "/locks/order") == 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(t[i].ended, 1);
        weir_zk_lock_free(locks[i]);
    }
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, numbers_grow_after_the_folder_was_made_again)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    told t;
    weir_zk_lock *lock = new_lock(zk, "/locks/again", &t);
    int64_t fence = 0;
    for (int i = 1; i <= 2; i++) {
        acquire(lock, &t);
        run_until(loop, t.acquired == i);
        assert_true(t.fence > fence);
        fence = t.fence;
        assert_ok(weir_zk_lock_release(lock));
        outcome_of(loop, &o,
                   weir_zk_delete(zk, NULL, "/locks/again", WEIR_ZK_ANY_VERSION, note_outcome, &o));
        assert_ok(o.err);
    }
    weir_zk_lock_free(lock);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, one_object_cannot_hold_it_twice)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    told t;
    weir_zk_lock *lock = new_lock(zk, "/locks/twice", &t);
    acquire(lock, &t);
    assert_err(weir_zk_lock_acquire(lock, 0, on_ended, &t), WEIR_ESTATE);
    assert_err(weir_zk_lock_release(lock), WEIR_ESTATE);
    run_until(loop, t.acquired);
    assert_err(weir_zk_lock_try_acquire(lock, 0, on_ended, &t), WEIR_ESTATE);
    assert_int_equal(t.ended, 1);
    weir_zk_lock_free(lock);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, who_tries_or_gives_up_leaves_nothing_behind)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL), *other = new_session(loop, NULL);
    told held, t;
    weir_zk_lock *holder = new_lock(zk, "/locks/try", &held), *lock;
    assert_ok(weir_zk_lock_try_acquire(holder, WEIR_SECONDS(10), on_ended, &held));
    run_until(loop, held.acquired);
    lock = new_lock(other, "/locks/try", &t);
    assert_ok(weir_zk_lock_try_acquire(lock, WEIR_SECONDS(10), on_ended, &t));
    run_until(loop, t.ended == 1);
    assert_err(t.err, WEIR_EAGAIN);
    assert_ok(weir_zk_lock_acquire(lock, WEIR_MILLISECONDS(30), on_ended, &t));
    run_until(loop, t.ended == 2);
    assert_err(t.err, WEIR_ETIMEDOUT);
    acquire(lock, &t);
    weir_zk_lock_cancel(lock); /* the node is not made yet */
    assert_int_equal(t.ended, 3);
    assert_err(t.err, WEIR_ECANCELED);
    acquire(lock, &t);
    run_until(loop, count_children(loop, zk, "/locks/try") == 2);
    weir_zk_lock_free(lock);
    assert_int_equal(t.ended, 4);
    assert_err(t.err, WEIR_ECANCELED);
    run_until(loop, count_children(loop, zk, "/locks/try") == 1);
    assert_int_equal(weir_zk_lock_get_state(holder), WEIR_ZK_LOCK_HELD);
    weir_zk_lock_free(holder);
    run_until(loop, count_children(loop, zk, "/locks/try") == 0);
    weir_zk_free(other);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, may_be_freed_when_it_is_acquired)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    told t;
    weir_zk_lock *lock = new_lock(zk, "/locks/freed", &t);
    t.free_it = lock;
    acquire(lock, &t);
    run_until(loop, t.acquired);
    run_until(loop, count_children(loop, zk, "/locks/freed") == 0);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, outlives_a_lost_connection_and_keeps_its_place)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL), *other = new_session(loop, NULL);
    told a, b;
    weir_zk_lock *first = new_lock(zk, "/locks/cut", &a),
                 *second = new_lock(other, "/locks/cut", &b);
    acquire(first, &a);
    run_until(loop, a.acquired);
    acquire(second, &b);
    run_until(loop, count_children(loop, zk, "/locks/cut") == 2);
    for (int i = 0; i < 3; i++) {
        assert_true(cut_connections() > 0);
        run_until(loop, weir_zk_get_state(zk) != WEIR_ZK_CONNECTED &&
                            weir_zk_get_state(other) != WEIR_ZK_CONNECTED);
        run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED &&
                            weir_zk_get_state(other) == WEIR_ZK_CONNECTED);
    }
    assert_int_equal(a.lost, 0);
    assert_int_equal(a.unsure, a.sure);
    assert_int_equal(weir_zk_lock_get_state(first), WEIR_ZK_LOCK_HELD);
    assert_true(weir_zk_lock_fence(first) == a.fence);
    assert_ok(weir_zk_lock_release(first));
    run_until(loop, b.acquired);
    assert_true(b.fence > a.fence);
    assert_int_equal(b.ended, 1);
    weir_zk_lock_free(first);
    weir_zk_lock_free(second);
    weir_zk_free(other);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/** Whatever the moment at which the connection ends: one place, and nothing left behind. */
TEST(lock, a_create_whose_answer_was_lost_is_found_or_made_again)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    outcome_of(loop, &o, weir_zk_make_path(zk, NULL, "/locks/doubt", 0, note_outcome, &o));
    for (int i = 0; i < 30; i++) {
        told t;
        weir_zk_lock *lock = new_lock(zk, "/locks/doubt", &t);
        acquire(lock, &t);
        for (int turn = 0; turn <= i % 6; turn++)
            assert_ok(weir_loop_run_once(loop, 0));
        if (i % 3 == 2) /* time for the server to make it; the answer is in the socket then */
            usleep(20000);
        cut_connections();
        if (i % 5 == 4) {
            weir_zk_lock_free(lock); /* not even acquired */
        } else {
            run_until(loop, t.acquired);
            assert_int_equal(t.ended, 1);
            assert_ok(weir_zk_lock_release(lock));
            weir_zk_lock_free(lock);
        }
    }
    run_until(loop, count_children(loop, zk, "/locks/doubt") == 0);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, a_holder_learns_that_its_session_has_ended)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session_of(loop, SESSION_US, NULL);
    told a, b;
    weir_zk_lock *first = new_lock(zk, "/locks/end", &a), *second = new_lock(zk, "/locks/end", &b);
    acquire(first, &a);
    run_until(loop, a.acquired);
    acquire(second, &b);
    run_until(loop, count_children(loop, zk, "/locks/end") == 2);
    pause_past_session();
    run_until(loop, a.lost == 1 && b.acquired); /* the second has lined up anew */
    assert_true(b.fence > a.fence);
    assert_int_equal(a.ended, 1);
    assert_int_equal(b.lost, 0);
    assert_err(weir_zk_lock_release(first), WEIR_ESTATE);
    acquire(first, &a);
    weir_zk_lock_free(second);
    run_until(loop, a.acquired == 2);
    weir_zk_lock_free(first);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, a_holder_learns_that_its_node_was_removed)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    told t;
    char path[300];
    weir_zk_lock *lock = new_lock(zk, "/locks/removed", &t);
    acquire(lock, &t);
    run_until(loop, t.acquired);
    outcome_of(loop, &o, weir_zk_children(zk, NULL, "/locks/removed", NULL, note_outcome, &o));
    snprintf(path, sizeof path, "/locks/removed/%.*s", (int)strcspn(o.names, " "), o.names);
    outcome_of(loop, &o, weir_zk_delete(zk, NULL, path, WEIR_ZK_ANY_VERSION, note_outcome, &o));
    assert_ok(o.err);
    run_until(loop, t.lost == 1);
    weir_zk_lock_free(lock);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/** A server that accepts and never answers stands for ZooKeeper being away. */
TEST(lock, without_zookeeper_it_says_so)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = NULL;
    told t;
    assert_ok(weir_zk_new(&zk, loop, "127.0.0.1:1", NULL, NULL));
    weir_zk_lock *lock = new_lock(zk, "/locks/x", &t);
    run_until(loop, weir_zk_why(zk)[0]);
    assert_ok(weir_zk_lock_acquire(lock, WEIR_MILLISECONDS(50), on_ended, &t));
    run_until(loop, t.ended);
    assert_err(t.err, WEIR_ETIMEDOUT);
    assert_non_null(strstr(t.why, "127.0.0.1:1"));
    assert_non_null(strstr(t.why, "not connected"));
    acquire(lock, &t);
    weir_zk_lock_free(lock);
    assert_int_equal(t.ended, 2);
    assert_err(t.err, WEIR_ECANCELED);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, a_path_that_cannot_be_is_refused)
{
    static const char *const paths[] = {"", "/", "a", "/a/"};
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_lock *lock = NULL;
    outcome o;
    told t;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_err(weir_zk_lock_new(&lock, zk, paths[i], NULL, NULL, NULL), WEIR_EINVAL);
    assert_null(lock);
    assert_ok(weir_zk_lock_new(&lock, zk, "/a", NULL, NULL, &(weir_zk_lock_opts){.secured = true}));
    assert_err(weir_zk_lock_acquire(lock, 0, on_ended, &t), WEIR_EINVAL);
    weir_zk_lock_free(lock);
    outcome_of(loop, &o,
               weir_zk_create(zk, NULL, "/short-lived", WEIR_STR(""), WEIR_ZK_EPHEMERAL,
                              note_outcome, &o));
    lock = new_lock(zk, "/short-lived", &t);
    acquire(lock, &t);
    run_until(loop, t.ended);
    assert_err(t.err, WEIR_ESTATE);
    assert_non_null(strstr(t.why, "ephemeral"));
    weir_zk_lock_free(lock);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(lock, without_permission_it_says_so)
{
    weir_loop *loop = new_loop();
    weir_zk *ann = new_session(loop, "ann:secret"), *bob = new_session(loop, "bob:secret");
    weir_zk_lock *lock = NULL;
    told a, b;
    a = b = (told){0};
    assert_ok(weir_zk_lock_new(&lock, ann, "/secured", &ops, &a,
                               &(weir_zk_lock_opts){.secured = true, .holder = "ann"}));
    acquire(lock, &a);
    run_until(loop, a.acquired);
    weir_zk_lock *other = new_lock(bob, "/secured", &b);
    acquire(other, &b);
    run_until(loop, b.ended);
    assert_err(b.err, WEIR_EACCES);
    assert_non_null(strstr(b.why, "/secured"));
    weir_zk_lock_free(other);
    weir_zk_lock_free(lock);
    weir_zk_free(bob);
    weir_zk_free(ann);
    weir_loop_free(loop);
}

/* Blocking. */

/** A session in a loop with a thread of its own, and threads that want one lock. */
typedef struct shop {
    weir_loop_thread *thread;
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_lock *locks[3];
    int inside;
    int64_t fence;
} shop;

static void open_shop(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED);
static void close_shop(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED);

static shop the_shop;
static weir_latch done;

static void in_loop(weir_task_fn fn)
{
    weir_task task;
    weir_latch_init(&done, 1);
    weir_loop_post(the_shop.loop, &task, fn);
    weir_latch_wait(&done);
    weir_latch_fini(&done);
}

static void open_shop(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    the_shop.zk = new_session(the_shop.loop, NULL);
    for (int i = 0; i < 3; i++)
        assert_ok(
            weir_zk_lock_new(&the_shop.locks[i], the_shop.zk, "/locks/shop", NULL, NULL, NULL));
    weir_latch_down(&done);
}

static void close_shop(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    for (int i = 0; i < 3; i++)
        weir_zk_lock_free(the_shop.locks[i]);
    weir_zk_free(the_shop.zk);
    weir_latch_down(&done);
}

static void shop_thread(void *user)
{
    weir_zk_lock *lock = user;
    for (int i = 0; i < 20; i++) {
        int64_t fence;
        weir_why why;
        weir_time deadline = weir_time_add(weir_time_now(), WEIR_SECONDS(30));
        weir_err err = weir_zk_lock_acquire_until(lock, deadline, &fence, &why);
        if (err)
            fail_msg("%s", why.text);
        assert_int_equal(the_shop.inside++, 0); /* guarded by the lock */
        assert_true(fence > the_shop.fence);
        the_shop.fence = fence;
        assert_true(weir_zk_lock_fence(lock) == fence);
        the_shop.inside--;
        assert_ok(weir_zk_lock_release(lock));
    }
}

TEST(blocking, threads_take_turns)
{
    weir_thread *threads[3];
    weir_why why;
    int64_t fence;
    assert_ok(weir_loop_thread_start(&the_shop.thread, &(weir_loop_opts){.poller = test_poller()}));
    the_shop.loop = weir_loop_thread_loop(the_shop.thread);
    in_loop(open_shop);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_thread_start(&threads[i], "shop", shop_thread, the_shop.locks[i]));
    for (int i = 0; i < 3; i++)
        weir_thread_join(threads[i]);
    weir_time soon = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    weir_zk_lock **locks = the_shop.locks;
    assert_ok(weir_zk_lock_try_acquire_until(locks[0], soon, &fence, &why));
    assert_err(weir_zk_lock_try_acquire_until(locks[1], soon, &fence, &why), WEIR_EAGAIN);
    assert_err(weir_zk_lock_acquire_until(locks[0], soon, NULL, &why), WEIR_ESTATE);
    assert_non_null(strstr(why.text, "another object"));
    soon = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(20));
    assert_err(weir_zk_lock_acquire_until(locks[1], soon, NULL, &why), WEIR_ETIMEDOUT);
    in_loop(close_shop);
    weir_loop_thread_stop(the_shop.thread);
}
