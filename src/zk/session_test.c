#include "zk_test.h"

/* A listener that keeps what it was told. */
typedef struct history {
    weir_zk_listener listener;
    char text[300];
    int lost, connected;
    weir_zk *free_on_connected;
} history;

static void on_state(weir_zk *zk, weir_zk_state state, void *user)
{
    history *h = user;
    assert_int_equal(weir_zk_get_state(zk), state);
    snprintf(h->text + strlen(h->text), sizeof h->text - strlen(h->text), "%s ",
             weir_zk_state_text(state));
    h->lost += state == WEIR_ZK_LOST;
    h->connected += state == WEIR_ZK_CONNECTED;
    if (state == WEIR_ZK_CONNECTED && h->free_on_connected)
        weir_zk_free(h->free_on_connected);
}

TEST(session, connects_and_tells_of_it)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    history h = {0};
    weir_zk_listen(zk, &h.listener, on_state, &h);
    assert_int_equal(weir_zk_get_state(zk), WEIR_ZK_CONNECTING);
    run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    assert_string_equal(h.text, "connected ");
    assert_true(weir_zk_session_id(zk) != 0);
    assert_int_equal(weir_zk_session_us(zk), SESSION_US);
    assert_string_equal(weir_zk_why(zk), "");
    weir_zk_free(zk);
    assert_false(weir_list_linked(&h.listener.node));
    weir_loop_free(loop);
}

TEST(session, makes_reads_changes_and_deletes_nodes)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    outcome_of(loop, &o, weir_zk_create(zk, NULL, "/a-node", WEIR_STR("one"), 0, note_outcome, &o));
    assert_ok(o.err);
    assert_string_equal(o.path, "/a-node");
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/a-node", NULL, note_outcome, &o));
    assert_string_equal(o.data, "one");
    assert_int_equal(o.stat.version, 0);
    assert_int_equal(o.stat.ephemeral_owner, 0);
    outcome_of(loop, &o, weir_zk_set(zk, NULL, "/a-node", WEIR_STR("two"), 0, note_outcome, &o));
    assert_ok(o.err);
    assert_int_equal(o.stat.version, 1);
    outcome_of(loop, &o, weir_zk_set(zk, NULL, "/a-node", WEIR_STR("x"), 0, note_outcome, &o));
    assert_err(o.err, WEIR_ESTATE);
    outcome_of(loop, &o, weir_zk_exists(zk, NULL, "/a-node", NULL, note_outcome, &o));
    assert_ok(o.err);
    assert_int_equal(o.stat.data_len, 3);
    outcome_of(loop, &o, weir_zk_create(zk, NULL, "/a-node", WEIR_STR(""), 0, note_outcome, &o));
    assert_err(o.err, WEIR_EEXIST);
    assert_non_null(strstr(o.why, "/a-node: "));
    outcome_of(loop, &o, weir_zk_children(zk, NULL, "/a-node", NULL, note_outcome, &o));
    assert_int_equal(o.child_count, 0);
    outcome_of(loop, &o,
               weir_zk_delete(zk, NULL, "/a-node", WEIR_ZK_ANY_VERSION, note_outcome, &o));
    assert_ok(o.err);
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/a-node", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_ENOENT);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, makes_paths_and_sequences)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    for (int i = 0; i < 2; i++) {
        outcome_of(loop, &o, weir_zk_make_path(zk, NULL, "/p/q/r/s", 0, note_outcome, &o));
        assert_ok(o.err);
    }
    for (int i = 0; i < 2; i++) {
        outcome_of(loop, &o,
                   weir_zk_create(zk, NULL, "/p/q/r/s/n-", WEIR_STR(""),
                                  WEIR_ZK_EPHEMERAL | WEIR_ZK_SEQUENTIAL, note_outcome, &o));
        assert_string_equal(o.path, i ? "/p/q/r/s/n-0000000001" : "/p/q/r/s/n-0000000000");
    }
    outcome_of(loop, &o, weir_zk_children(zk, NULL, "/p/q/r/s", NULL, note_outcome, &o));
    assert_int_equal(o.child_count, 2);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, a_chroot_stands_before_all_paths)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL), *below;
    char hosts[100];
    outcome o;
    snprintf(hosts, sizeof hosts, "%s/root/of/it", zk_hosts());
    assert_ok(weir_zk_new(&below, loop, hosts, NULL, NULL));
    outcome_of(loop, &o, weir_zk_get(below, NULL, "/", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_ENOENT);
    outcome_of(loop, &o, weir_zk_make_path(below, NULL, "/", 0, note_outcome, &o));
    assert_ok(o.err);
    outcome_of(
        loop, &o,
        weir_zk_create(below, NULL, "/x-", WEIR_STR(""), WEIR_ZK_SEQUENTIAL, note_outcome, &o));
    assert_string_equal(o.path, "/x-0000000000");
    outcome_of(loop, &o,
               weir_zk_exists(zk, NULL, "/root/of/it/x-0000000000", NULL, note_outcome, &o));
    assert_ok(o.err);
    weir_zk_free(below);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(session, ends_its_ephemeral_nodes_at_once_when_it_is_freed)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL), *other;
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

