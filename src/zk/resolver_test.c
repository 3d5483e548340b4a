#include "zk_test.h"

#include <weir/naming/resolver.h>

/* What a resolver has told, and a session to change things with. */
typedef struct fixture {
    weir_loop *loop;
    weir_zk *zk;
    weir_resolver *resolver;
    int found, failed;
    size_t count;
    weir_err err;
    char addresses[400], why[400];
    unsigned first_weight;
} fixture;

static void on_found(weir_endpoints *list, const char *config, void *user)
{
    fixture *f = user;
    assert_null(config);
    f->found++;
    f->count = weir_endpoints_count(list);
    f->addresses[0] = '\0';
    f->first_weight = f->count ? weir_endpoints_at(list, 0)->weight : 0;
    for (size_t i = 0; i < f->count && i < 10; i++)
        snprintf(f->addresses + strlen(f->addresses), 30, "%.*s ",
                 WEIR_STR_ARGS(weir_endpoints_at(list, i)->address));
}

static void on_failed(weir_err err, const char *why, void *user)
{
    fixture *f = user;
    f->failed++;
    f->err = err;
    snprintf(f->why, sizeof f->why, "%s", why);
}

static const weir_resolver_events events = {on_found, on_failed};

static void resolve(fixture *f, const char *hosts, const char *path)
{
    weir_resolver_request request = {.loop = f->loop,
                                     .target = "zk://...",
                                     .authority = hosts,
                                     .path = path,
                                     .events = &events,
                                     .user = f};
    assert_ok(weir_resolver_zk.start(&f->resolver, &request, NULL));
}

static void begin(fixture *f)
{
    *f = (fixture){.loop = new_loop()};
    f->zk = long_session(f->loop, NULL);
}

static void finish(fixture *f)
{
    weir_resolver_zk.free(f->resolver);
    weir_zk_free(f->zk);
    weir_loop_free(f->loop);
}

static void make(fixture *f, const char *path, const char *data)
{
    outcome o;
    outcome_of(f->loop, &o,
               weir_zk_create(f->zk, NULL, path, weir_str_from(data), 0, note_outcome, &o));
    assert_ok(o.err);
}

static void change(fixture *f, const char *path, const char *data)
{
    outcome o;
    outcome_of(
        f->loop, &o,
        weir_zk_set(f->zk, NULL, path, weir_str_from(data), WEIR_ZK_ANY_VERSION, note_outcome, &o));
    assert_ok(o.err);
}

static void remove_node(fixture *f, const char *path)
{
    outcome o;
    outcome_of(f->loop, &o,
               weir_zk_delete(f->zk, NULL, path, WEIR_ZK_ANY_VERSION, note_outcome, &o));
    assert_ok(o.err);
}

#define told(f, text) (strcmp((f)->addresses, text) == 0)

TEST(zk_resolver, follows_the_children_and_their_data)
{
    fixture f;
    begin(&f);
    make(&f, "/follow", "");
    make(&f, "/follow/b", "{\"address\": \"b:2\"}");
    make(&f, "/follow/a", "{\"address\": \"a:1\", \"weight\": 3}");
    resolve(&f, zk_hosts(), "follow");
    run_until(f.loop, f.found);
    assert_string_equal(f.addresses, "a:1 b:2 ");
    assert_int_equal(f.first_weight, 3);
    change(&f, "/follow/a", "{\"address\": \"a:1\", \"weight\": 5}");
    run_until(f.loop, f.first_weight == 5);
    make(&f, "/follow/c", "{\"address\": \"10.0.0.1\", \"port\": 80, \"name\": \"curator's\"}");
    run_until(f.loop, told(&f, "a:1 b:2 10.0.0.1:80 "));
    remove_node(&f, "/follow/b");
    run_until(f.loop, told(&f, "a:1 10.0.0.1:80 "));
    remove_node(&f, "/follow/a");
    remove_node(&f, "/follow/c");
    run_until(f.loop, told(&f, ""));
    assert_int_equal(f.failed, 0);
    finish(&f);
}

