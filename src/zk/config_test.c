#include "zk_test.h"

enum {
    GREETING,
    LIMIT,
    COUNT,
    RATIO,
    ON,
    RULES,
    ITEMS
};

static const weir_zk_config_item items[ITEMS] = {
    [GREETING] = {"greeting", WEIR_ZK_STRING, "hello"},
    [LIMIT] = {"limit", WEIR_ZK_DURATION, "250ms", 1000, 60000000},
    [COUNT] = {"deep/count", WEIR_ZK_INT64, "3"},
    [RATIO] = {"ratio", WEIR_ZK_DOUBLE, "0.5"},
    [ON] = {.name = "on", .type = WEIR_ZK_BOOL},
    [RULES] = {"rules", WEIR_ZK_JSON, "[]"},
};

/** A configuration that keeps what it was told. */
typedef struct follower {
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_config *config;
    int changed[ITEMS], rejected[ITEMS], loaded, lost, ended;
    bool free_in_callback;
    weir_err err;
    char why[400];
    weir_zk_listener listener;
} follower;

static void on_changed(weir_zk_config *config, unsigned item, void *user)
{
    follower *f = user;
    f->changed[item]++;
    if (f->free_in_callback)
        weir_zk_config_free(config);
}

static void on_rejected(weir_zk_config *config WEIR_UNUSED, unsigned item, const char *why,
                        void *user)
{
    follower *f = user;
    f->rejected[item]++;
    snprintf(f->why, sizeof f->why, "%s", why);
}

static void on_loaded(weir_zk_config *config WEIR_UNUSED, void *user)
{
    ((follower *)user)->loaded++;
}

static void on_end(weir_err err, const char *why, void *user)
{
    follower *f = user;
    f->ended++;
    f->err = err;
    snprintf(f->why, sizeof f->why, "%s", why);
}

static void on_session(weir_zk *zk WEIR_UNUSED, weir_zk_state state, void *user)
{
    ((follower *)user)->lost += state == WEIR_ZK_LOST;
}

static const weir_zk_config_ops ops = {on_changed, on_rejected, on_loaded};

static void start(follower *f, weir_loop *loop, const char *folder)
{
    *f = (follower){.loop = loop};
    f->zk = new_session(loop, NULL);
    weir_zk_listen(f->zk, &f->listener, on_session, f);
    assert_ok(weir_zk_config_new(&f->config, f->zk, folder, items, ITEMS, &ops, f,
                                 &(weir_zk_config_opts){.value_bytes = 100}, NULL));
}

static void stop(follower *f)
{
    if (!f->free_in_callback)
        weir_zk_config_free(f->config);
    weir_zk_free(f->zk);
}

static weir_err set(follower *f, unsigned item, const char *text, int32_t version)
{
    f->ended = 0;
    assert_ok(weir_zk_config_set(f->config, item, weir_str_from(text), version, WEIR_SECONDS(20),
                                 on_end, f, NULL));
    run_until(f->loop, f->ended);
    return f->err;
}

static const char *text_of(follower *f, unsigned item)
{
    static char text[100];
    assert_true(weir_zk_config_text(f->config, item, text, sizeof text) < sizeof text);
    return text;
}

