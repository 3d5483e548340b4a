#include "zk_test.h"

/** A candidate, and what it was told. */
typedef struct candidate {
    weir_zk_election *election;
    int elected, deposed, changed, failed;
    int64_t term, leader_term;
    char leader[50], why[200];
    weir_err err;
    bool free_when_elected;
} candidate;

static void on_elected(weir_zk_election *election, int64_t term, void *user)
{
    candidate *c = user;
    assert_true(weir_zk_election_term(election) == term);
    assert_int_equal(c->elected, c->deposed);
    c->elected++;
    c->term = term;
    if (c->free_when_elected)
        weir_zk_election_free(election);
}

static void on_deposed(weir_zk_election *election, void *user)
{
    candidate *c = user;
    assert_int_equal(weir_zk_election_term(election), 0);
    c->deposed++;
}

static void on_changed(weir_zk_election *election WEIR_UNUSED, int64_t term, weir_str data,
                       void *user)
{
    candidate *c = user;
    assert_true(term != c->leader_term);
    c->changed++;
    c->leader_term = term;
    snprintf(c->leader, sizeof c->leader, "%.*s", WEIR_STR_ARGS(data));
}

static void on_failed(weir_zk_election *election WEIR_UNUSED, weir_err err, const char *why,
                      void *user)
{
    candidate *c = user;
    c->failed++;
    c->err = err;
    snprintf(c->why, sizeof c->why, "%s", why);
}

static const weir_zk_election_ops ops = {.elected = on_elected,
                                         .deposed = on_deposed,
                                         .leader_changed = on_changed,
                                         .failed = on_failed};

static void stand(candidate *c, weir_zk *zk, const char *path, const char *data)
{
    *c = (candidate){0};
    assert_ok(weir_zk_election_new(&c->election, zk, path, &ops, c,
                                   &(weir_zk_election_opts){.data = weir_str_from(data)}));
}

static bool leads(const candidate *c)
{
    return c->elected > c->deposed;
}

TEST(election, has_one_leader_whom_all_know)
{
    static const char *const names[] = {"ann", "bob", "cid"};
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    candidate c[3];
    int64_t latest = 0;
    for (int i = 0; i < 3; i++) {
        stand(&c[i], zk, "/elections/one", names[i]);
        run_until(loop, c[i].changed == 1);
        assert_string_equal(c[i].leader, "ann");
    }
    for (int i = 0; i < 3; i++) { /* the leader goes, the next one follows */
        run_until(loop, leads(&c[i]));
        assert_true(c[i].term > latest);
        latest = c[i].term;
        for (int j = i; j < 3; j++) {
            run_until(loop, c[j].leader_term == latest);
            assert_string_equal(c[j].leader, names[i]);
            assert_int_equal(c[j].changed, i + 1);
            assert_int_equal(leads(&c[j]), j == i);
        }
        weir_zk_election_free(c[i].election);
    }
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(election, who_resigns_goes_to_the_end)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    candidate a, b;
    stand(&a, zk, "/elections/resign", "a");
    run_until(loop, leads(&a));
    assert_ok(weir_zk_election_resign(a.election)); /* nobody else is there */
    assert_int_equal(a.deposed, 1);
    int64_t term = a.term;
    run_until(loop, leads(&a));
    assert_true(a.term > term);
    stand(&b, zk, "/elections/resign", "b");
    run_until(loop, b.changed == 1);
    assert_ok(weir_zk_election_resign(a.election));
    assert_false(leads(&a));
    run_until(loop, leads(&b));
    assert_true(b.term > a.term);
    run_until(loop, a.leader_term == b.term);
    assert_string_equal(a.leader, "b");
    assert_ok(weir_zk_election_resign(b.election));
    run_until(loop, leads(&a));
    assert_false(leads(&b));
    weir_zk_election_free(a.election);
    weir_zk_election_free(b.election);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(election, a_leader_whose_session_has_ended_is_deposed_and_stands_again)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session_of(loop, SESSION_US, NULL);
    candidate a, b;
    stand(&a, zk, "/elections/end", "a");
    run_until(loop, leads(&a));
    stand(&b, zk, "/elections/end", "b");
    run_until(loop, b.changed == 1);
    int64_t term = a.term;
    pause_past_session();
    run_until(loop, a.deposed > 0);
    run_until(loop, leads(&a) || leads(&b));
    assert_int_equal(leads(&a) + leads(&b), 1);
    assert_true((leads(&a) ? a.term : b.term) > term);
    run_until(loop, a.leader_term > term && b.leader_term == a.leader_term);
    weir_zk_election_free(a.election);
    weir_zk_election_free(b.election);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(election, a_lost_connection_changes_nothing_for_long)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    candidate a, b;
    stand(&a, zk, "/elections/cut", "a");
    run_until(loop, leads(&a));
    stand(&b, zk, "/elections/cut", "b");
    run_until(loop, b.changed == 1);
    int64_t term = a.term;
    for (int i = 0; i < 3; i++) {
        assert_true(cut_connections() > 0);
        run_until(loop, weir_zk_get_state(zk) != WEIR_ZK_CONNECTED);
        run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED && leads(&a));
        assert_true(a.term == term);
    }
    assert_int_equal(b.elected, 0);
    assert_int_equal(b.changed, 1);
    weir_zk_election_free(a.election);
    run_until(loop, leads(&b)); /* its watch has outlived all that */
    weir_zk_election_free(b.election);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(election, may_be_freed_when_it_is_won)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    candidate a, b;
    stand(&a, zk, "/elections/freed", "a");
    a.free_when_elected = true;
    run_until(loop, a.elected);
    stand(&b, zk, "/elections/freed", "b");
    run_until(loop, leads(&b));
    weir_zk_election_free(b.election);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(election, without_permission_it_fails_with_a_sentence)
{
    weir_loop *loop = new_loop();
    weir_zk *ann = new_session(loop, "ann:secret"), *bob = new_session(loop, "bob:secret");
    candidate a = {0}, b;
    assert_ok(weir_zk_election_new(&a.election, ann, "/elected-secured", &ops, &a,
                                   &(weir_zk_election_opts){.secured = true}));
    run_until(loop, leads(&a));
    stand(&b, bob, "/elected-secured", "b");
    run_until(loop, b.failed);
    assert_err(b.err, WEIR_EACCES);
    assert_non_null(strstr(b.why, "/elected-secured"));
    assert_err(weir_zk_election_resign(b.election), WEIR_ESTATE);
    assert_true(leads(&a));
    weir_zk_election_free(b.election);
    weir_zk_election_free(a.election);
    weir_zk_free(bob);
    weir_zk_free(ann);
    weir_loop_free(loop);
}

