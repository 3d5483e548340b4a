#include "zk_test.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum {
    MOST = 5
};

/** Of each case's sessions; shorter where they are to end. */
static int64_t session_us = LONG_SESSION_US;

/** A participant with a session of its own. */
typedef struct guest {
    weir_zk *zk;
    weir_zk_barrier *barrier;
    int ended, lost;
    weir_err err;
    char why[300];
} guest;

static void on_lost(weir_zk_barrier *barrier WEIR_UNUSED, void *user)
{
    ((guest *)user)->lost++;
}

static void on_end(weir_zk_barrier *barrier WEIR_UNUSED, weir_err err, const char *why, void *user)
{
    guest *g = user;
    g->ended++;
    g->err = err;
    snprintf(g->why, sizeof g->why, "%s", why);
}

static void come(guest *g, weir_loop *loop, const char *path, unsigned count)
{
    *g = (guest){.zk = new_session_of(loop, session_us, NULL)};
    assert_ok(weir_zk_barrier_new(&g->barrier, g->zk, path, count,
                                  &(weir_zk_barrier_opts){.lost = on_lost, .user = g}));
}

static void go(guest *g)
{
    weir_zk_barrier_free(g->barrier);
    weir_zk_free(g->zk);
}

static void enter(guest *g)
{
    g->ended = 0;
    assert_ok(weir_zk_barrier_enter(g->barrier, WEIR_SECONDS(30), on_end, g));
}

static void leave(guest *g)
{
    g->ended = 0;
    assert_ok(weir_zk_barrier_leave(g->barrier, WEIR_SECONDS(30), on_end, g));
}

static int ended(const guest *g, int count)
{
    int all = 0;
    for (int i = 0; i < count; i++)
        all += g[i].ended;
    return all;
}

static void all_ok(const guest *g, int count)
{
    for (int i = 0; i < count; i++)
        assert_string_equal(g[i].err ? g[i].why : "", "");
}

/** How many nodes there are below a path. */
static size_t nodes(weir_loop *loop, weir_zk *zk, const char *path)
{
    outcome o;
    outcome_of(loop, &o, weir_zk_children(zk, NULL, path, NULL, note_outcome, &o));
    return o.child_count;
}

/** Has turned so often that whatever was to happen has happened: an answer from ZooKeeper to each.
 */
static void settle(weir_loop *loop, const guest *g, int count)
{
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < count; i++)
            nodes(loop, g[i].zk, "/");
}

TEST(barrier, lets_all_in_together_and_out_together_again_and_again)
{
    weir_loop *loop = new_loop();
    guest g[MOST];
    for (int i = 0; i < MOST; i++)
        come(&g[i], loop, "/barriers/all", MOST);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MOST - 1; i++)
            enter(&g[i]);
        settle(loop, g, MOST);
        assert_int_equal(ended(g, MOST - 1), 0);
        enter(&g[MOST - 1]);
        run_until(loop, ended(g, MOST) == MOST);
        all_ok(g, MOST);
        for (int i = 0; i < MOST; i++) /* the first one's node goes last, whoever leaves last */
            if (i != round)
                leave(&g[i]);
        settle(loop, g, MOST);
        assert_int_equal(ended(g, MOST) - g[round].ended, 0);
        leave(&g[round]);
        run_until(loop, ended(g, MOST) == MOST);
        all_ok(g, MOST);
        assert_int_equal(nodes(loop, g[0].zk, "/barriers/all"), 0);
    }
    for (int i = 0; i < MOST; i++)
        go(&g[i]);
    weir_loop_free(loop);
}

TEST(barrier, is_one_round_at_a_time_in_order_of_arrival)
{
    weir_loop *loop = new_loop();
    guest g[4];
    for (int i = 0; i < 4; i++) {
        come(&g[i], loop, "/barriers/order", 2);
        enter(&g[i]);
        run_until(loop, nodes(loop, g[i].zk, "/barriers/order") == (size_t)i + 1);
    }
    run_until(loop, ended(g, 2) == 2);
    settle(loop, g, 4);
    assert_int_equal(ended(g + 2, 2), 0);
    leave(&g[0]);
    leave(&g[1]);
    run_until(loop, ended(g, 4) == 4);
    all_ok(g, 4);
    for (int i = 0; i < 4; i++)
        go(&g[i]);
    weir_loop_free(loop);
}

TEST(barrier, refuses_what_is_out_of_turn)
{
    weir_loop *loop = new_loop();
    guest g;
    weir_zk_barrier *none;
    come(&g, loop, "/barriers/turn", 2);
    assert_err(weir_zk_barrier_new(&none, g.zk, "/b", 0, NULL), WEIR_EINVAL);
    assert_err(weir_zk_barrier_new(&none, g.zk, "/b/", 2, NULL), WEIR_EINVAL);
    assert_err(weir_zk_barrier_leave(g.barrier, 0, on_end, &g), WEIR_ESTATE);
    enter(&g);
    assert_err(weir_zk_barrier_enter(g.barrier, 0, on_end, &g), WEIR_ESTATE);
    assert_err(weir_zk_barrier_leave(g.barrier, 0, on_end, &g), WEIR_ESTATE);
    weir_zk_barrier_free(g.barrier);
    assert_int_equal(g.ended, 1);
    assert_err(g.err, WEIR_ECANCELED);
    weir_zk_free(g.zk);
    weir_loop_free(loop);
}