TEST(config, has_its_defaults_without_zookeeper)
{
    weir_loop *loop = new_loop();
    follower f = {.loop = loop};
    assert_ok(weir_zk_new(&f.zk, loop, "127.0.0.1:1", NULL, NULL));
    assert_ok(weir_zk_config_new(&f.config, f.zk, "/c", items, ITEMS, &ops, &f, NULL, NULL));
    assert_string_equal(text_of(&f, GREETING), "hello");
    assert_int_equal(weir_zk_config_int64(f.config, LIMIT), 250000);
    assert_int_equal(weir_zk_config_int64(f.config, COUNT), 3);
    assert_true(weir_zk_config_double(f.config, RATIO) == 0.5);
    assert_false(weir_zk_config_bool(f.config, ON));
    assert_string_equal(text_of(&f, RULES), "[]");
    assert_int_equal(weir_zk_config_version(f.config, ON), WEIR_ZK_CONFIG_ABSENT);
    char cut[4];
    assert_int_equal(weir_zk_config_text(f.config, GREETING, cut, sizeof cut), 5);
    assert_string_equal(cut, "hel");
    assert_int_equal(weir_zk_config_text(f.config, GREETING, NULL, 0), 5);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, refuses_a_default_that_is_no_value)
{
    static const weir_zk_config_item bad[] = {
        {.name = "limit", .type = WEIR_ZK_DURATION, .fallback = "soon"}};
    static const weir_zk_config_item nameless[] = {{.name = "", .type = WEIR_ZK_STRING}};
    weir_loop *loop = new_loop();
    weir_zk *zk = new_session(loop, NULL);
    weir_zk_config *config;
    weir_why why;
    assert_err(weir_zk_config_new(&config, zk, "/c", bad, 1, NULL, NULL, NULL, &why), WEIR_EINVAL);
    assert_string_equal(why.text,
                        "the default \"soon\" of limit must be a duration such as 250ms or 1.5s");
    assert_err(weir_zk_config_new(&config, zk, "/c", nameless, 1, NULL, NULL, NULL, &why),
               WEIR_EINVAL);
    assert_err(weir_zk_config_new(&config, zk, "c", items, ITEMS, NULL, NULL, NULL, &why),
               WEIR_EINVAL);
    assert_err(weir_zk_config_new(&config, zk, "/c", items, 0, NULL, NULL, NULL, &why),
               WEIR_EINVAL);
    weir_zk_free(zk);
    weir_loop_free(loop);
}

