/* A presence whose Redis goes away, forgets, or answers nonsense. */
#include "presence_test.h"
#include "redis_client.h"

typedef struct fixture {
    weir_loop *loop;
    redis_server redis;
    node n;
    redis_client *direct; /* for what presence does not do */
    bool up;
    int answers;
    long long integer; /* of the last direct answer */
} fixture;

static void on_direct_up(void *user)
{
    ((fixture *)user)->up = true;
}

static void begin(fixture *f)
{
    const redis_client_events events = {.up = on_direct_up, .user = f};
    *f = (fixture){.loop = new_loop()};
    redis_server_begin(&f->redis, NULL);
    open_node(&f->n, f->loop, &(presence_opts){.url = f->redis.url, .node = "n"});
    assert_ok(redis_client_new(&f->direct, f->loop, f->redis.url, &events, NULL, NULL));
    run_until(f->loop, f->up && !asked(&f->n, 1));
}

static void end(fixture *f)
{
    presence_close(f->n.presence);
    redis_client_free(f->direct);
    weir_loop_free(f->loop);
    redis_server_end(&f->redis);
}

static void on_direct(weir_err err, const redisReply *reply, void *user)
{
    fixture *f = user;
    assert_ok(err);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s", reply->str);
    f->integer = reply->integer;
    f->answers++;
}

/** A command of the test's own, words apart. @return an integer answer */
static long long direct(fixture *f, const char *command)
{
    weir_str args[8];
    size_t count = 0;
    for (const char *at = command; *at && count < 8; at += strspn(at, " ")) {
        args[count++] = weir_str_of(at, strcspn(at, " "));
        at += strcspn(at, " ");
    }
    int answers = f->answers;
    assert_ok(redis_client_send(f->direct, args, count, on_direct, f));
    run_until(f->loop, f->answers > answers);
    return f->integer;
}

TEST(presence_redis, a_redis_that_is_away_is_told_at_once)
{
    fixture f;
    begin(&f);
    redis_server_kill(&f.redis);
    run_until(f.loop, asked(&f.n, 7) == WEIR_ECLOSED);
    weir_time begun = weir_time_now();
    assert_err(asked(&f.n, 7), WEIR_ECLOSED);
    assert_true(weir_time_diff(weir_time_now(), begun) < WEIR_MILLISECONDS(2500));
    redis_server_start(&f.redis);
    run_until(f.loop, asked(&f.n, 7) == WEIR_OK);
    set_to(&f.n, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    end(&f);
}

TEST(presence_redis, a_redis_that_stands_still_is_told)
{
    fixture f;
    begin(&f);
    redis_server_stop(&f.redis);
    weir_time begun = weir_time_now();
    assert_err(asked(&f.n, 7), WEIR_ECLOSED);
    int64_t took_us = weir_time_diff(weir_time_now(), begun);
    printf("told after %lld ms\n", (long long)took_us / 1000);
    assert_true(took_us < WEIR_SECONDS(20));
    redis_server_cont(&f.redis);
    run_until(f.loop, asked(&f.n, 7) == WEIR_OK);
    end(&f);
}

TEST(presence_redis, forgotten_scripts_are_sent_again)
{
    fixture f;
    begin(&f);
    direct(&f, "SCRIPT FLUSH SYNC");
    set_to(&f.n, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    direct(&f, "SCRIPT FLUSH SYNC");
    assert_int_equal(seen_by(&f.n).state, PRESENCE_ONLINE);
    end(&f);
}

TEST(presence_redis, a_user_is_forgotten_after_thirty_days)
{
    fixture f;
    begin(&f);
    set_to(&f.n, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    long long ttl_s = direct(&f, "TTL weir:presence:7");
    assert_in_range(ttl_s, 30 * 86400, 30 * 86400 + 60);
    set_to(&f.n, 1, PRESENCE_OFFLINE, PRESENCE_ONLINE, PRESENCE_OFFLINE);
    assert_int_equal(direct(&f, "HLEN weir:presence:7"), 1); /* last_seen */
    end(&f);
}

TEST(presence_redis, nothing_is_kept_for_whom_nobody_has_seen)
{
    fixture f;
    begin(&f);
    set_to(&f.n, 1, PRESENCE_OFFLINE, PRESENCE_OFFLINE, PRESENCE_OFFLINE);
    assert_int_equal(direct(&f, "EXISTS weir:presence:7"), 0);
    end(&f);
}

TEST(presence_redis, what_others_have_written_there_does_no_harm)
{
    fixture f;
    begin(&f);
    direct(&f, "HSET weir:presence:7 n/5 nonsense last_seen soon");
    assert_int_equal(seen_by(&f.n).state, PRESENCE_OFFLINE);
    set_to(&f.n, 1, PRESENCE_AWAY, PRESENCE_OFFLINE, PRESENCE_AWAY);
    direct(&f, "HSET weir:presence:7 n/5 9");
    assert_int_equal(seen_by(&f.n).state, PRESENCE_AWAY);
    direct(&f, "SET weir:presence:8 text");
    assert_err(asked(&f.n, 8), WEIR_EIO);
    assert_ok(asked(&f.n, 7));
    end(&f);
}

TEST(presence_redis, a_dead_node_s_entries_are_removed_by_the_next_change)
{
    fixture f;
    node quick;
    begin(&f);
    open_node(&quick, f.loop,
              &(presence_opts){
                  .url = f.redis.unix_url, .node = "quick", .ttl_us = WEIR_MILLISECONDS(50)});
    run_until(f.loop, !asked(&quick, 1));
    set_to(&quick, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    presence_close(quick.presence); /* as if it had died */
    run_until(f.loop, seen_by(&f.n).state == PRESENCE_OFFLINE);
    assert_int_equal(direct(&f, "HLEN weir:presence:7"), 1);
    set_to(&f.n, 1, PRESENCE_ONLINE, PRESENCE_OFFLINE, PRESENCE_ONLINE);
    assert_int_equal(direct(&f, "HEXISTS weir:presence:7 quick/1"), 0);
    end(&f);
}
