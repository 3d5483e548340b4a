#include "zk_test.h"

/** The end of a wait. */
typedef struct waited {
    weir_zk_ids_waiter waiter;
    int times;
    weir_err err;
    int64_t id;
    char why[200];
    weir_zk_ids *free_it;
} waited;

static void on_id(weir_zk_ids_waiter *waiter, weir_err err, int64_t id, const char *why, void *user)
{
    waited *w = user;
    assert_ptr_equal(waiter, &w->waiter);
    w->times++;
    w->err = err;
    w->id = id;
    snprintf(w->why, sizeof w->why, "%s", why);
    if (w->free_it)
        weir_zk_ids_free(w->free_it);
}

static int64_t wait_for_id(weir_loop *loop, weir_zk_ids *ids, weir_err expected, waited *w)
{
    memset(w, 0, sizeof *w);
    weir_zk_ids_wait(ids, &w->waiter, WEIR_SECONDS(20), on_id, w);
    assert_int_equal(w->times, 0);
    run_until(loop, w->times);
    assert_err(w->err, expected);
    return w->id;
}

static weir_zk_ids *new_ids(weir_zk *zk, const char *path, uint32_t block)
{
    weir_zk_ids *ids = NULL;
    assert_ok(weir_zk_ids_new(&ids, zk, path, &(weir_zk_ids_opts){.block = block}));
    return ids;
}

TEST(ids, begin_at_one_and_increase)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_ids *ids = new_ids(zk, "/ids/in/a/path", 10);
    int64_t id;
    waited w;
    assert_err(weir_zk_ids_next(ids, &id), WEIR_EAGAIN);
    for (int64_t i = 1; i <= 100; i++)
        assert_true(wait_for_id(loop, ids, WEIR_OK, &w) == i);
    weir_zk_ids_free(ids);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, of_two_never_meet)
{
    enum {
        N = 600
    };
    weir_loop *loop = new_loop();
    weir_zk *zk[2] = {new_session(loop, NULL), new_session(loop, NULL)};
    weir_zk_ids *ids[2] = {new_ids(zk[0], "/ids/two", 7), new_ids(zk[1], "/ids/two", 13)};
    static bool given[N * 3];
    int64_t latest[2] = {0, 0};
    waited w;
    for (int i = 0; i < N; i++) {
        int64_t id = wait_for_id(loop, ids[i % 2], WEIR_OK, &w);
        assert_true(id > latest[i % 2]);
        latest[i % 2] = id;
        assert_true(id < N * 3);
        assert_false(given[id]);
        given[id] = true;
        if (i % 100 == 50)
            cut_connections();
    }
    for (int i = 0; i < 2; i++) {
        weir_zk_ids_free(ids[i]);
        weir_zk_free(zk[i]);
    }
    weir_loop_free(loop);
}

TEST(ids, the_next_block_is_there_before_the_first_is_used_up)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_ids *ids = new_ids(zk, "/ids/ahead", 100);
    outcome o = {0};
    int64_t id = 0;
    waited w;
    assert_true(wait_for_id(loop, ids, WEIR_OK, &w) == 1);
    for (int64_t i = 2; i <= 50; i++)
        assert_ok(weir_zk_ids_next(ids, &id));
    do {
        outcome_of(loop, &o, weir_zk_get(zk, NULL, "/ids/ahead", NULL, note_outcome, &o));
    } while (strcmp(o.data, "201") != 0);
    for (int64_t i = 51; i <= 200; i++) {
        assert_ok(weir_zk_ids_next(ids, &id));
        assert_true(id == i);
    }
    weir_zk_ids_free(ids);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, go_on_without_zookeeper_to_the_end_of_the_blocks)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session_of(loop, SESSION_US, NULL);
    weir_zk_ids *ids = new_ids(zk, "/ids/away", 10);
    int64_t id = 0;
    waited w;
    assert_true(wait_for_id(loop, ids, WEIR_OK, &w) == 1);
    /* Nothing is heard of ZooKeeper while the loop does not turn. */
    for (int i = 2; i <= 10; i++)
        assert_ok(weir_zk_ids_next(ids, &id));
    assert_int_equal(id, 10);
    assert_err(weir_zk_ids_next(ids, &id), WEIR_EAGAIN);
    assert_int_equal(id, 10);
    pause_past_session();
    assert_true(wait_for_id(loop, ids, WEIR_OK, &w) > 10); /* in another session */
    weir_zk_ids_free(ids);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, who_waits_in_vain_is_told_why)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = NULL;
    waited w = {0}, canceled = {0}, freed = {0};
    assert_ok(weir_zk_new(&zk, loop, "127.0.0.1:1", NULL, NULL));
    weir_zk_ids *ids = new_ids(zk, "/ids", 0);
    run_until(loop, weir_zk_why(zk)[0]);
    weir_zk_ids_wait(ids, &w.waiter, WEIR_MILLISECONDS(20), on_id, &w);
    weir_zk_ids_wait(ids, &canceled.waiter, WEIR_TIME_NEVER_US, on_id, &canceled);
    weir_zk_ids_wait(ids, &freed.waiter, WEIR_TIME_NEVER_US, on_id, &freed);
    weir_zk_ids_cancel(&canceled.waiter);
    run_until(loop, w.times);
    assert_err(w.err, WEIR_ETIMEDOUT);
    assert_non_null(strstr(w.why, "127.0.0.1:1"));
    weir_zk_ids_free(ids);
    assert_err(freed.err, WEIR_ECANCELED);
    assert_int_equal(freed.times, 1);
    assert_int_equal(canceled.times, 0);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, may_be_freed_by_who_waits)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_ids *ids = new_ids(zk, "/ids/freed", 10);
    waited first = {.free_it = ids}, second = {0};
    weir_zk_ids_wait(ids, &first.waiter, WEIR_TIME_NEVER_US, on_id, &first);
    weir_zk_ids_wait(ids, &second.waiter, WEIR_TIME_NEVER_US, on_id, &second);
    run_until(loop, first.times);
    assert_int_equal(first.id, 1);
    assert_err(second.err, WEIR_ECANCELED);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