TEST(zk_resolver, a_node_that_is_made_again_is_read_again)
{
    fixture f;
    begin(&f);
    make(&f, "/same-name", "");
    make(&f, "/same-name/a", "{\"address\": \"a:1\"}");
    resolve(&f, zk_hosts(), "same-name/");
    run_until(f.loop, told(&f, "a:1 "));
    for (int i = 0; i < 2; i++) {
        outcome o = {0};
        assert_ok(weir_zk_delete(f.zk, NULL, "/same-name/a", -1, note_outcome, &o));
        assert_ok(weir_zk_create(f.zk, NULL, "/same-name/a",
                                 i ? WEIR_STR("{\"address\": \"c:3\"}")
                                   : WEIR_STR("{\"address\": \"b:2\"}"),
                                 0, note_outcome, &o));
        run_until(f.loop, told(&f, i ? "c:3 " : "b:2 "));
    }
    finish(&f);
}

TEST(zk_resolver, a_path_that_does_not_exist_is_told_and_waited_for)
{
    fixture f;
    begin(&f);
    resolve(&f, zk_hosts(), "not/yet");
    run_until(f.loop, f.failed);
    assert_err(f.err, WEIR_ENOENT);
    assert_non_null(strstr(f.why, "ZooKeeper has no node /not/yet"));
    make(&f, "/not", "");
    make(&f, "/not/yet", "");
    run_until(f.loop, f.found);
    assert_int_equal(f.count, 0);
    make(&f, "/not/yet/a", "{\"address\": \"a:1\"}");
    run_until(f.loop, told(&f, "a:1 "));
    remove_node(&f, "/not/yet/a");
    run_until(f.loop, told(&f, ""));
    f.failed = 0;
    remove_node(&f, "/not/yet");
    run_until(f.loop, f.failed);
    make(&f, "/not/yet", "");
    make(&f, "/not/yet/b", "{\"address\": \"b:1\"}");
    run_until(f.loop, told(&f, "b:1 "));
    finish(&f);
}

TEST(zk_resolver, malformed_nodes_do_not_take_the_others_out)
{
    static const char *const bad[] = {
        "", "{", "[]", "{\"address\": 1}", "\xff\xfe", "{\"address\": \"a b\"}"};
    fixture f;
    char path[40];
    begin(&f);
    make(&f, "/malformed", "");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(path, sizeof path, "/malformed/bad-%zu", i);
        make(&f, path, bad[i]);
    }
    resolve(&f, zk_hosts(), "malformed");
    run_until(f.loop, f.failed);
    assert_err(f.err, WEIR_EMALFORMED);
    assert_non_null(strstr(f.why, "none of the 6 nodes below /malformed"));
    make(&f, "/malformed/good", "{\"address\": \"a:1\"}");
    run_until(f.loop, told(&f, "a:1 "));
    change(&f, "/malformed/good", "broken"); /* what was good stays */
    make(&f, "/malformed/more", "{\"address\": \"b:2\"}");
    run_until(f.loop, told(&f, "a:1 b:2 "));
    change(&f, "/malformed/bad-0", "{\"address\": \"mended:3\"}");
    run_until(f.loop, told(&f, "mended:3 a:1 b:2 "));
    finish(&f);
}

TEST(zk_resolver, keeps_its_list_while_connections_break)
{
    fixture f;
    outcome o = {0};
    begin(&f);
    make(&f, "/across", "");
    make(&f, "/across/a", "{\"address\": \"a:1\"}");
    resolve(&f, zk_hosts(), "across");
    run_until(f.loop, told(&f, "a:1 "));
    for (int i = 0; i < 5; i++) {
        assert_true(cut_connections() > 0);
        outcome_of(f.loop, &o, weir_zk_exists(f.zk, NULL, "/across", NULL, note_outcome, &o));
    }
    make(&f, "/across/b", "{\"address\": \"b:2\"}");
    run_until(f.loop, told(&f, "a:1 b:2 "));
    assert_int_equal(f.found, 2);
    assert_int_equal(f.failed, 0);
    finish(&f);
}