/* Watches. */

typedef struct seen {
    int fired;
    weir_zk_event event;
} seen;

static void on_watch(weir_zk_watch *watch WEIR_UNUSED, weir_zk_event event, void *user)
{
    seen *s = user;
    s->fired++;
    s->event = event;
}

TEST(watches, fire_once_with_what_has_happened)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    seen made = {0}, children = {0}, changed = {0};
    weir_zk_watch a, b, c;
    outcome o;
    weir_zk_watch_init(&a, on_watch, &made);
    weir_zk_watch_init(&b, on_watch, &children);
    weir_zk_watch_init(&c, on_watch, &changed);
    outcome_of(loop, &o, weir_zk_make_path(zk, NULL, "/watched", 0, note_outcome, &o));
    outcome_of(loop, &o, weir_zk_exists(zk, NULL, "/watched/n", &a, note_outcome, &o));
    assert_err(o.err, WEIR_ENOENT);
    outcome_of(loop, &o, weir_zk_children(zk, NULL, "/watched", &b, note_outcome, &o));
    outcome_of(loop, &o,
               weir_zk_create(zk, NULL, "/watched/n", WEIR_STR("1"), 0, note_outcome, &o));
    run_until(loop, made.fired && children.fired);
    assert_int_equal(made.event, WEIR_ZK_CREATED);
    assert_int_equal(children.event, WEIR_ZK_CHILDREN);
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/watched/n", &c, note_outcome, &o));
    for (int i = 0; i < 2; i++)
        outcome_of(loop, &o,
                   weir_zk_set(zk, NULL, "/watched/n", WEIR_STR("2"), WEIR_ZK_ANY_VERSION,
                               note_outcome, &o));
    assert_int_equal(changed.fired, 1);
    assert_int_equal(changed.event, WEIR_ZK_CHANGED);
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/watched/n", &c, note_outcome, &o));
    weir_zk_unwatch(&c);
    outcome_of(loop, &o,
               weir_zk_delete(zk, NULL, "/watched/n", WEIR_ZK_ANY_VERSION, note_outcome, &o));
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/watched/n", &c, note_outcome, &o));
    assert_null(c.arm); /* the read has failed */
    assert_int_equal(made.fired + children.fired + changed.fired, 3);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(watches, outlive_a_lost_connection_and_end_with_the_session)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL), *other = new_session(loop, NULL);
    history h = {0};
    seen s = {0};
    weir_zk_watch watch;
    outcome o;
    weir_zk_watch_init(&watch, on_watch, &s);
    weir_zk_listen(zk, &h.listener, on_state, &h);
    outcome_of(loop, &o, weir_zk_create(zk, NULL, "/outlive", WEIR_STR(""), 0, note_outcome, &o));
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/outlive", &watch, note_outcome, &o));
    run_until(loop, weir_zk_get_state(other) == WEIR_ZK_CONNECTED);
    int64_t id = weir_zk_session_id(zk);
    assert_true(cut_connections() >= 2);
    run_until(loop, h.connected == 2);
    assert_string_equal(h.text, "connected disconnected connected ");
    assert_true(weir_zk_session_id(zk) == id);
    assert_int_equal(s.fired, 0);
    outcome_of(
        loop, &o,
        weir_zk_set(other, NULL, "/outlive", WEIR_STR("x"), WEIR_ZK_ANY_VERSION, note_outcome, &o));
    run_until(loop, s.fired == 1);
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/outlive", &watch, note_outcome, &o));
    while (h.lost == 0) {
        pause_past_session();
        run_until(loop, h.lost || h.connected > 3);
    }
    assert_int_equal(s.fired, 2);
    assert_int_equal(s.event, WEIR_ZK_GONE);
    run_until(loop, weir_zk_get_state(zk) == WEIR_ZK_CONNECTED);
    assert_true(weir_zk_session_id(zk) != id);
    weir_zk_free(other);
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
    zk = new_session(loop, NULL);
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
    weir_zk *zk = new_session(loop, NULL);
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
    weir_zk *zk = new_session(loop, NULL);
    history h = {0};
    outcome o;
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    weir_zk_listen(zk, &h.listener, on_state, &h);
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
    history h = {0};
    outcome o, old = {0};
    weir_zk_listen(zk, &h.listener, on_state, &h);
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
    weir_zk *zk = new_session(loop, NULL);
    history h = {.free_on_connected = zk};
    outcome o = {0};
    weir_zk_listen(zk, &h.listener, on_state, &h);
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
    weir_zk *zk = new_session(loop, NULL);
    outcome o = {0};
    assert_ok(weir_zk_get(zk, NULL, "/", NULL, free_session, &zk));
    for (int i = 0; i < 1000; i++)
        assert_ok(weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    run_until(loop, !zk);
    assert_int_equal(o.times, 1000);
    assert_err(o.err, WEIR_ECANCELED);
    weir_loop_free(loop);
}

