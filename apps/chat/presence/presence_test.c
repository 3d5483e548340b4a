/* What holds for every presence. */
#include "presence_test.h"

#include <pthread.h>

/** A case with two nodes of one kind in one loop; the entries of `quick` live for 200 ms. */
typedef struct cluster {
    weir_loop *loop;
    redis_server redis;
    const char *url;
    node a, b, quick;
} cluster;

static void begin(cluster *t, bool redis)
{
    *t = (cluster){.loop = new_loop()};
    if (redis)
        redis_server_begin(&t->redis, NULL);
    const char *url = t->url = redis ? t->redis.url : "local";
    open_node(&t->a, t->loop, &(presence_opts){.url = url, .node = "a"});
    open_node(&t->b, t->loop, &(presence_opts){.url = url, .node = "b"});
    open_node(&t->quick, t->loop,
              &(presence_opts){.url = url, .node = "quick", .ttl_us = WEIR_MILLISECONDS(200)});
    run_until(t->loop, !asked(&t->a, 1) && !asked(&t->b, 1) && !asked(&t->quick, 1));
}

static void end(cluster *t)
{
    presence_close(t->a.presence);
    presence_close(t->b.presence);
    presence_close(t->quick.presence);
    weir_loop_free(t->loop);
    if (t->redis.pid)
        redis_server_end(&t->redis);
}

/** A case once for each implementation. */
#define PRESENCE_TEST(name)                                                                        \
    static void name(cluster *t);                                                                  \
    TEST(presence_local, name)                                                                     \
    {                                                                                              \
        cluster t;                                                                                 \
        begin(&t, false);                                                                          \
        name(&t);                                                                                  \
        end(&t);                                                                                   \
    }                                                                                              \
    TEST(presence_redis, name)                                                                     \
    {                                                                                              \
        cluster t;                                                                                 \
        begin(&t, true);                                                                           \
        name(&t);                                                                                  \
        end(&t);                                                                                   \
    }                                                                                              \
    static void name(cluster *t)

PRESENCE_TEST(a_user_is_what_the_last_set_says)
{
    assert_int_equal(seen_by(&t->b).state, PRESENCE_OFFLINE);
    assert_int_equal(seen_by(&t->b).last_seen_us, 0);
    set_to(&t->a, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    assert_int_equal(seen_by(&t->b).state, PRESENCE_ONLINE);
    set_to(&t->a, 1, PRESENCE_ONLINE, PRESENCE_ONLINE, PRESENCE_ONLINE);
    set_to(&t->a, 1, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_AWAY);
    assert_int_equal(seen_by(&t->b).state, PRESENCE_AWAY);
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_AWAY, PRESENCE_OFFLINE);
    assert_int_equal(seen_by(&t->b).state, PRESENCE_OFFLINE);
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_OFFLINE, PRESENCE_OFFLINE);
}

PRESENCE_TEST(the_most_present_of_two_devices_counts)
{
    set_to(&t->a, 1, PRESENCE_AWAY, PRESENCE_OFFLINE, PRESENCE_AWAY);
    set_to(&t->a, 2, PRESENCE_ONLINE, PRESENCE_AWAY, PRESENCE_ONLINE);
    set_to(&t->b, 1, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_ONLINE); /* another device */
    set_to(&t->a, 2, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_AWAY);
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_AWAY, PRESENCE_AWAY);
    set_to(&t->b, 1, PRESENCE_OFFLINE, PRESENCE_AWAY, PRESENCE_OFFLINE);
}

PRESENCE_TEST(a_device_that_goes_late_erases_only_itself)
{
    set_to(&t->a, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    set_to(&t->b, 1, PRESENCE_ONLINE, PRESENCE_ONLINE, PRESENCE_ONLINE); /* it moved to b */
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_ONLINE);
    assert_int_equal(seen_by(&t->a).state, PRESENCE_ONLINE);
}

