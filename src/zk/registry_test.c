#include "zk_test.h"

#include <weir/zk/registry.h>

/* A registry, one registration in it, and a session of somebody else. */
typedef struct fixture {
    weir_loop *loop;
    weir_zk *zk;
    weir_registry *registry;
    weir_registration *registration;
    int64_t session_us; /* 0: a long one */
    int active, lost, gone;
    weir_err gone_err;
    char why[300], gone_why[300];
    char path[200];
    outcome seen;
} fixture;

static void on_registration(weir_registration *registration WEIR_UNUSED,
                            weir_registration_state state, const char *why, void *user)
{
    fixture *f = user;
    f->active += state == WEIR_REGISTRATION_ACTIVE;
    f->lost += state == WEIR_REGISTRATION_LOST;
    snprintf(f->why, sizeof f->why, "%s", why);
}

static void on_gone(weir_err err, const char *why, void *user)
{
    fixture *f = user;
    f->gone++;
    f->gone_err = err;
    snprintf(f->gone_why, sizeof f->gone_why, "%s", why);
}

static void open_registry(fixture *f, const char *hosts, const char *path, const char *auth)
{
    static const weir_registry_type *const types[] = {&weir_registry_zk};
    char target[200];
    snprintf(target, sizeof target, "zk://%s/%s", hosts, path);
    assert_ok(weir_registry_open(
        &f->registry, f->loop, target,
        &(weir_registry_opts){
            .types = types, .type_count = 1, .auth = auth, .session_us = SESSION_US},
        NULL));
}

static void add(fixture *f, const char *base, const char *service)
{
    weir_endpoint e = {.address = WEIR_STR("127.0.0.1:1234"), .zone = WEIR_STR("north")};
    assert_ok(
        weir_registry_add(&f->registration, f->registry, service, &e, on_registration, f, NULL));
    snprintf(f->path, sizeof f->path, "%s/%s/%s", base, service, f->registration->id);
}

static void begin_with(fixture *f, const char *service, int64_t session_us)
{
    *f = (fixture){.loop = new_loop(), .session_us = session_us};
    f->zk = long_session(f->loop, NULL);
    open_registry(f, zk_hosts(), "", NULL);
    add(f, WEIR_ZK_SERVICES, service);
    run_until(f->loop, f->active == 1);
}

static void begin(fixture *f, const char *service)
{
    begin_with(f, service, 0);
}

static void finish(fixture *f)
{
    weir_registry_free(f->registry);
    weir_zk_free(f->zk);
    weir_loop_free(f->loop);
}

/** What somebody else sees. */
static outcome *look(fixture *f)
{
    outcome_of(f->loop, &f->seen, weir_zk_get(f->zk, NULL, f->path, NULL, note_outcome, &f->seen));
    return &f->seen;
}

/** The node is there, and neither belongs to `other` nor to nobody. */
static bool is_own(fixture *f)
{
    return look(f)->err == WEIR_OK && f->seen.stat.ephemeral_owner != 0 &&
           f->seen.stat.ephemeral_owner != weir_zk_session_id(f->zk) &&
           strstr(f->seen.data, "127.0.0.1:1234");
}

TEST(zk_registry, registers_an_ephemeral_node_with_the_endpoint)
{
    fixture f;
    begin(&f, "test.First");
    assert_true(is_own(&f));
    assert_non_null(strstr(f.seen.data, "\"zone\""));
    weir_endpoint e = {.address = WEIR_STR("127.0.0.1:1234"), .weight = 77};
    assert_ok(weir_registration_update(f.registration, &e, NULL));
    run_until(f.loop, strstr(look(&f)->data, "77"));
    weir_registry_free(f.registry);
    f.registry = NULL;
    run_until(f.loop, look(&f)->err == WEIR_ENOENT);
    assert_int_equal(f.active, 1);
    assert_int_equal(f.lost, 0);
    finish(&f);
}

TEST(zk_registry, withdraws)
{
    fixture f;
    begin(&f, "test.Withdraws");
    weir_registry_withdraw(f.registration, on_gone, &f);
    assert_int_equal(f.gone, 0);
    run_until(f.loop, f.gone);
    assert_ok(f.gone_err);
    assert_err(look(&f)->err, WEIR_ENOENT);
    finish(&f);
}

TEST(zk_registry, withdraws_what_is_being_registered)
{
    fixture f = {.loop = new_loop()};
    f.zk = long_session(f.loop, NULL);
    open_registry(&f, zk_hosts(), "other/base/", NULL);
    for (int turns = 0; turns < 20; turns++) {
        add(&f, "/other/base", "test.Hasty");
        for (int i = 0; i < turns; i++)
            assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(1)));
        f.gone = 0;
        weir_registry_withdraw(f.registration, on_gone, &f);
        run_until(f.loop, f.gone);
        assert_ok(f.gone_err);
        assert_err(look(&f)->err, WEIR_ENOENT);
    }
    finish(&f);
}

TEST(zk_registry, puts_back_a_node_that_somebody_has_removed)
{
    fixture f;
    outcome o;
    begin(&f, "test.Removed");
    for (int i = 0; i < 2; i++) {
        outcome_of(f.loop, &o,
                   weir_zk_delete(f.zk, NULL, f.path, WEIR_ZK_ANY_VERSION, note_outcome, &o));
        assert_ok(o.err);
        run_until(f.loop, is_own(&f));
    }
    finish(&f);
}

