#include "zk_test.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum {
    MOST = 20
};

/** Of each case's sessions; shorter where they are to end. */
static int64_t session_us = LONG_SESSION_US;

/** One who puts and takes, with a session of its own. */
typedef struct worker {
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_queue *queue;
    int put, taken, done, failed, lost;
    weir_err err;
    char why[300], texts[MOST][20];
    weir_zk_item *items[MOST];
} worker;

static void note(worker *w, weir_err err, const char *why)
{
    w->failed += err != WEIR_OK;
    w->err = err;
    snprintf(w->why, sizeof w->why, "%s", why);
}

static void on_put(weir_err err, const char *why, void *user)
{
    worker *w = user;
    w->put += err == WEIR_OK;
    note(w, err, why);
}

static void on_done(weir_err err, const char *why, void *user)
{
    worker *w = user;
    w->done += err == WEIR_OK;
    note(w, err, why);
}

static void on_taken(weir_err err, weir_zk_item *item, const char *why, void *user)
{
    worker *w = user;
    note(w, err, why);
    if (err) {
        assert_null(item);
        return;
    }
    weir_str data = weir_zk_item_data(item);
    w->items[w->taken % MOST] = item;
    snprintf(w->texts[w->taken % MOST], sizeof *w->texts, "%.*s", WEIR_STR_ARGS(data));
    w->taken++;
}

static void on_lost(weir_zk_queue *queue WEIR_UNUSED, weir_zk_item *item, void *user)
{
    worker *w = user;
    w->lost++;
    weir_zk_item_give_back(item);
}

static void begin(worker *w, weir_loop *loop, const char *path)
{
    *w = (worker){.loop = loop, .zk = new_session_of(loop, session_us, NULL)};
    assert_ok(weir_zk_queue_new(
        &w->queue, w->zk, path,
        &(weir_zk_queue_opts){.length = MOST, .item_bytes = 100, .lost = on_lost, .user = w}));
}

static void finish(worker *w)
{
    weir_zk_queue_free(w->queue);
    weir_zk_free(w->zk);
}

static void put(worker *w, const char *text)
{
    assert_ok(weir_zk_queue_put(w->queue, weir_str_from(text), WEIR_SECONDS(30), on_put, w));
}

static void take(worker *w)
{
    assert_ok(weir_zk_queue_take(w->queue, WEIR_SECONDS(30), on_taken, w));
}

static void done(worker *w, int item)
{
    assert_ok(weir_zk_item_done(w->items[item % MOST], WEIR_SECONDS(30), on_done, w));
}

static size_t nodes(worker *w, const char *path)
{
    outcome o;
    outcome_of(w->loop, &o, weir_zk_children(w->zk, NULL, path, NULL, note_outcome, &o));
    return o.child_count;
}

TEST(queue, gives_items_out_in_order_to_one_consumer_each)
{
    weir_loop *loop = new_loop();
    worker a, b;
    char text[20];
    begin(&a, loop, "/queues/order");
    begin(&b, loop, "/queues/order");
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "job %d", i);
        put(&a, text);
    }
    run_until(loop, a.put == 10);
    for (int i = 0; i < 10; i += 2) {
        take(&a);
        run_until(loop, a.taken == i / 2 + 1);
        snprintf(text, sizeof text, "job %d", i);
        assert_string_equal(a.texts[i / 2], text);
        take(&b);
        run_until(loop, b.taken == i / 2 + 1);
        snprintf(text, sizeof text, "job %d", i + 1);
        assert_string_equal(b.texts[i / 2], text);
    }
    assert_int_equal(nodes(&a, "/queues/order/items"), 10);
    assert_true(weir_zk_item_id(a.items[0]) != weir_zk_item_id(a.items[1]));
    for (int i = 0; i < 5; i++) {
        done(&a, i);
        done(&b, i);
    }
    run_until(loop, a.done == 5 && b.done == 5);
    assert_int_equal(nodes(&a, "/queues/order/items"), 0);
    run_until(loop, nodes(&a, "/queues/order/claims") == 0);
    run_until(loop, nodes(&a, "/queues/order/line") == 0);
    assert_int_equal(a.failed + b.failed, 0);
    finish(&a);
    finish(&b);
    weir_loop_free(loop);
}