TEST(barrier, who_gives_up_does_not_count)
{
    weir_loop *loop = new_loop();
    guest g[3];
    for (int i = 0; i < 3; i++)
        come(&g[i], loop, "/barriers/limit", 2);
    assert_ok(weir_zk_barrier_enter(g[0].barrier, WEIR_MILLISECONDS(300), on_end, &g[0]));
    run_until(loop, g[0].ended);
    assert_err(g[0].err, WEIR_ETIMEDOUT);
    assert_string_equal(g[0].why, "1 of 2 were at /barriers/limit in the time allowed");
    assert_ok(weir_zk_barrier_enter(g[0].barrier, 0, on_end, &g[0])); /* create is under way then */
    run_until(loop, g[0].ended == 2);
    run_until(loop, nodes(loop, g[0].zk, "/barriers/limit") == 0);
    enter(&g[1]);
    settle(loop, g, 3);
    assert_int_equal(g[1].ended, 0);
    enter(&g[2]);
    run_until(loop, ended(g + 1, 2) == 2);
    all_ok(g + 1, 2);
    assert_ok(weir_zk_barrier_leave(g[1].barrier, WEIR_MILLISECONDS(100), on_end, &g[1]));
    run_until(loop, g[1].ended == 2);
    assert_err(g[1].err, WEIR_ETIMEDOUT);
    leave(&g[2]);
    run_until(loop, g[2].ended);
    assert_ok(g[2].err);
    for (int i = 0; i < 3; i++)
        go(&g[i]);
    weir_loop_free(loop);
}

TEST(barrier, outlives_lost_connections)
{
    weir_loop *loop = new_loop();
    guest g[3];
    for (int i = 0; i < 3; i++)
        come(&g[i], loop, "/barriers/cut", 3);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            enter(&g[i]);
            assert_ok(weir_loop_run_once(loop, 0));
            cut_connections();
        }
        run_until(loop, ended(g, 3) == 3);
        all_ok(g, 3);
        assert_int_equal(nodes(loop, g[0].zk, "/barriers/cut"), 3);
        for (int i = 0; i < 3; i++) {
            leave(&g[i]);
            assert_ok(weir_loop_run_once(loop, 0));
            cut_connections();
        }
        run_until(loop, ended(g, 3) == 3);
        all_ok(g, 3);
    }
    for (int i = 0; i < 3; i++)
        go(&g[i]);
    weir_loop_free(loop);
}

/** All sessions of this process end. */
static void lose_sessions(weir_loop *loop, guest *g, int count)
{
    for (int tries = 0; tries < 5; tries++) {
        int64_t before = weir_zk_session_id(g[0].zk),
                before_last = weir_zk_session_id(g[count - 1].zk);
        pause_past_session();
        for (int i = 0; i < count; i++)
            nodes(loop, g[i].zk, "/");
        for (int i = 0; i < count; i++)
            run_until(loop, weir_zk_get_state(g[i].zk) == WEIR_ZK_CONNECTED);
        if (weir_zk_session_id(g[0].zk) != before &&
            weir_zk_session_id(g[count - 1].zk) != before_last)
            return;
    }
    fail_msg("the sessions live");
}

TEST(barrier, who_waits_lines_up_again_when_its_session_has_ended)
{
    session_us = SESSION_US;
    weir_loop *loop = new_loop();
    guest g[2];
    come(&g[0], loop, "/barriers/session", 2);
    come(&g[1], loop, "/barriers/session", 2);
    enter(&g[0]);
    run_until(loop, nodes(loop, g[1].zk, "/barriers/session") == 1);
    lose_sessions(loop, g, 2);
    run_until(loop, nodes(loop, g[1].zk, "/barriers/session") == 1);
    assert_int_equal(g[0].ended, 0);
    enter(&g[1]);
    run_until(loop, ended(g, 2) == 2);
    all_ok(g, 2);
    lose_sessions(loop, g, 2);
    assert_int_equal(g[0].lost + g[1].lost, 2);
    leave(&g[0]);
    run_until(loop, g[0].ended); /* nobody is there any more */
    assert_ok(g[0].err);
    leave(&g[1]);
    run_until(loop, g[1].ended);
    assert_ok(g[1].err);
    go(&g[0]);
    go(&g[1]);
    weir_loop_free(loop);
}

