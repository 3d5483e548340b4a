#include "zk_test.h"

TEST(session, connects_and_tells_of_it)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    zk_history h = {0};
    weir_zk_listen(zk, &h.listener, note_state, &h);
    assert_int_equal(weir_zk_get_state(zk), WEIR_ZK_CONNECTING);
    run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    assert_string_equal(h.text, "connected ");
    assert_true(weir_zk_session_id(zk) != 0);
    assert_int_equal(weir_zk_session_us(zk), LONG_SESSION_US);
    assert_string_equal(weir_zk_why(zk), "");
    weir_zk_free(zk);
    assert_false(weir_list_linked(&h.listener.node));
    weir_loop_free(loop);
}

TEST(session, ends_its_ephemeral_nodes_at_once_when_it_is_freed)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL), *other;
    outcome o;
    assert_ok(weir_zk_new(&other, loop, zk_hosts(), &(weir_zk_opts){.session_us = WEIR_SECONDS(30)},
                          NULL));
    outcome_of(
        loop, &o,
        weir_zk_create(other, NULL, "/mine", WEIR_STR(""), WEIR_ZK_EPHEMERAL, note_outcome, &o));
    assert_ok(o.err);
    outcome_of(loop, &o, weir_zk_exists(zk, NULL, "/mine", NULL, note_outcome, &o));
    assert_true(o.stat.ephemeral_owner == weir_zk_session_id(other));
    weir_zk_free(other);
    do { /* well before the 30 seconds of its session */
        outcome_of(loop, &o, weir_zk_exists(zk, NULL, "/mine", NULL, note_outcome, &o));
    } while (o.err == WEIR_OK);
    assert_err(o.err, WEIR_ENOENT);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/* Connections and sessions that end. */

TEST(session, an_operation_waits_for_the_connection_or_for_its_timeout)
{
    weir_loop *loop = new_loop();
    weir_zk *zk, *nowhere;
    outcome o = {0}, late = {0};
    assert_ok(weir_zk_new(&nowhere, loop, "127.0.0.1:1",
                          &(weir_zk_opts){.operation_us = WEIR_MILLISECONDS(300)}, NULL));
    zk = long_session(loop, NULL);
    assert_ok(weir_zk_get(nowhere, NULL, "/", NULL, note_outcome, &late));
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    assert_ok(o.err);
    run_until(loop, late.times == 1);
    assert_err(late.err, WEIR_ETIMEDOUT);
    assert_non_null(strstr(late.why, "ZooKeeper at 127.0.0.1:1 cannot be reached: Connection ref"));
    weir_zk_free(nowhere);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, does_not_spin_while_nobody_answers)
{
    weir_loop *loop = new_loop();
    weir_zk *zk;
    weir_loop_stats stats;
    assert_ok(weir_zk_new(&zk, loop, "127.0.0.1:1,127.0.0.1:2", NULL, NULL));
    weir_time end = weir_time_add(weir_time_now(), WEIR_SECONDS(2));
    while (weir_time_before(weir_time_now(), end))
        assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(500)));
    weir_loop_get_stats(loop, &stats);
    assert_true(stats.turns < 100);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, reads_are_repeated_when_the_connection_is_lost_and_changes_are_not)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    outcome o, read, change = {0};
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    while (change.err != WEIR_EIO) { /* it may have been answered already */
        read = change = (outcome){0};
        assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &read));
        assert_ok(weir_zk_create(zk, NULL, "/often-", WEIR_STR(""),
                                 WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL, note_outcome, &change));
        assert_ok(weir_loop_run_once(loop, 0));
        assert_int_equal(cut_connections(), 1);
        run_until(loop, read.times && change.times);
        assert_ok(read.err);
        run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    }
    assert_non_null(strstr(change.why, "it may have been done or not"));
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, what_is_given_to_a_broken_connection_goes_to_the_next)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    zk_history h = {0};
    outcome o;
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    weir_zk_listen(zk, &h.listener, note_state, &h);
    assert_int_equal(cut_connections(), 1);
    for (int i = 0; i < 3; i++) {
        outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
        assert_ok(o.err);
    }
    assert_string_equal(h.text, "disconnected connected ");
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, what_waits_ends_with_the_session_and_what_comes_later_goes_to_the_next)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    zk_history h = {0};
    outcome o, old = {0};
    weir_zk_listen(zk, &h.listener, note_state, &h);
    outcome_of(
        loop, &o,
        weir_zk_create(zk, NULL, "/goes", WEIR_STR(""), WEIR_ZK_EPHEMERAL, note_outcome, &o));
    while (h.lost == 0) {
        int connected = h.connected;
        old = (outcome){0};
        pause_past_session();
        cut_connections();
        run_until(loop, h.connected == connected);
        assert_ok(
            weir_zk_create(zk, NULL, "/old", WEIR_STR(""), WEIR_ZK_EPHEMERAL, note_outcome, &old));
        run_until(loop, h.lost || h.connected > connected);
    }
    run_until(loop, old.times);
    assert_true(old.err == WEIR_ECLOSED || old.err == WEIR_EIO);
    outcome_of(loop, &o, weir_zk_exists(zk, NULL, "/goes", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_ENOENT);
    assert_non_null(strstr(h.text, "disconnected lost connecting connected "));
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/* Ends by its user. */

TEST(session, can_be_freed_by_its_callbacks)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    zk_history h = {.free_on_connected = zk};
    outcome o = {0};
    weir_zk_listen(zk, &h.listener, note_state, &h);
    assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    run_until(loop, h.connected);
    assert_int_equal(o.times, 1);
    assert_err(o.err, WEIR_ECANCELED);
    weir_loop_free(loop);
}