TEST(session, a_cancelled_operation_is_not_told)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o, never = {0};
    weir_zk_op waits = {0}, sent = {0};
    seen s = {0};
    weir_zk_watch watch;
    weir_zk_watch_init(&watch, on_watch, &s);
    assert_ok(weir_zk_get(zk, &waits, "/", NULL, note_outcome, &never));
    weir_zk_cancel(&waits);
    weir_zk_cancel(&waits);
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    assert_ok(weir_zk_children(zk, &sent, "/", &watch, note_outcome, &never));
    assert_ok(weir_loop_run_once(loop, 0));
    weir_zk_cancel(&sent);
    assert_null(watch.arm);
    outcome_of(loop, &o,
               weir_zk_create(zk, NULL, "/x-", WEIR_STR(""), WEIR_ZK_SEQUENTIAL | WEIR_ZK_EPHEMERAL,
                              note_outcome, &o));
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/", NULL, note_outcome, &o));
    assert_int_equal(never.times + s.fired, 0);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

/* Who may do what, and what is refused. */

TEST(session, credentials_keep_others_out)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, "ann:secret"), *other = new_session(loop, "bob:other");
    outcome o;
    outcome_of(
        loop, &o,
        weir_zk_create(zk, NULL, "/readable", WEIR_STR("r"), WEIR_ZK_READABLE, note_outcome, &o));
    assert_ok(o.err);
    outcome_of(
        loop, &o,
        weir_zk_create(zk, NULL, "/private", WEIR_STR("p"), WEIR_ZK_PRIVATE, note_outcome, &o));
    assert_ok(o.err);
    outcome_of(loop, &o, weir_zk_get(other, NULL, "/readable", NULL, note_outcome, &o));
    assert_string_equal(o.data, "r");
    outcome_of(loop, &o,
               weir_zk_set(other, NULL, "/readable", WEIR_STR("x"), WEIR_ZK_ANY_VERSION,
                           note_outcome, &o));
    assert_err(o.err, WEIR_EACCES);
    outcome_of(loop, &o, weir_zk_get(other, NULL, "/private", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_EACCES);
    cut_connections(); /* credentials go with the session to the next connection */
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/private", NULL, note_outcome, &o));
    assert_string_equal(o.data, "p");
    weir_zk_free(other);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

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

TEST(session, a_path_that_zookeeper_does_not_take_fails_after_the_call)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    outcome o;
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/a//b", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_EINVAL);
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