TEST(zk_registry, replaces_a_node_that_belongs_to_another_session_or_to_nobody)
{
    fixture f;
    outcome removed, made;
    begin(&f, "test.Foreign");
    for (int i = 0; i < 2; i++) {
        unsigned flags = i ? WEIR_ZK_EPHEMERAL : 0;
        made = removed = (outcome){0};
        assert_ok(weir_zk_delete(f.zk, NULL, f.path, -1, note_outcome, &removed));
        assert_ok(weir_zk_create(f.zk, NULL, f.path, WEIR_STR("{\"address\":\"127.0.0.1:1234\"}"),
                                 flags, note_outcome, &made));
        run_until(f.loop, made.times);
        assert_ok(made.err);
        run_until(f.loop, is_own(&f));
    }
    finish(&f);
}

TEST(zk_registry, restores_data_that_somebody_has_changed)
{
    fixture f;
    outcome o;
    begin(&f, "test.Changed");
    outcome_of(f.loop, &o,
               weir_zk_set(f.zk, NULL, f.path, WEIR_STR("nonsense"), WEIR_ZK_ANY_VERSION,
                           note_outcome, &o));
    assert_ok(o.err);
    run_until(f.loop, is_own(&f));
    finish(&f);
}

TEST(zk_registry, registers_again_in_the_next_session)
{
    fixture f;
    begin_with(&f, "test.Again", SESSION_US);
    int64_t owner = look(&f)->stat.ephemeral_owner;
    while (f.lost == 0) {
        pause_past_session();
        run_until(f.loop, f.lost || is_own(&f));
    }
    run_until(f.loop, f.active == 2);
    assert_true(is_own(&f));
    assert_true(f.seen.stat.ephemeral_owner != owner);
    finish(&f);
}

TEST(zk_registry, outlives_connections_that_break_at_any_time)
{
    fixture f = {.loop = new_loop()};
    f.zk = long_session(f.loop, NULL);
    open_registry(&f, zk_hosts(), "", NULL);
    for (int turns = 0; turns < 15; turns++) {
        f.active = 0;
        add(&f, WEIR_ZK_SERVICES, "test.Breaks");
        for (int i = 0; i < turns; i++)
            assert_ok(weir_loop_run_once(f.loop, WEIR_MILLISECONDS(1)));
        cut_connections();
        run_until(f.loop, f.active);
        assert_true(is_own(&f));
    }
    finish(&f);
}

TEST(zk_registry, credentials_protect_what_is_registered)
{
    fixture f = {.loop = new_loop()};
    outcome o;
    f.zk = long_session(f.loop, "eve:guess");
    open_registry(&f, zk_hosts(), "guarded", "ann:secret");
    add(&f, "/guarded", "test.Guarded");
    run_until(f.loop, f.active);
    assert_true(is_own(&f)); /* anybody may read */
    outcome_of(
        f.loop, &o,
        weir_zk_set(f.zk, NULL, f.path, WEIR_STR("x"), WEIR_ZK_ANY_VERSION, note_outcome, &o));
    assert_err(o.err, WEIR_EACCES);
    outcome_of(f.loop, &o,
               weir_zk_create(f.zk, NULL, "/guarded/test.Guarded/false", WEIR_STR("x"), 0,
                              note_outcome, &o));
    assert_err(o.err, WEIR_EACCES);
    weir_registry_free(f.registry);
    open_registry(&f, zk_hosts(), "guarded", "bob:other");
    f.lost = 0;
    add(&f, "/guarded", "test.Guarded");
    run_until(f.loop, f.lost);
    assert_non_null(strstr(f.why, "ACL does not allow"));
    finish(&f);
}

TEST(zk_registry, tells_when_zookeeper_cannot_be_reached)
{
    fixture f = {.loop = new_loop()};
    open_registry(&f, "127.0.0.1:1", "", NULL);
    add(&f, WEIR_ZK_SERVICES, "test.Nowhere");
    run_until(f.loop, f.lost);
    assert_non_null(strstr(f.why, "ZooKeeper at 127.0.0.1:1 cannot be reached: Connection"));
    weir_registry_withdraw_all(f.registry, on_gone, &f);
    run_until(f.loop, f.gone);
    assert_err(f.gone_err, WEIR_EUNREACH);
    assert_non_null(strstr(f.gone_why, "goes when the session ends"));
    finish(&f);
}

TEST(zk_registry, refuses_targets_of_another_form)
{
    static const weir_registry_type *const types[] = {&weir_registry_zk};
    static const char *const bad[] = {"zk:///x", "zk:x", "zk://a:1,,b/x"};
    weir_loop *loop = new_loop();
    weir_registry *registry;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_why why = {""};
        assert_err(weir_registry_open(&registry, loop, bad[i],
                                      &(weir_registry_opts){.types = types, .type_count = 1}, &why),
                   WEIR_EINVAL);
        assert_true(why.text[0] != '\0');
    }
    weir_loop_free(loop);
}