TEST(zk_resolver, a_path_without_permission_is_told)
{
    fixture f;
    outcome o;
    begin(&f);
    weir_zk *owner = long_session(f.loop, "ann:secret");
    outcome_of(
        f.loop, &o,
        weir_zk_create(owner, NULL, "/secret", WEIR_STR(""), WEIR_ZK_PRIVATE, note_outcome, &o));
    assert_ok(o.err);
    resolve(&f, zk_hosts(), "secret");
    run_until(f.loop, f.failed);
    assert_err(f.err, WEIR_EACCES);
    assert_non_null(strstr(f.why, "/secret: the node's ACL"));
    weir_zk_free(owner);
    finish(&f);
}

TEST(zk_resolver, hosts_that_cannot_be_reached_are_told)
{
    fixture f;
    begin(&f);
    resolve(&f, "127.0.0.1:1,127.0.0.1:2", "x");
    run_until(f.loop, f.failed);
    assert_err(f.err, WEIR_EUNREACH);
    assert_non_null(strstr(f.why, "ZooKeeper at 127.0.0.1:1,127.0.0.1:2 cannot be reached: Conn"));
    assert_int_equal(f.found, 0);
    finish(&f);
}

TEST(zk_resolver, a_flapping_node_does_not_flood)
{
    fixture f;
    begin(&f);
    make(&f, "/flaps", "");
    make(&f, "/flaps/stays", "{\"address\": \"z:9\"}");
    resolve(&f, zk_hosts(), "flaps");
    run_until(f.loop, f.found);
    for (int i = 0; i < 40; i++) {
        if (i % 2 == 0)
            make(&f, "/flaps/a", "{\"address\": \"a:1\"}");
        else
            remove_node(&f, "/flaps/a");
        assert_non_null(strstr(f.addresses, "z:9 "));
    }
    run_until(f.loop, told(&f, "z:9 "));
    assert_true(f.found < 40);
    finish(&f);
}

TEST(zk_resolver, ten_thousand_nodes)
{
    enum {
        NODES = 10000
    };
    fixture f;
    outcome o = {0};
    begin(&f);
    make(&f, "/many", "");
    for (int i = 0; i < NODES; i++) {
        char path[100], data[100];
        snprintf(path, sizeof path, "/many/node-with-a-name-of-usual-length-%05d", i);
        int len = snprintf(data, sizeof data, "{\"address\": \"10.0.%d.%d:80\"}", i / 250, i % 250);
        assert_ok(weir_zk_create(f.zk, NULL, path, weir_str_of(data, (size_t)len),
                                 WEIR_ZK_EPHEMERAL, note_outcome, &o));
        run_until(f.loop, i - o.times < 2000);
    }
    run_until(f.loop, o.times == NODES);
    resolve(&f, zk_hosts(), "many");
    run_until(f.loop, f.found);
    assert_int_equal(f.count, NODES);
    assert_int_equal(f.found, 1);
    assert_true(cut_connections() > 0); /* its watches fit into one message */
    remove_node(&f, "/many/node-with-a-name-of-usual-length-00007");
    run_until(f.loop, f.count == NODES - 1);
    finish(&f);
}

TEST(zk_resolver, refuses_targets_of_another_form)
{
    static const char *const bad[][2] = {{"", "x"}, {"a:1", ""}, {"a:1", "/"}, {"a:1,,b", "x"}};
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_why why = {""};
        weir_resolver *resolver;
        weir_resolver_request request = {.loop = loop,
                                         .target = "zk:",
                                         .authority = bad[i][0],
                                         .path = bad[i][1],
                                         .events = &events};
        assert_err(weir_resolver_zk.start(&resolver, &request, &why), WEIR_EINVAL);
        assert_true(why.text[0] != '\0');
    }
    weir_loop_free(loop);
}