/* Blocking. */

static struct {
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_election *candidates[2];
    weir_latch latch;
} house;

static void in_loop(weir_task_fn fn)
{
    weir_task task;
    weir_latch_init(&house.latch, 1);
    weir_loop_post(house.loop, &task, fn);
    weir_latch_wait(&house.latch);
    weir_latch_fini(&house.latch);
}

static void open_house(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    house.zk = new_session(house.loop, NULL);
    for (int i = 0; i < 2; i++)
        assert_ok(weir_zk_election_new(&house.candidates[i], house.zk, "/elections/blocking", NULL,
                                       NULL, NULL));
    weir_latch_down(&house.latch);
}

static void close_house(weir_task *task WEIR_UNUSED, weir_err err WEIR_UNUSED)
{
    for (int i = 0; i < 2; i++)
        weir_zk_election_free(house.candidates[i]);
    weir_zk_free(house.zk);
    weir_latch_down(&house.latch);
}

TEST(blocking, a_thread_waits_until_it_leads)
{
    weir_loop_thread *loop_thread;
    weir_why why;
    int64_t a = 0, b = 0;
    assert_ok(weir_loop_thread_start(&loop_thread, NULL));
    house.loop = weir_loop_thread_loop(loop_thread);
    in_loop(open_house);
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    assert_ok(weir_zk_election_lead_until(house.candidates[0], limit, &a, &why));
    assert_true(weir_zk_election_term(house.candidates[0]) == a);
    assert_err(weir_zk_election_lead_until(house.candidates[1],
                                           weir_time_add(weir_time_now(), WEIR_MILLISECONDS(20)),
                                           NULL, &why),
               WEIR_ETIMEDOUT);
    assert_ok(weir_zk_election_resign(house.candidates[0]));
    assert_ok(weir_zk_election_lead_until(house.candidates[1], limit, &b, &why));
    assert_true(b > a);
    assert_ok(weir_zk_election_resign(house.candidates[1]));
    assert_ok(weir_zk_election_lead_until(house.candidates[0], limit, &a, &why));
    assert_true(a > b);
    in_loop(close_house);
    weir_loop_thread_stop(loop_thread);
}