TEST(barrier, who_was_let_in_while_its_session_was_ending_is_told)
{
    session_us = SESSION_US;
    weir_loop *loop = new_loop();
    guest g;
    outcome o;
    int32_t number = 0;
    come(&g, loop, "/barriers/former", 2);
    enter(&g);
    run_until(loop, nodes(loop, g.zk, "/barriers/former") == 1);
    outcome_of(loop, &o, weir_zk_children(g.zk, NULL, "/barriers/former", NULL, note_outcome, &o));
    assert_int_equal(sscanf(strchr(o.names, '-') + 1, "%d", &number), 1);
    run_until(loop, weir_zk_get_state(g.zk) == WEIR_ZK_CONNECTED);
    pid_t other = fork(); /* while this process sleeps */
    if (other == 0) {
        char round[40];
        weir_loop *its_loop = new_loop();
        weir_zk *zk = new_session_of(its_loop, session_us, NULL);
        usleep(SESSION_US); /* the pauses below are longer */
        snprintf(round, sizeof round, "%d 1000", (int)number);
        do {
            outcome_of(its_loop, &o,
                       weir_zk_children(zk, NULL, "/barriers/former", NULL, note_outcome, &o));
        } while (o.child_count > 0);
        outcome_of(its_loop, &o,
                   weir_zk_set(zk, NULL, "/barriers/former", weir_str_from(round),
                               WEIR_ZK_ANY_VERSION, note_outcome, &o));
        _exit(o.err != WEIR_OK);
    }
    int status = -1;
    assert_int_equal(waitpid(other, &status, 0), other); /* the session ends meanwhile */
    assert_int_equal(status, 0);
    run_until(loop, g.ended);
    assert_err(g.err, WEIR_ECLOSED);
    go(&g);
    weir_loop_free(loop);
}

/** Enters in a process of its own, and stays there. */
static pid_t enter_elsewhere(const char *path, unsigned count)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    guest g;
    weir_loop *loop = new_loop();
    come(&g, loop, path, count);
    enter(&g);
    run_until(loop, 0);
    _exit(1);
}

TEST(barrier, who_is_killed_is_not_waited_for)
{
    session_us = KILLED_SESSION_US;
    weir_loop *loop = new_loop();
    guest g[2];
    pid_t first = enter_elsewhere("/barriers/kill", 3);
    come(&g[0], loop, "/barriers/kill", 3);
    come(&g[1], loop, "/barriers/kill", 3);
    run_until(loop, nodes(loop, g[0].zk, "/barriers/kill") == 1);
    kill(first, SIGKILL);
    assert_int_equal(waitpid(first, NULL, 0), first);
    run_until(loop, nodes(loop, g[0].zk, "/barriers/kill") == 0);
    enter(&g[0]);
    enter(&g[1]);
    settle(loop, g, 2);
    assert_int_equal(ended(g, 2), 0);
    pid_t second = enter_elsewhere("/barriers/kill", 3);
    run_until(loop, ended(g, 2) == 2);
    all_ok(g, 2);
    leave(&g[0]);
    leave(&g[1]);
    settle(loop, g, 2);
    assert_int_equal(ended(g, 2), 0);
    kill(second, SIGKILL);
    assert_int_equal(waitpid(second, NULL, 0), second);
    run_until(loop, ended(g, 2) == 2);
    all_ok(g, 2);
    go(&g[0]);
    go(&g[1]);
    weir_loop_free(loop);
}

/* The blocking form. */

typedef struct blocked {
    weir_zk_barrier *barrier;
    weir_err entered, left, late;
    weir_why why;
    atomic_int *over;
    weir_loop *loop;
} blocked;

static void use(void *user)
{
    blocked *b = user;
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    b->entered = weir_zk_barrier_enter_until(b->barrier, limit, &b->why);
    b->left = weir_zk_barrier_leave_until(b->barrier, limit, &b->why);
    b->late = weir_zk_barrier_leave_until(b->barrier, limit, &b->why);
    if (atomic_fetch_add(b->over, 1) == 1)
        weir_loop_quit(b->loop);
}

TEST(barrier, threads_may_wait_at_it)
{
    weir_thread *threads[2];
    weir_loop *loop = new_loop();
    guest g[2];
    blocked b[2] = {0};
    atomic_int over = 0;
    assert_ok(weir_loop_run_once(loop, 0));
    for (int i = 0; i < 2; i++) {
        come(&g[i], loop, "/barriers/threads", 2);
        b[i].barrier = g[i].barrier;
        b[i].over = &over;
        b[i].loop = loop;
        assert_ok(weir_thread_start(&threads[i], "guest", use, &b[i]));
    }
    assert_err(weir_zk_barrier_enter_until(g[0].barrier, weir_time_now(), NULL), WEIR_ESTATE);
    assert_ok(weir_loop_run(loop));
    for (int i = 0; i < 2; i++) {
        weir_thread_join(threads[i]);
        assert_string_equal(b[i].entered || b[i].left ? "failed" : "", "");
        assert_err(b[i].late, WEIR_ESTATE);
        go(&g[i]);
    }
    weir_loop_free(loop);
}