TEST(queue, puts_keep_their_order_while_the_folders_are_made)
{
    weir_loop *loop = new_loop();
    worker w;
    char text[20];
    begin(&w, loop, "/queues/of/a/deep/folder");
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        put(&w, text);
    }
    for (int i = 0; i < 10; i++)
        take(&w);
    run_until(loop, w.taken == 10);
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(w.texts[i], text);
    }
    finish(&w);
    weir_loop_free(loop);
}

TEST(queue, who_finds_it_empty_waits_in_line)
{
    weir_loop *loop = new_loop();
    worker w[3];
    begin(&w[0], loop, "/queues/wait");
    begin(&w[1], loop, "/queues/wait");
    begin(&w[2], loop, "/queues/wait");
    for (int i = 0; i < 3; i++) {
        take(&w[i]);
        take(&w[i]); /* comes after all the others */
        run_until(loop, nodes(&w[0], "/queues/wait/line") == (size_t)i + 1);
    }
    for (int i = 0; i < 6; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        put(&w[0], text);
        run_until(loop, w[0].taken + w[1].taken + w[2].taken == i + 1);
        assert_string_equal(w[i % 3].texts[i / 3], text);
        run_until(loop, nodes(&w[0], "/queues/wait/line") == (size_t)(i < 3 ? 3 : 5 - i));
    }
    for (int i = 0; i < 3; i++)
        finish(&w[i]);
    weir_loop_free(loop);
}

TEST(queue, is_bounded)
{
    weir_loop *loop = new_loop();
    worker w;
    char large[101] = "";
    begin(&w, loop, "/queues/bounded");
    for (int i = 0; i < MOST; i++)
        put(&w, "x");
    run_until(loop, w.put == MOST);
    put(&w, "too much");
    run_until(loop, w.failed == 1);
    assert_err(w.err, WEIR_EFULL);
    take(&w);
    run_until(loop, w.taken == 1);
    done(&w, 0);
    run_until(loop, w.done == 1);
    put(&w, "fits");
    run_until(loop, w.put == MOST + 1);
    assert_err(weir_zk_queue_put(w.queue, weir_str_of(large, 101), 0, on_put, &w), WEIR_EMSGSIZE);
    weir_zk_queue *none;
    assert_err(weir_zk_queue_new(&none, w.zk, "/q",
                                 &(weir_zk_queue_opts){.length = WEIR_ZK_QUEUE_LENGTH + 1}),
               WEIR_EINVAL);
    assert_err(weir_zk_queue_new(&none, w.zk, "q", NULL), WEIR_EINVAL);
    finish(&w);
    weir_loop_free(loop);
}

TEST(queue, what_is_given_back_comes_first_again)
{
    weir_loop *loop = new_loop();
    worker a, b;
    begin(&a, loop, "/queues/back");
    begin(&b, loop, "/queues/back");
    put(&a, "1");
    put(&a, "2");
    run_until(loop, a.put == 2);
    take(&a);
    run_until(loop, a.taken == 1);
    uint64_t id = weir_zk_item_id(a.items[0]);
    weir_zk_item_give_back(a.items[0]);
    run_until(loop, nodes(&a, "/queues/back/claims") == 0);
    take(&b);
    run_until(loop, b.taken == 1);
    assert_string_equal(b.texts[0], "1");
    assert_true(weir_zk_item_id(b.items[0]) == id);
    take(&a);
    run_until(loop, a.taken == 2);
    take(&a); /* waits for what is taken */
    run_until(loop, nodes(&b, "/queues/back/line") == 1);
    finish(&b);
    run_until(loop, a.taken == 3);
    assert_string_equal(a.texts[2], "1");
    finish(&a);
    weir_loop_free(loop);
}

