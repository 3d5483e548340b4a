/* A bus whose Redis goes away, stands still, or is none. */
#include "bus_test.h"
#include "redis_client.h"

typedef struct pair {
    weir_loop *loop;
    redis_server redis;
    peer a, b;
} pair;

static void begin(pair *t)
{
    *t = (pair){.loop = new_loop()};
    redis_server_begin(&t->redis, NULL);
    open_peer(&t->a, t->loop, t->redis.url);
    open_peer(&t->b, t->loop, t->redis.unix_url);
}

static void end(pair *t)
{
    bus_close(t->a.bus);
    bus_close(t->b.bus);
    weir_loop_free(t->loop);
    redis_server_end(&t->redis);
}

static void print_since(const char *what, weir_time since)
{
    printf("%s: %lld ms\n", what, (long long)weir_time_diff(weir_time_now(), since) / 1000);
}

TEST(bus_redis, a_killed_redis_is_found_again)
{
    pair t;
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    subscribe_to(&t.a, t.loop, "two");
    subscribe_to(&t.b, t.loop, "one");
    redis_server_kill(&t.redis);
    run_until(t.loop, t.a.downs == 1 && t.b.downs == 1);
    say(&t.b, "one", "lost");
    assert_int_equal(stats_of(&t.b).dropped, 1);
    redis_server_start(&t.redis);
    weir_time begun = weir_time_now();
    run_until(t.loop, t.a.ready == 4 && t.b.ready == 2);
    print_since("ready after a restart", begun);
    assert_int_equal(t.a.ups, 1);
    assert_int_equal(t.a.downs, 1);
    assert_int_equal(stats_of(&t.a).reconnects, 1);
    say(&t.b, "two", "kept");
    run_until(t.loop, t.a.messages == 1);
    assert_string_equal(t.a.bytes, "kept");
    end(&t);
}

TEST(bus_redis, what_changed_while_it_was_away_is_what_is_subscribed_afterwards)
{
    pair t;
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    subscribe_to(&t.a, t.loop, "two");
    redis_server_kill(&t.redis);
    run_until(t.loop, t.a.downs == 1 && t.b.downs <= 1);
    bus_unsubscribe(t.a.bus, WEIR_STR("one"));
    assert_ok(bus_subscribe(t.a.bus, WEIR_STR("three")));
    redis_server_start(&t.redis);
    run_until(t.loop, t.a.ready == 4);
    assert_int_equal(stats_of(&t.a).channels, 2);
    subscribe_to(&t.b, t.loop, "b is back");
    say(&t.b, "one", "1");
    say(&t.b, "two", "2");
    say(&t.b, "three", "3");
    run_until(t.loop, t.a.messages == 2);
    assert_string_equal(t.a.bytes, "3");
    end(&t);
}

TEST(bus_redis, a_redis_that_stands_still_is_noticed)
{
    pair t;
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    redis_server_stop(&t.redis);
    weir_time begun = weir_time_now();
    run_until(t.loop, t.a.downs == 1);
    print_since("noticed", begun);
    assert_true(weir_time_diff(weir_time_now(), begun) < WEIR_SECONDS(20));
    redis_server_cont(&t.redis);
    begun = weir_time_now();
    run_until(t.loop, t.a.ready == 2);
    print_since("ready after SIGCONT", begun);
    say(&t.a, "one", "kept");
    run_until(t.loop, t.a.messages == 1);
    end(&t);
}

static void note_killed(weir_err err, const redisReply *reply, void *user)
{
    assert_ok(err);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    *(long long *)user = reply->integer;
}

/** Redis closes its clients' connections of one type, but that which asks for it. */
static void kill_clients(const pair *t, const char *type)
{
    const weir_str args[] = {WEIR_STR("CLIENT"), WEIR_STR("KILL"), WEIR_STR("TYPE"),
                             weir_str_from(type)};
    redis_client *direct = NULL;
    long long killed = 0;
    assert_ok(
        redis_client_new(&direct, t->loop, t->redis.url, &(redis_client_events){0}, NULL, NULL));
    run_until(t->loop, redis_client_is_up(direct));
    assert_ok(redis_client_send(direct, args, 4, note_killed, &killed));
    run_until(t->loop, killed > 0);
    redis_client_free(direct);
}