TEST(config, follows_nodes_that_are_made_changed_and_deleted)
{
    weir_loop *loop = new_loop();
    follower f, tool;
    outcome o;
    start(&f, loop, "/config/shop");
    start(&tool, loop, "/config/shop");
    run_until(loop, f.loaded && tool.loaded);
    assert_ok(set(&tool, GREETING, " good day\n", WEIR_ZK_CONFIG_ABSENT));
    assert_ok(set(&tool, COUNT, "-4", WEIR_ZK_ANY_VERSION));
    assert_ok(set(&tool, ON, "true", WEIR_ZK_ANY_VERSION));
    assert_ok(set(&tool, RATIO, "2", WEIR_ZK_ANY_VERSION));
    assert_ok(set(&tool, LIMIT, "1s", WEIR_ZK_ANY_VERSION));
    assert_ok(set(&tool, RULES, "{}", WEIR_ZK_ANY_VERSION));
    for (unsigned i = 0; i < ITEMS; i++)
        run_until(loop, f.changed[i]);
    assert_string_equal(text_of(&f, GREETING), "good day");
    assert_int_equal(weir_zk_config_int64(f.config, COUNT), -4);
    assert_true(weir_zk_config_bool(f.config, ON));
    assert_true(weir_zk_config_double(f.config, RATIO) == 2);
    assert_int_equal(weir_zk_config_int64(f.config, LIMIT), 1000000);
    assert_string_equal(text_of(&f, RULES), "{}");
    assert_ok(set(&tool, COUNT, "5", WEIR_ZK_ANY_VERSION));
    run_until(loop, f.changed[COUNT] == 2);
    assert_int_equal(weir_zk_config_version(f.config, COUNT), 1);
    outcome_of(loop, &o,
               weir_zk_delete(f.zk, NULL, "/config/shop/deep/count", WEIR_ZK_ANY_VERSION,
                              note_outcome, &o));
    run_until(loop, f.changed[COUNT] == 3);
    assert_int_equal(weir_zk_config_int64(f.config, COUNT), 3);
    assert_int_equal(weir_zk_config_version(f.config, COUNT), WEIR_ZK_CONFIG_ABSENT);
    assert_int_equal(f.loaded, 1);
    assert_int_equal(f.rejected[COUNT], 0);
    stop(&tool);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, keeps_the_last_good_value_and_says_so_once)
{
    weir_loop *loop = new_loop();
    follower f;
    outcome o;
    char text[102];
    memset(text, 'x', sizeof text);
    start(&f, loop, "/config-bad");
    assert_ok(set(&f, LIMIT, "2s", WEIR_ZK_ANY_VERSION));
    run_until(loop, f.changed[LIMIT] == 1);
    outcome_of(
        loop, &o,
        weir_zk_set(f.zk, NULL, "/config-bad/limit", WEIR_STR("later"), 0, note_outcome, &o));
    run_until(loop, f.rejected[LIMIT] == 1);
    assert_string_equal(f.why, "/config-bad/limit must be a duration such as 250ms or 1.5s");
    assert_int_equal(weir_zk_config_int64(f.config, LIMIT), 2000000);
    assert_int_equal(weir_zk_config_version(f.config, LIMIT), 1);
    assert_true(cut_connections() > 0); /* everything is read again */
    outcome_of(loop, &o,
               weir_zk_create(f.zk, NULL, "/config-bad/greeting", weir_str_of(text, sizeof text), 0,
                              note_outcome, &o));
    run_until(loop, f.rejected[GREETING] == 1);
    assert_non_null(strstr(f.why, "must not be longer than 100 bytes"));
    assert_int_equal(f.rejected[LIMIT], 1);
    assert_ok(set(&f, LIMIT, "3s", 1));
    run_until(loop, f.changed[LIMIT] == 2);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, changes_with_a_version_check)
{
    weir_loop *loop = new_loop();
    follower f;
    weir_why why;
    start(&f, loop, "/config-set");
    assert_ok(set(&f, COUNT, "1", WEIR_ZK_CONFIG_ABSENT));
    assert_err(set(&f, COUNT, "2", WEIR_ZK_CONFIG_ABSENT), WEIR_ESTATE);
    assert_ok(set(&f, COUNT, "2", 0));
    assert_err(set(&f, COUNT, "3", 0), WEIR_ESTATE);
    assert_err(set(&f, RATIO, "3", 0), WEIR_ESTATE);
    run_until(loop, weir_zk_config_int64(f.config, COUNT) == 2);
    assert_err(weir_zk_config_set(f.config, COUNT, WEIR_STR("two"), 0, 0, on_end, &f, &why),
               WEIR_EINVAL);
    assert_string_equal(why.text, "/config-set/deep/count must be a whole number of 64 bits");
    assert_err(weir_zk_config_set(f.config, ITEMS, WEIR_STR("2"), 0, 0, on_end, &f, &why),
               WEIR_EINVAL);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, a_change_whose_answer_is_lost_is_made_once)
{
    weir_loop *loop = new_loop();
    follower f;
    char text[20];
    start(&f, loop, "/config-lost");
    assert_ok(set(&f, COUNT, "0", WEIR_ZK_CONFIG_ABSENT));
    for (int i = 0; i < 20; i++) {
        snprintf(text, sizeof text, "%d", i + 1);
        f.ended = 0;
        assert_ok(weir_zk_config_set(f.config, COUNT, weir_str_from(text), i, WEIR_SECONDS(20),
                                     on_end, &f, NULL));
        assert_ok(weir_loop_run_once(loop, 0));
        cut_connections();
        run_until(loop, f.ended);
        assert_ok(f.err);
    }
    run_until(loop, weir_zk_config_version(f.config, COUNT) == 20);
    assert_int_equal(weir_zk_config_int64(f.config, COUNT), 20);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, outlives_its_session_and_hears_what_has_changed_meanwhile)
{
    weir_loop *loop = new_loop();
    follower f, tool;
    start(&f, loop, "/config-session");
    start(&tool, loop, "/config-session");
    weir_zk_config_free(tool.config);
    weir_zk_free(tool.zk);
    assert_ok(set(&f, COUNT, "1", WEIR_ZK_ANY_VERSION));
    run_until(loop, f.changed[COUNT] == 1);
    for (int tries = 0; f.lost == 0; tries++) {
        assert_true(tries < 5);
        pause_past_session();
        start(&tool, loop, "/config-session");
        assert_ok(weir_zk_config_set(tool.config, COUNT, WEIR_STR("2"), WEIR_ZK_ANY_VERSION,
                                     WEIR_SECONDS(20), on_end, &tool, NULL));
        run_until(loop, tool.ended);
        run_until(loop, weir_zk_get_state(f.zk) == WEIR_ZK_CONNECTED);
        stop(&tool);
    }
    run_until(loop, f.changed[COUNT] >= 2);
    assert_int_equal(weir_zk_config_int64(f.config, COUNT), 2);
    assert_ok(set(&f, COUNT, "3", WEIR_ZK_ANY_VERSION));
    run_until(loop, weir_zk_config_int64(f.config, COUNT) == 3);
    stop(&f);
    weir_loop_free(loop);
}