/* The later ones find more of the folders there, and have fewer steps before them. */
TEST(queue, puts_keep_their_order_while_the_folder_is_made)
{
    weir_loop *loop = new_loop();
    for (int round = 0; round < 20; round++) {
        char path[60], text[20];
        worker w;
        snprintf(path, sizeof path, "/queues/made/%d/by/the/first/put", round);
        begin(&w, loop, path);
        run_until(loop, weir_zk_get_state(w.zk) == WEIR_ZK_CONNECTED);
        for (int i = 0; i < 10; i++) {
            snprintf(text, sizeof text, "job %d", i);
            put(&w, text);
            assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(round % 5)));
        }
        run_until(loop, w.put == 10);
        for (int i = 0; i < 10; i++) {
            take(&w);
            run_until(loop, w.taken == i + 1);
            snprintf(text, sizeof text, "job %d", i);
            assert_string_equal(w.texts[i], text);
        }
        finish(&w);
    }
    weir_loop_free(loop);
}

TEST(queue, a_take_ends_at_its_limit_and_takes_nothing)
{
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/limit");
    assert_ok(weir_zk_queue_take(w.queue, WEIR_MILLISECONDS(200), on_taken, &w));
    run_until(loop, w.failed == 1);
    assert_err(w.err, WEIR_ETIMEDOUT);
    assert_string_equal(w.why, "no item was free in the time allowed");
    run_until(loop, nodes(&w, "/queues/limit/line") == 0);
    for (int i = 0; i < MOST / 2; i++)
        put(&w, "x");
    run_until(loop, w.put == MOST / 2);
    for (int i = 0; i < MOST / 2; i++) { /* wherever it is by then */
        int before = w.failed + w.taken;
        assert_ok(weir_zk_queue_take(w.queue, i * WEIR_MILLISECONDS(1), on_taken, &w));
        run_until(loop, w.failed + w.taken == before + 1);
    }
    run_until(loop, nodes(&w, "/queues/limit/line") == 0);
    run_until(loop, nodes(&w, "/queues/limit/claims") == (size_t)w.taken);
    finish(&w);
    weir_loop_free(loop);
}

TEST(queue, ends_what_waits_when_it_is_freed)
{
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/free");
    take(&w);
    take(&w);
    put(&w, "x");
    weir_zk_queue_free(w.queue);
    assert_int_equal(w.failed, 3);
    assert_err(w.err, WEIR_ECANCELED);
    weir_zk_free(w.zk);
    weir_loop_free(loop);
}

/** After so many turns: each time something else is under way. */
static void cut_after(weir_loop *loop, int turns)
{
    for (int i = 0; i < turns; i++)
        assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(5)));
    cut_connections();
}

TEST(queue, no_item_is_lost_when_connections_are)
{
    weir_loop *loop = new_loop();
    worker a, b;
    int counts[10] = {0};
    begin(&a, loop, "/queues/cut");
    begin(&b, loop, "/queues/cut");
    for (int i = 0; i < 10; i++) {
        char text[2] = {(char)('0' + i), '\0'};
        put(&a, text);
        cut_after(loop, 1 + i % 5);
        run_until(loop, a.put == i + 1);
        run_until(loop, weir_zk_get_state(a.zk) == WEIR_ZK_CONNECTED);
    }
    assert_int_equal(nodes(&a, "/queues/cut/items"), 10);
    for (int i = 0; i < 10; i++) {
        worker *w = i % 2 ? &a : &b;
        take(w);
        for (int turn = 0; w->taken == i / 2; turn++) {
            if (turn == 2 * i || turn == 2 * i + 1)
                cut_connections();
            assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(10)));
        }
        counts[w->texts[i / 2][0] - '0']++;
        done(w, i / 2);
        cut_after(loop, 1 + i % 4);
        run_until(loop, w->done == i / 2 + 1);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(counts[i], 1);
    assert_int_equal(nodes(&a, "/queues/cut/items"), 0);
    run_until(loop, nodes(&a, "/queues/cut/claims") == 0);
    assert_int_equal(a.failed + b.failed + a.lost + b.lost, 0);
    finish(&a);
    finish(&b);
    weir_loop_free(loop);
}