TEST(bus_redis, one_connection_lost_is_the_bus_lost)
{
    static const char *const types[] = {"normal", "pubsub"};
    pair t;
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    subscribe_to(&t.b, t.loop, "two");
    for (int i = 0; i < 2; i++) {
        kill_clients(&t, types[i]); /* those that publish, and those that have subscribed */
        run_until(t.loop, t.a.ready == 2 + i && t.b.ready == 2 + i);
        assert_int_equal(t.a.downs, 1 + i);
        assert_int_equal(t.a.ups, 1 + i);
        say(&t.b, "one", "kept");
        run_until(t.loop, t.a.messages == 1 + i);
    }
    assert_int_equal(stats_of(&t.b).dropped, 0);
    end(&t);
}

TEST(bus_redis, it_may_be_away_at_the_start)
{
    weir_loop *loop = new_loop();
    redis_server redis;
    peer a;
    redis_server_prepare(&redis, NULL);
    open_peer(&a, loop, redis.url);
    assert_ok(bus_subscribe(a.bus, WEIR_STR("one")));
    say(&a, "one", "lost");
    for (int i = 0; i < 5; i++)
        assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(20)));
    assert_int_equal(stats_of(&a).dropped, 1);
    redis_server_start(&redis);
    run_until(loop, a.ready == 1);
    assert_int_equal(a.ups + a.downs, 0); /* it was never lost */
    say(&a, "one", "kept");
    run_until(loop, a.messages == 1);
    bus_close(a.bus);
    weir_loop_free(loop);
    redis_server_end(&redis);
}

/** @return false: this machine was so slow that Redis counted as lost, which drops everything */
static bool flood_a_redis_that_stands_still(const char *bytes, size_t len)
{
    pair t;
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    redis_server_stop(&t.redis);
    for (int i = 0; i < 64; i++) {
        bus_publish(t.a.bus, WEIR_STR("one"), weir_str_of(bytes, len));
        assert_ok(weir_loop_run_once(t.loop, 0));
    }
    uint64_t dropped = stats_of(&t.a).dropped;
    redis_server_cont(&t.redis);
    run_until(t.loop, stats_of(&t.a).published + stats_of(&t.a).dropped == 64);
    bool was_kept = t.a.downs == 0;
    if (was_kept) {
        assert_in_range(dropped, 32, 50); /* the kernel has taken some */
        assert_int_equal(stats_of(&t.a).published, 64 - dropped);
    }
    end(&t);
    return was_kept;
}

TEST(bus_redis, what_waits_for_a_redis_that_stands_still_is_bounded)
{
    size_t len = 1 << 20;
    char *bytes = calloc(1, len);
    assert_non_null(bytes);
    int tries = 1;
    while (!flood_a_redis_that_stands_still(bytes, len))
        assert_true(++tries <= 20);
    free(bytes);
}

TEST(bus_redis, a_password_is_given)
{
    weir_loop *loop = new_loop();
    redis_server redis;
    peer a;
    redis_server_begin(&redis, "p@ss:w/rd");
    open_peer(&a, loop, redis.url);
    subscribe_to(&a, loop, "one");
    bus_close(a.bus);
    weir_loop_free(loop);
    redis_server_end(&redis);
}

TEST(bus_redis, a_reconnection_brings_ten_thousand_channels_back)
{
    pair t;
    char name[32];
    begin(&t);
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "user:%d", i);
        assert_ok(bus_subscribe(t.a.bus, weir_str_from(name)));
    }
    run_until(t.loop, t.a.ready == 10000);
    redis_server_kill(&t.redis);
    run_until(t.loop, t.a.downs == 1);
    redis_server_start(&t.redis);
    weir_time begun = weir_time_now();
    run_until(t.loop, t.a.ready == 20000);
    print_since("10,000 channels ready after a restart", begun);
    end(&t);
}

TEST(bus_redis, publishing_is_fast)
{
    enum {
        COUNT = 100000
    };
    pair t;
    char text[120];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    begin(&t);
    subscribe_to(&t.a, t.loop, "one");
    subscribe_to(&t.b, t.loop, "two");
    weir_time begun = weir_time_now();
    for (int i = 0; i < COUNT; i++) {
        say(&t.b, "one", text);
        if (i % 200 == 199)
            assert_ok(weir_loop_run_once(t.loop, 0));
    }
    run_until(t.loop, t.a.messages == COUNT);
    printf("%d published and received in %lld ms\n", COUNT,
           (long long)weir_time_diff(weir_time_now(), begun) / 1000);
    run_until(t.loop, stats_of(&t.b).published == COUNT);
    assert_int_equal(stats_of(&t.b).dropped, 0);
    end(&t);
}