PRESENCE_TEST(what_a_dead_node_has_left_expires)
{
    int64_t begun_us = weir_wall_now().us;
    set_to(&t->quick, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    run_until(t->loop, seen_by(&t->a).state == PRESENCE_OFFLINE);
    int64_t seen_us = seen_by(&t->a).last_seen_us; /* when it expired */
    assert_true(seen_us >= begun_us + WEIR_MILLISECONDS(190));
    assert_true(seen_us <= weir_wall_now().us + 1000);
    assert_int_equal(seen_by(&t->b).last_seen_us, seen_us);
    set_to(&t->a, 1, PRESENCE_AWAY, PRESENCE_OFFLINE, PRESENCE_AWAY);
}

PRESENCE_TEST(what_is_refreshed_does_not_expire)
{
    weir_time limit = weir_time_add(weir_time_now(), WEIR_MILLISECONDS(500));
    set_to(&t->quick, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    int64_t longest_us = 0;
    for (weir_time now, then = weir_time_now(); weir_time_before(then, limit); then = now) {
        assert_ok(presence_set(t->quick.presence, 7, 1, PRESENCE_ONLINE, NULL, NULL));
        presence_state state = seen_by(&t->a).state;
        now = weir_time_now();
        if (weir_time_diff(now, then) > longest_us)
            longest_us = weir_time_diff(now, then);
        if (longest_us < WEIR_MILLISECONDS(150)) /* else the machine stood still */
            assert_int_equal(state, PRESENCE_ONLINE);
    }
}

PRESENCE_TEST(last_seen_is_when_the_last_device_went)
{
    set_to(&t->a, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    set_to(&t->a, 2, PRESENCE_ONLINE, PRESENCE_ONLINE, PRESENCE_ONLINE);
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_ONLINE);
    assert_int_equal(seen_by(&t->b).last_seen_us, 0);
    int64_t begun_us = weir_wall_now().us;
    set_to(&t->a, 2, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_OFFLINE);
    int64_t seen_us = seen_by(&t->b).last_seen_us;
    assert_true(seen_us >= begun_us - 1000 && seen_us <= weir_wall_now().us + 1000);
    set_to(&t->a, 2, PRESENCE_OFFLINE, PRESENCE_OFFLINE, PRESENCE_OFFLINE); /* changes nothing */
    assert_int_equal(seen_by(&t->b).last_seen_us, seen_us);
    set_to(&t->b, 1, PRESENCE_AWAY, PRESENCE_OFFLINE, PRESENCE_AWAY);
    assert_int_equal(seen_by(&t->b).last_seen_us, 0);
}

PRESENCE_TEST(the_device_that_expires_first_makes_room)
{
    set_to(&t->a, 100, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    weir_time then = weir_time_now(); /* the others expire in later milliseconds */
    run_until(t->loop, weir_time_diff(weir_time_now(), then) > WEIR_MILLISECONDS(2));
    for (uint64_t device = 1; device < PRESENCE_MAX_DEVICES; device++)
        set_to(&t->b, device, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_ONLINE);
    set_to(&t->b, 1, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_ONLINE); /* no further device */
    set_to(&t->b, 99, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_AWAY);
    set_to(&t->a, 100, PRESENCE_OFFLINE, PRESENCE_AWAY, PRESENCE_AWAY);
}

PRESENCE_TEST(many_users_are_asked_about_at_once)
{
    uint64_t ids[PRESENCE_MAX_ASKED + 1];
    for (size_t i = 0; i <= PRESENCE_MAX_ASKED; i++)
        ids[i] = i + 1;
    set_to(&t->a, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    int answers = t->b.answers;
    weir_time begun = weir_time_now();
    assert_ok(presence_get(t->b.presence, ids, PRESENCE_MAX_ASKED, on_infos, &t->b));
    run_until(t->loop, t->b.answers > answers);
    printf("1000 users asked about: %lld us\n", (long long)weir_time_diff(weir_time_now(), begun));
    assert_int_equal(t->b.count, PRESENCE_MAX_ASKED);
    assert_int_equal(t->b.infos[6].state, PRESENCE_ONLINE);
    assert_int_equal(t->b.infos[7].state, PRESENCE_OFFLINE);
    assert_err(presence_get(t->b.presence, ids, PRESENCE_MAX_ASKED + 1, on_infos, &t->b),
               WEIR_EINVAL);
    answers = t->b.answers;
    assert_ok(presence_get(t->b.presence, NULL, 0, on_infos, &t->b));
    run_until(t->loop, t->b.answers > answers);
    assert_ok(t->b.err);
    assert_int_equal(t->b.count, 0);
}

PRESENCE_TEST(each_coming_and_going_is_told_once_whoever_races)
{
    enum {
        ROUNDS = 2000
    };
    uint64_t random = 1;
    int answers = t->a.answers + t->b.answers;
    for (int i = 0; i < ROUNDS; i++) {
        /* A device at each node, which is gone in one case of three. */
        node *n = weir_random_below(&random, 2) ? &t->a : &t->b;
        presence_state state = (presence_state)weir_random_below(&random, 3);
        assert_ok(presence_set(n->presence, 7, 1, state, on_changed, n));
        if (i % 16 == 0)
            assert_ok(weir_loop_run_once(t->loop, 0));
    }
    run_until(t->loop, t->a.answers + t->b.answers == answers + ROUNDS);
    int came = t->a.came + t->b.came, went = t->a.went + t->b.went;
    assert_int_equal(came - went, seen_by(&t->a).state != PRESENCE_OFFLINE);
    assert_true(came > 10);
}

/** Comes and goes, and is there at the end. */
static void come_and_go(node *n)
{
    int answers = n->answers;
    for (int i = 0; i <= 500; i++) {
        presence_state state = i % 2 ? PRESENCE_OFFLINE : PRESENCE_ONLINE;
        assert_ok(presence_set(n->presence, 7, 1, state, on_changed, n));
        assert_ok(weir_loop_run_once(n->loop, 0));
    }
    run_until(n->loop, n->answers == answers + 501);
}

static void *run_another_node(void *arg)
{
    const cluster *t = arg;
    node *n = calloc(1, sizeof *n);
    assert_non_null(n);
    open_node(n, new_loop(), &(presence_opts){.url = t->url, .node = "thread"});
    run_until(n->loop, !asked(n, 1));
    come_and_go(n);
    presence_close(n->presence);
    weir_loop_free(n->loop);
    return n;
}

PRESENCE_TEST(nodes_of_two_threads_see_the_same_users)
{
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, run_another_node, t), 0);
    come_and_go(&t->a);
    pthread_join(thread, &result);
    const node *other = result;
    assert_int_equal(t->a.came + other->came, t->a.went + other->went + 1);
    set_to(&t->b, 1, PRESENCE_AWAY, PRESENCE_ONLINE, PRESENCE_ONLINE);
    set_to(&t->a, 1, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_ONLINE); /* the thread's */
    free(result);
}

PRESENCE_TEST(changes_are_fast)
{
    enum {
        ROUNDS = 10000
    };
    int answers = t->a.answers;
    weir_time begun = weir_time_now();
    for (uint64_t i = 0; i < ROUNDS; i++) {
        assert_ok(presence_set(t->a.presence, i, 1, PRESENCE_ONLINE, on_changed, &t->a));
        if (i % 100 == 0)
            assert_ok(weir_loop_run_once(t->loop, 0));
    }
    run_until(t->loop, t->a.answers == answers + ROUNDS);
    printf("%d changes: %lld ms\n", ROUNDS,
           (long long)weir_time_diff(weir_time_now(), begun) / 1000);
    assert_int_equal(t->a.came, ROUNDS);
}

PRESENCE_TEST(what_is_owed_is_canceled_when_it_is_closed)
{
    node *a = &t->a;
    uint64_t id = 7;
    int answers = a->answers;
    assert_ok(presence_set(a->presence, 7, 1, PRESENCE_ONLINE, on_changed, a));
    assert_ok(presence_set(a->presence, 7, 1, PRESENCE_ONLINE, NULL, NULL));
    assert_ok(presence_get(a->presence, &id, 1, on_infos, a));
    presence_close(a->presence);
    a->presence = NULL;
    assert_int_equal(a->answers, answers + 2); /* inside the function */
    assert_int_equal(a->canceled, 2);
}

PRESENCE_TEST(it_may_be_closed_in_an_answer)
{
    node *a = &t->a;
    int answers = a->answers;
    a->close_on_answer = true;
    for (int i = 0; i < 5; i++)
        assert_ok(presence_set(a->presence, 7, 1, PRESENCE_ONLINE, on_changed, a));
    run_until(t->loop, a->answers == answers + 5);
    assert_int_equal(a->canceled, 4);
    assert_null(a->presence);
}

PRESENCE_TEST(more_than_it_can_remember_unanswered_is_refused)
{
    weir_err err = WEIR_OK;
    int asked_for = 0, answers = t->a.answers;
    for (; !err && asked_for < 100000; asked_for += !err)
        err = presence_set(t->a.presence, 7, 1, PRESENCE_ONLINE, on_changed, &t->a);
    assert_err(err, WEIR_EFULL);
    run_until(t->loop, t->a.answers == answers + asked_for);
    assert_ok(asked(&t->a, 7));
}

TEST(presence_local, more_users_forget_the_longest_gone)
{
    weir_loop *loop = new_loop();
    node n;
    open_node(&n, loop, &(presence_opts){.url = "local", .node = "n", .max_users = 10});
    for (uint64_t id = 1; id <= 11; id++)
        assert_ok(presence_set(n.presence, id, 1, PRESENCE_ONLINE, on_changed, &n));
    run_until(loop, n.answers == 11);
    assert_ok(asked(&n, 1));
    assert_int_equal(n.infos[0].state, PRESENCE_OFFLINE);
    assert_ok(asked(&n, 2));
    assert_int_equal(n.infos[0].state, PRESENCE_ONLINE);
    presence_close(n.presence);
    weir_loop_free(loop);
}

TEST(presence, options_are_checked)
{
    char long_name[200];
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    const presence_opts bad[] = {
        {.url = "local"},
        {.url = "local", .node = ""},
        {.url = "local", .node = long_name},
        {.node = "n"},
        {.url = "locale", .node = "n"},
        {.url = "local", .node = "n", .ttl_us = -1},
        {.url = "redis://h", .node = "n"},
    };
    weir_loop *loop = new_loop();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        presence *p = NULL;
        weir_why why = {""};
        assert_err(presence_open(&p, loop, &bad[i], &why), WEIR_EINVAL);
        assert_true(why.text[0] != '\0');
        assert_null(p);
    }
    weir_loop_free(loop);
}
