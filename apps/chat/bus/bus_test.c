/* What holds for every bus. */
#include "bus_test.h"

#include <pthread.h>

/** A case with two buses of one kind in one loop. */
typedef struct pair {
    weir_loop *loop;
    redis_server redis;
    const char *url;
    peer a, b;
} pair;

static void begin(pair *t, bool redis)
{
    *t = (pair){.loop = new_loop(), .url = "local"};
    if (redis) {
        redis_server_begin(&t->redis, NULL);
        t->url = t->redis.url;
    }
    open_peer(&t->a, t->loop, t->url);
    open_peer(&t->b, t->loop, t->url);
}

static void end(pair *t)
{
    bus_close(t->a.bus);
    bus_close(t->b.bus);
    weir_loop_free(t->loop);
    if (t->redis.pid)
        redis_server_end(&t->redis);
}

/** A case once for each implementation. */
#define BUS_TEST(name)                                                                             \
    static void name(pair *t);                                                                     \
    TEST(bus_local, name)                                                                          \
    {                                                                                              \
        pair t;                                                                                    \
        begin(&t, false);                                                                          \
        name(&t);                                                                                  \
        end(&t);                                                                                   \
    }                                                                                              \
    TEST(bus_redis, name)                                                                          \
    {                                                                                              \
        pair t;                                                                                    \
        begin(&t, true);                                                                           \
        name(&t);                                                                                  \
        end(&t);                                                                                   \
    }                                                                                              \
    static void name(pair *t)

BUS_TEST(what_is_published_is_heard_by_the_others_and_by_oneself)
{
    subscribe_to(&t->a, t->loop, "news");
    subscribe_to(&t->b, t->loop, "news");
    say(&t->a, "news", "hello");
    assert_int_equal(t->a.messages, 0); /* not inside the function */
    run_until(t->loop, t->a.messages == 1 && t->b.messages == 1);
    assert_string_equal(t->b.channel, "news");
    assert_string_equal(t->b.bytes, "hello");
    assert_string_equal(t->a.bytes, "hello");
    run_until(t->loop, stats_of(&t->a).published == 1);
    assert_int_equal(stats_of(&t->b).received, 1);
    assert_int_equal(stats_of(&t->b).channels, 1);
    assert_int_equal(t->a.messages, 1);
}

BUS_TEST(what_nobody_subscribes_goes_nowhere)
{
    subscribe_to(&t->a, t->loop, "one");
    say(&t->b, "two", "lost");
    say(&t->b, "one", "kept");
    run_until(t->loop, t->a.messages == 1);
    assert_string_equal(t->a.bytes, "kept");
    assert_int_equal(t->b.messages, 0);
}

BUS_TEST(after_an_unsubscribe_there_are_no_more_messages)
{
    subscribe_to(&t->a, t->loop, "one");
    subscribe_to(&t->a, t->loop, "two");
    bus_unsubscribe(t->a.bus, WEIR_STR("one"));
    bus_unsubscribe(t->a.bus, WEIR_STR("never subscribed"));
    say(&t->b, "one", "lost");
    say(&t->b, "two", "kept");
    run_until(t->loop, t->a.messages == 1);
    assert_string_equal(t->a.bytes, "kept");
    assert_int_equal(stats_of(&t->a).channels, 1);
}

BUS_TEST(a_channel_that_is_taken_up_again_at_once_is_ready_once_more)
{
    subscribe_to(&t->a, t->loop, "one");
    for (int i = 0; i < 5; i++) {
        bus_unsubscribe(t->a.bus, WEIR_STR("one"));
        assert_ok(bus_subscribe(t->a.bus, WEIR_STR("one")));
        assert_err(bus_subscribe(t->a.bus, WEIR_STR("one")), WEIR_EEXIST);
        if (i % 2)
            assert_ok(weir_loop_run_once(t->loop, 0));
    }
    run_until(t->loop, t->a.ready >= 2);
    say(&t->b, "one", "heard");
    run_until(t->loop, t->a.messages == 1);
    assert_in_range(t->a.ready, 2, 6); /* at most once for each */
    assert_int_equal(stats_of(&t->a).channels, 1);
}

BUS_TEST(names_are_checked)
{
    char longest[BUS_MAX_CHANNEL + 2];
    memset(longest, 'x', sizeof longest);
    longest[BUS_MAX_CHANNEL] = '\0';
    assert_err(bus_subscribe(t->a.bus, WEIR_STR("")), WEIR_EINVAL);
    assert_err(bus_subscribe(t->a.bus, weir_str_of(longest, BUS_MAX_CHANNEL + 1)), WEIR_EINVAL);
    subscribe_to(&t->a, t->loop, longest);
    say(&t->b, longest, "far");
    run_until(t->loop, t->a.messages == 1);
}

BUS_TEST(bytes_are_any_bytes)
{
    const char bytes[] = "\r\n\0$-1\r\n*3\xff";
    subscribe_to(&t->a, t->loop, "b");
    bus_publish(t->b.bus, WEIR_STR("b"), weir_str_of(bytes, sizeof bytes));
    run_until(t->loop, t->a.messages == 1);
    assert_int_equal(t->a.len, sizeof bytes);
    assert_memory_equal(t->a.bytes, bytes, sizeof bytes);
    bus_publish(t->b.bus, WEIR_STR("b"), weir_str_of(NULL, 0));
    run_until(t->loop, t->a.messages == 2);
    assert_int_equal(t->a.len, 0);
}