TEST(queue, who_loses_its_session_loses_its_items_and_lines_up_again)
{
    session_us = SESSION_US;
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/session");
    put(&w, "1");
    put(&w, "2");
    take(&w);
    take(&w);
    take(&w);
    run_until(loop, w.put == 2 && w.taken == 2);
    run_until(loop, nodes(&w, "/queues/session/line") == 1);
    for (int tries = 0; w.lost == 0; tries++) {
        assert_true(tries < 5);
        int64_t before = weir_zk_session_id(w.zk);
        pause_past_session();
        nodes(&w, "/");
        run_until(loop, w.lost || weir_zk_session_id(w.zk) == before);
    }
    assert_int_equal(w.lost, 2);
    run_until(loop, w.taken == 3);
    assert_string_equal(w.texts[2], "1");
    assert_int_equal(w.failed, 0);
    done(&w, 2);
    run_until(loop, w.done == 1);
    assert_int_equal(nodes(&w, "/queues/session/items"), 1);
    finish(&w);
    weir_loop_free(loop);
}

static void keep_lost(weir_zk_queue *queue WEIR_UNUSED, weir_zk_item *item WEIR_UNUSED, void *user)
{
    ((worker *)user)->lost++;
}

TEST(queue, a_lost_item_cannot_be_confirmed)
{
    session_us = SESSION_US;
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/late");
    weir_zk_queue_free(w.queue);
    assert_ok(weir_zk_queue_new(&w.queue, w.zk, "/queues/late",
                                &(weir_zk_queue_opts){.lost = keep_lost, .user = &w}));
    put(&w, "1");
    take(&w);
    run_until(loop, w.taken == 1);
    for (int tries = 0; w.lost == 0; tries++) {
        assert_true(tries < 5);
        pause_past_session();
        nodes(&w, "/");
        run_until(loop, weir_zk_get_state(w.zk) == WEIR_ZK_CONNECTED);
    }
    assert_err(weir_zk_item_done(w.items[0], 0, on_done, &w), WEIR_ECLOSED);
    assert_int_equal(nodes(&w, "/queues/late/items"), 1);
    finish(&w);
    weir_loop_free(loop);
}

/** A process that takes so many, confirms what is not "keep", holds that, and then says a byte. */
static pid_t consume_elsewhere(const char *path, int take_count, int says)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    worker w;
    begin(&w, new_loop(), path);
    for (int i = 0; i < take_count; i++) {
        take(&w);
        run_until(w.loop, w.taken == i + 1);
        if (strcmp(w.texts[i], "keep") == 0)
            continue;
        done(&w, i);
        run_until(w.loop, w.done == i + 1);
    }
    assert_int_equal(write(says, "x", 1), 1);
    run_until(w.loop, 0);
    _exit(1);
}

static bool is_readable(int fd)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1;
}

TEST(queue, a_killed_consumer_gives_back_what_it_has_not_confirmed)
{
    session_us = KILLED_SESSION_US;
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/kill");
    put(&w, "do");
    run_until(loop, w.put == 1);
    put(&w, "keep");
    run_until(loop, w.put == 2);
    put(&w, "last");
    run_until(loop, w.put == 3);
    int says[2];
    assert_int_equal(pipe(says), 0);
    pid_t consumer = consume_elsewhere("/queues/kill", 2, says[1]);
    run_until(loop, is_readable(says[0]));
    take(&w);
    run_until(loop, w.taken == 1);
    assert_string_equal(w.texts[0], "last");
    take(&w);
    run_until(loop, nodes(&w, "/queues/kill/line") == 1);
    kill(consumer, SIGKILL);
    assert_int_equal(waitpid(consumer, NULL, 0), consumer);
    run_until(loop, w.taken == 2);
    assert_string_equal(w.texts[1], "keep");
    close(says[0]);
    close(says[1]);
    finish(&w);
    weir_loop_free(loop);
}