static void free_session(const weir_zk_result *result WEIR_UNUSED, void *user)
{
    weir_zk **zk = user;
    weir_zk_free(*zk);
    *zk = NULL;
}

TEST(session, can_be_freed_by_an_operation_while_others_are_under_way)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    outcome o = {0};
    assert_ok(weir_zk_get(zk, NULL, "/", NULL, free_session, &zk));
    for (int i = 0; i < 1000; i++)
        assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    run_until(loop, !zk);
    assert_int_equal(o.times, 1000);
    assert_err(o.err, WEIR_ECANCELED);
    weir_loop_free(loop);
}

/* Who may do what, and what is refused. */

TEST(session, refuses_what_is_not_of_its_form)
{
    static const char *const hosts[] = {"", ",", "a:1,", ":2181", "/x"};
    weir_loop *loop = new_loop();
    weir_zk *zk = NULL;
    weir_why why;
    outcome o;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        assert_err(weir_zk_new(&zk, loop, hosts[i], NULL, &why), WEIR_EINVAL);
    assert_err(weir_zk_new(&zk, loop, "a:1", &(weir_zk_opts){.auth = "ann"}, &why), WEIR_EINVAL);
    assert_non_null(strstr(why.text, "USER:PASSWORD"));
    assert_null(zk);
    assert_ok(weir_zk_new(&zk, loop, "127.0.0.1:1", &(weir_zk_opts){.operations = 1}, NULL));
    assert_err(weir_zk_get(zk, NULL, "a", NULL, note_outcome, &o), WEIR_EINVAL);
    assert_err(weir_zk_get(zk, NULL, "/a/", NULL, note_outcome, &o), WEIR_EINVAL);
    assert_err(weir_zk_create(zk, NULL, "/a", WEIR_STR(""), WEIR_ZK_PRIVATE, note_outcome, &o),
               WEIR_EINVAL);
    assert_ok(weir_zk_get(zk, NULL, "/a", NULL, note_outcome, &o));
    assert_err(weir_zk_get(zk, NULL, "/a", NULL, note_outcome, &o), WEIR_EFULL);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, host_names_are_looked_up)
{
    weir_loop *loop = new_loop();
    weir_zk *zk, *wrong;
    char hosts[100];
    snprintf(hosts, sizeof hosts, "localhost%s", strrchr(zk_hosts(), ':'));
    assert_ok(weir_zk_new(&zk, loop, hosts, NULL, NULL));
    assert_ok(weir_zk_new(&wrong, loop, "no-such-host.invalid:1", NULL, NULL));
    run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    run_until(loop, weir_zk_why(wrong)[0]);
    assert_non_null(strstr(weir_zk_why(wrong), "ZooKeeper at no-such-host.invalid:1"));
    weir_zk_free(wrong);
    weir_zk_free(zk);
    weir_loop_free(loop);
}