TEST(config, can_be_freed_in_its_callback_and_changes_end_with_it)
{
    weir_loop *loop = new_loop();
    follower f;
    start(&f, loop, "/config-free");
    f.free_in_callback = true;
    assert_ok(set(&f, COUNT, "7", WEIR_ZK_ANY_VERSION));
    run_until(loop, f.changed[COUNT]);
    weir_zk_free(f.zk);
    start(&f, loop, "/config-free");
    assert_ok(weir_zk_config_set(f.config, ON, WEIR_STR("true"), WEIR_ZK_ANY_VERSION,
                                 WEIR_TIME_NEVER_US, on_end, &f, NULL));
    stop(&f);
    assert_int_equal(f.ended, 1);
    assert_err(f.err, WEIR_ECANCELED);
    weir_loop_free(loop);
}

TEST(config, a_change_ends_at_its_limit)
{
    weir_loop *loop = new_loop();
    follower f = {.loop = loop};
    assert_ok(weir_zk_new(&f.zk, loop, "127.0.0.1:1", NULL, NULL));
    assert_ok(weir_zk_config_new(&f.config, f.zk, "/c", items, ITEMS, &ops, &f, NULL, NULL));
    assert_ok(weir_zk_config_set(f.config, ON, WEIR_STR("true"), 0, WEIR_MILLISECONDS(50), on_end,
                                 &f, NULL));
    run_until(loop, f.ended);
    assert_err(f.err, WEIR_ETIMEDOUT);
    stop(&f);
    weir_loop_free(loop);
}

/* From other threads. */

typedef struct other {
    weir_loop *loop;
    weir_zk_config *config;
    weir_err waited, early, set, refused;
    int64_t sum;
} other;

static void use(void *user)
{
    other *o = user;
    char text[20];
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(20));
    o->early = weir_zk_config_wait_until(o->config, (weir_time){0});
    o->waited = weir_zk_config_wait_until(o->config, limit);
    for (int i = 0; i < 50 && !o->set; i++) {
        snprintf(text, sizeof text, "%d", i);
        o->set = weir_zk_config_set_until(o->config, COUNT, weir_str_from(text),
                                          WEIR_ZK_ANY_VERSION, limit, NULL);
        weir_zk_config_text(o->config, COUNT, text, sizeof text);
        o->sum += weir_zk_config_int64(o->config, COUNT);
    }
    o->refused =
        weir_zk_config_set_until(o->config, COUNT, WEIR_STR("x"), WEIR_ZK_ANY_VERSION, limit, NULL);
    weir_loop_quit(o->loop);
}

TEST(config, is_read_and_changed_by_another_thread)
{
    weir_thread *thread;
    weir_loop *loop = new_loop();
    follower f;
    start(&f, loop, "/config-threads");
    other o = {.loop = loop, .config = f.config};
    assert_ok(weir_loop_run_once(loop, 0)); /* this thread is the loop's from now on */
    assert_err(weir_zk_config_wait_until(f.config, weir_time_now()), WEIR_ESTATE);
    assert_err(weir_zk_config_set_until(f.config, COUNT, WEIR_STR("1"), 0, weir_time_now(), NULL),
               WEIR_ESTATE);
    assert_ok(weir_thread_start(&thread, "user", use, &o));
    assert_ok(weir_loop_run(loop));
    weir_thread_join(thread);
    assert_err(o.early, WEIR_ETIMEDOUT);
    assert_ok(o.waited);
    assert_ok(o.set);
    assert_err(o.refused, WEIR_EINVAL);
    assert_true(o.sum >= 0 && o.sum < 50 * 50);
    run_until(loop, weir_zk_config_int64(f.config, COUNT) == 49);
    stop(&f);
    weir_loop_free(loop);
}
