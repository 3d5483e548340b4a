#include "zk_test.h"

TEST(nodes, makes_reads_changes_and_deletes_nodes)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
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

TEST(nodes, makes_paths_and_sequences)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
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

TEST(nodes, a_chroot_stands_before_all_paths)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL), *below;
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

TEST(watches, fire_once_with_what_has_happened)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    zk_seen made = {0}, children = {0}, changed = {0};
    weir_zk_watch a, b, c;
    outcome o;
    weir_zk_watch_init(&a, note_watch, &made);
    weir_zk_watch_init(&b, note_watch, &children);
    weir_zk_watch_init(&c, note_watch, &changed);
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
    weir_zk *zk = new_session(loop, NULL), *other = long_session(loop, NULL);
    zk_history h = {0};
    zk_seen s = {0};
    weir_zk_watch watch;
    outcome o;
    weir_zk_watch_init(&watch, note_watch, &s);
    weir_zk_listen(zk, &h.listener, note_state, &h);
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

TEST(nodes, a_cancelled_operation_is_not_told)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    outcome o, never = {0};
    weir_zk_op waits = {0}, sent = {0};
    zk_seen s = {0};
    weir_zk_watch watch;
    weir_zk_watch_init(&watch, note_watch, &s);
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

TEST(nodes, credentials_keep_others_out)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, "ann:secret"), *other = long_session(loop, "bob:other");
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

TEST(nodes, a_path_that_zookeeper_does_not_take_fails_after_the_call)
{
    weir_loop *loop = new_loop();
    weir_zk *zk = long_session(loop, NULL);
    outcome o;
    outcome_of(loop, &o, weir_zk_get(zk, NULL, "/a//b", NULL, note_outcome, &o));
    assert_err(o.err, WEIR_EINVAL);
    weir_zk_free(zk);
    weir_loop_free(loop);
}