TEST(queue, a_killed_one_in_the_line_stops_nobody)
{
    session_us = KILLED_SESSION_US;
    weir_loop *loop = new_loop();
    worker w;
    begin(&w, loop, "/queues/line");
    pid_t consumer = consume_elsewhere("/queues/line", 1, -1);
    run_until(loop, nodes(&w, "/queues/line/line") == 1);
    take(&w);
    run_until(loop, nodes(&w, "/queues/line/line") == 2);
    kill(consumer, SIGKILL);
    assert_int_equal(waitpid(consumer, NULL, 0), consumer);
    put(&w, "1");
    run_until(loop, w.taken == 1);
    finish(&w);
    weir_loop_free(loop);
}

/* The blocking form. */

typedef struct user_thread {
    weir_loop *loop;
    weir_zk_queue *queue;
    atomic_int *over;
    atomic_int *sum;
    bool produces;
    weir_err err;
} user_thread;

enum {
    JOBS = 30,
    THREADS = 3 /* one puts, two take */
};

static weir_err take_one(user_thread *u, weir_time limit, int i)
{
    weir_zk_item *item = NULL;
    weir_err err = weir_zk_queue_take_until(u->queue, limit, &item, NULL);
    if (err)
        return err;
    if (i == 0) { /* once */
        weir_zk_item_give_back(item);
        err = weir_zk_queue_take_until(u->queue, limit, &item, NULL);
    }
    if (err)
        return err;
    weir_str data = weir_zk_item_data(item);
    atomic_fetch_add(u->sum, data.ptr[0]);
    return weir_zk_item_done_until(item, limit, NULL);
}

static void use(void *user)
{
    user_thread *u = user;
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    int count = u->produces ? JOBS : JOBS / (THREADS - 1);
    for (int i = 0; i < count && !u->err; i++) {
        char byte = (char)i;
        u->err = u->produces ? weir_zk_queue_put_until(u->queue, weir_str_of(&byte, 1), limit, NULL)
                             : take_one(u, limit, i);
    }
    if (atomic_fetch_add(u->over, 1) == THREADS - 1)
        weir_loop_quit(u->loop);
}

TEST(queue, threads_may_wait_for_it)
{
    weir_loop *loop = new_loop();
    weir_thread *threads[THREADS];
    user_thread users[THREADS];
    worker w;
    atomic_int over = 0, sum = 0;
    begin(&w, loop, "/queues/threads");
    weir_zk_queue_free(w.queue);
    assert_ok(weir_zk_queue_new(&w.queue, w.zk, "/queues/threads", NULL));
    assert_ok(weir_loop_run_once(loop, 0));
    assert_err(weir_zk_queue_put_until(w.queue, WEIR_STR("x"), weir_time_now(), NULL), WEIR_ESTATE);
    for (int i = 0; i < THREADS; i++) {
        users[i] = (user_thread){loop, w.queue, &over, &sum, i == 0, WEIR_OK};
        assert_ok(weir_thread_start(&threads[i], "user", use, &users[i]));
    }
    assert_ok(weir_loop_run(loop));
    for (int i = 0; i < THREADS; i++) {
        weir_thread_join(threads[i]);
        assert_ok(users[i].err);
    }
    assert_int_equal(sum, JOBS * (JOBS - 1) / 2);
    assert_int_equal(nodes(&w, "/queues/threads/items"), 0);
    finish(&w);
    weir_loop_free(loop);
}