static void counter_holds(weir_loop *loop, weir_zk *zk, const char *path, const char *text)
{
    outcome o;
    outcome_of(loop, &o, weir_zk_create(zk, NULL, path, weir_str_from(text), 0, note_outcome, &o));
    assert_ok(o.err);
}

TEST(ids, a_counter_that_holds_no_number_is_refused)
{
    static const char *const texts[] = {"", "0", "-1", "12x", "99999999999999999999"};
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char path[40];
        int64_t id;
        waited w;
        snprintf(path, sizeof path, "/bad-ids-%d", (int)i);
        counter_holds(loop, zk, path, texts[i]);
        weir_zk_ids *ids = new_ids(zk, path, 10);
        wait_for_id(loop, ids, WEIR_EPROTO, &w);
        assert_non_null(strstr(w.why, path));
        assert_err(weir_zk_ids_next(ids, &id), WEIR_EPROTO);
        weir_zk_ids_free(ids);
    }
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, a_counter_that_goes_back_is_refused)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_ids *ids = new_ids(zk, "/ids-back", 2);
    waited w;
    outcome o;
    weir_err err = WEIR_OK;
    assert_true(wait_for_id(loop, ids, WEIR_OK, &w) == 1);
    outcome_of(
        loop, &o,
        weir_zk_set(zk, NULL, "/ids-back", WEIR_STR("1"), WEIR_ZK_ANY_VERSION, note_outcome, &o));
    for (int i = 0; i < 10 && err == WEIR_OK; i++) {
        memset(&w, 0, sizeof w);
        weir_zk_ids_wait(ids, &w.waiter, WEIR_SECONDS(20), on_id, &w);
        run_until(loop, w.times);
        err = w.err;
    }
    assert_err(err, WEIR_EPROTO);
    weir_zk_ids_free(ids);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(ids, end_with_the_largest_number)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    waited w;
    counter_holds(loop, zk, "/ids-end", "9223372036854775797"); /* 2^63 - 11 */
    weir_zk_ids *ids = new_ids(zk, "/ids-end", 10);
    for (int64_t i = 0; i < 10; i++)
        assert_true(wait_for_id(loop, ids, WEIR_OK, &w) == INT64_MAX - 10 + i);
    wait_for_id(loop, ids, WEIR_EFULL, &w);
    weir_zk_ids_free(ids);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/* Threads. */

static struct {
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_ids *ids;
    weir_latch latch;
} mint;

enum {
    EACH = 3000
};

static void in_loop(weir_task_fn fn)
{
    weir_task task;
    weir_latch_init(&mint.latch, 1);
    weir_loop_post(mint.loop, &task, fn);
    weir_latch_wait(&mint.latch);
    weir_latch_fini(&mint.latch);
}

static void open_mint(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    mint.zk = new_session(mint.loop, NULL);
    mint.ids = new_ids(mint.zk, "/ids/threads", 100);
    weir_latch_down(&mint.latch);
}

static void close_mint(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    weir_zk_ids_free(mint.ids);
    weir_zk_free(mint.zk);
    weir_latch_down(&mint.latch);
}

static void take_many(void *user)
{
    int64_t *ids = user;
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));
    for (int i = 0; i < EACH; i++) {
        weir_why why;
        if (weir_zk_ids_next_until(mint.ids, limit, &ids[i], &why))
            fail_msg("%s", why.text);
    }
}

TEST(blocking, threads_get_different_ids)
{
    static int64_t ids[3][EACH];
    static bool given[4 * EACH];
    weir_loop_thread *loop_thread;
    weir_thread *threads[3];
    assert_ok(weir_loop_thread_start(&loop_thread, NULL));
    mint.loop = weir_loop_thread_loop(loop_thread);
    in_loop(open_mint);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_thread_start(&threads[i], "mint", take_many, ids[i]));
    for (int i = 0; i < 3; i++)
        weir_thread_join(threads[i]);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < EACH; j++) {
            assert_true(ids[i][j] > 0 && ids[i][j] <= 3 * EACH);
            assert_false(given[ids[i][j]]);
            given[ids[i][j]] = true;
            assert_true(j == 0 || ids[i][j] > ids[i][j - 1]);
        }
    }
    in_loop(close_mint);
    weir_loop_thread_stop(loop_thread);
}