BUS_TEST(a_message_may_be_large)
{
    size_t len = 4 << 20;
    char *bytes = calloc(1, len);
    assert_non_null(bytes);
    subscribe_to(&t->a, t->loop, "b");
    bus_publish(t->b.bus, WEIR_STR("b"), weir_str_of(bytes, len));
    run_until(t->loop, t->a.messages == 1);
    assert_int_equal(t->a.len, len);
    free(bytes);
}

BUS_TEST(messages_of_a_channel_keep_their_order)
{
    char text[16];
    subscribe_to(&t->a, t->loop, "n");
    for (int i = 1; i <= 20000; i++) {
        snprintf(text, sizeof text, "%d", i);
        say(&t->b, "n", text);
        if (i % 1000 == 0)
            assert_ok(weir_loop_run_once(t->loop, 0));
    }
    run_until(t->loop, t->a.messages == 20000);
    assert_int_equal(t->a.out_of_order, 0);
}

BUS_TEST(ten_thousand_channels_are_subscribed_quickly)
{
    char name[32];
    weir_time begun = weir_time_now();
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "user:%d", i);
        assert_ok(bus_subscribe(t->a.bus, weir_str_from(name)));
    }
    run_until(t->loop, t->a.ready == 10000);
    printf("10,000 channels: %lld us\n", (long long)weir_time_diff(weir_time_now(), begun));
    begun = weir_time_now();
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "user:%d", i);
        say(&t->b, name, "x");
    }
    run_until(t->loop, t->a.messages == 10000);
    printf("10,000 messages: %lld us\n", (long long)weir_time_diff(weir_time_now(), begun));
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "user:%d", i);
        bus_unsubscribe(t->a.bus, weir_str_from(name));
    }
    assert_int_equal(stats_of(&t->a).channels, 0);
    subscribe_to(&t->a, t->loop, "user:1");
}

static void close_it(peer *p)
{
    bus_close(p->bus);
    p->bus = NULL;
}

BUS_TEST(it_may_be_closed_in_its_own_message)
{
    subscribe_to(&t->a, t->loop, "one");
    subscribe_to(&t->b, t->loop, "one");
    t->a.on_message = close_it;
    say(&t->a, "one", "1");
    say(&t->b, "one", "2");
    say(&t->b, "one", "3");
    run_until(t->loop, t->b.messages == 3 && t->a.messages > 0);
    assert_int_equal(t->a.messages, 1);
    assert_null(t->a.bus);
}

static void answer(peer *p)
{
    if (strcmp(p->bytes, "ping") != 0)
        return;
    bus_unsubscribe(p->bus, WEIR_STR("one"));
    assert_ok(bus_subscribe(p->bus, WEIR_STR("two")));
    say(p, "back", "pong");
}

BUS_TEST(all_of_it_may_be_called_in_a_message)
{
    subscribe_to(&t->a, t->loop, "one");
    subscribe_to(&t->b, t->loop, "back");
    t->a.on_message = answer;
    say(&t->b, "one", "ping");
    run_until(t->loop, t->b.messages == 1 && t->a.ready == 2);
    say(&t->b, "two", "heard");
    run_until(t->loop, t->a.messages == 2);
    assert_string_equal(t->a.bytes, "heard");
}

BUS_TEST(it_may_be_closed_with_everything_under_way)
{
    assert_ok(bus_subscribe(t->a.bus, WEIR_STR("one")));
    say(&t->a, "one", "1");
    close_it(&t->a);
    subscribe_to(&t->b, t->loop, "one");
    assert_int_equal(t->a.ready, 0);
    say(&t->b, "one", "1");
    close_it(&t->b); /* the loop ends with it */
}

/* Two loops. */

enum {
    ROUNDS = 2000
};

static void *publish_in_another_loop(void *arg)
{
    const pair *t = arg;
    weir_loop *loop = new_loop();
    peer p;
    char text[16];
    open_peer(&p, loop, t->url);
    subscribe_to(&p, loop, "far");
    for (int i = 1; i <= ROUNDS; i++) {
        snprintf(text, sizeof text, "%d", i);
        say(&p, "near", text);
        assert_ok(weir_loop_run_once(loop, 0));
    }
    run_until(loop, p.messages == ROUNDS);
    assert_int_equal(p.out_of_order, 0);
    bus_close(p.bus);
    weir_loop_free(loop);
    return NULL;
}

static void send_on(peer *p)
{
    say(p, "far", p->bytes);
}

BUS_TEST(buses_of_two_threads_hear_each_other)
{
    pthread_t thread;
    t->a.on_message = send_on;
    subscribe_to(&t->a, t->loop, "near");
    assert_int_equal(pthread_create(&thread, NULL, publish_in_another_loop, t), 0);
    run_until(t->loop, t->a.messages == ROUNDS);
    run_until(t->loop, stats_of(&t->a).published == ROUNDS);
    pthread_join(thread, NULL);
    assert_int_equal(t->a.out_of_order, 0);
}

TEST(bus, a_url_is_one_of_three_forms)
{
    static const char *const bad[] = {"", "locale", "redis:", "redis://", "http://127.0.0.1:1"};
    weir_loop *loop = new_loop();
    const bus_events events = {note_message, note_ready, NULL, NULL};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bus *b = NULL;
        weir_why why = {""};
        assert_err(bus_open(&b, loop, bad[i], &events, &why), WEIR_EINVAL);
        assert_non_null(strstr(why.text, "redis"));
        assert_null(b);
    }
    weir_loop_free(loop);
}
