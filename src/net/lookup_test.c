#include "lookup_test.h"

#include <netdb.h>
#include <weir/net/lookup.h>

struct outcome {
    int calls;
    weir_err err;
    size_t count;
    weir_addr addrs[WEIR_LOOKUP_MAX];
    char why[200];
};

static void on_done(weir_err err, const weir_addr *addrs, size_t count, const char *why, void *user)
{
    struct outcome *o = user;
    o->calls++;
    o->err = err;
    o->count = count;
    memcpy(o->addrs, addrs, count * sizeof *addrs);
    snprintf(o->why, sizeof o->why, "%s", why);
}

struct setting {
    weir_loop *loop;
    struct name_server server;
    weir_lookup_opts opts;
    struct outcome o;
    int fds;
};

/** A loop with a name server, which `s` describes. */
static void set_up(struct setting *s)
{
    s->loop = new_loop();
    name_server_start(&s->server, s->loop);
    s->opts.servers = s->server.text;
    s->fds = open_fds();
}

/** Nothing of a lookup is left. */
static void tear_down(struct setting *s)
{
    assert_int_equal(weir_loop_timers(s->loop)->pending, 0);
    assert_int_equal(open_fds(), s->fds);
    name_server_stop(&s->server);
    weir_loop_free(s->loop);
}

static weir_lookup *start(struct setting *s, const char *target)
{
    weir_lookup *lookup = NULL;
    weir_why why = {""};
    if (weir_lookup_start(&lookup, s->loop, target, &s->opts, on_done, &s->o, &why))
        fail_msg("%s", why.text);
    assert_int_equal(s->o.calls, 0);
    return lookup;
}

static void look_up(struct setting *s, const char *target)
{
    memset(&s->o, 0, sizeof s->o);
    start(s, target);
    run_until(s->loop, s->o.calls > 0);
    settle(s->loop);
    assert_int_equal(s->o.calls, 1);
}

static void assert_addr(const struct outcome *o, size_t at, const char *text)
{
    char actual[WEIR_ADDR_TEXT_MAX];
    assert_in_range(at, 0, o->count - 1);
    assert_string_equal(weir_addr_text(&o->addrs[at], actual), text);
}

TEST(lookup, numbers_and_paths_need_no_server)
{
    static const char *const targets[] = {"127.0.0.1:80", "[::1]:443", "unix:/run/x"};
    struct setting s = {0};
    set_up(&s);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        look_up(&s, targets[i]);
        assert_ok(s.o.err);
        assert_int_equal(s.o.count, 1);
        assert_addr(&s.o, 0, targets[i]);
    }
    assert_int_equal(s.server.four.asked + s.server.six.asked, 0);
    tear_down(&s);
}

TEST(lookup, both_families_are_asked_and_ipv6_comes_first)
{
    struct setting s = {.server = {.four = {.count = 2}, .six = {.count = 1}}};
    set_up(&s);
    look_up(&s, "db.example:5432");
    assert_ok(s.o.err);
    assert_string_equal(s.o.why, "");
    assert_string_equal(s.server.name, "db.example.");
    assert_int_equal(s.o.count, 3);
    assert_addr(&s.o, 0, "[fd00::1]:5432");
    assert_int_equal(weir_addr_port(&s.o.addrs[1]), 5432);
    assert_int_equal(s.o.addrs[2].storage.ss_family, AF_INET);
    tear_down(&s);
}

TEST(lookup, ipv6_comes_first_also_when_its_answer_does_not)
{
    struct setting s = {.server = {.four = {.count = 2}, .six = {.manner = DEAF_ONCE, .count = 2}},
                        .opts = {.query_us = 20000, .family_wait_us = WEIR_SECONDS(5)}};
    set_up(&s);
    look_up(&s, "db.example:80");
    assert_int_equal(s.o.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(s.o.addrs[i].storage.ss_family, i < 2 ? AF_INET6 : AF_INET);
    tear_down(&s);
}

TEST(lookup, localhost_and_the_names_of_the_hosts_file_need_no_server)
{
    struct setting s = {.server = {.four = {.manner = SILENT}, .six = {.manner = SILENT}}};
    set_up(&s);
    look_up(&s, "localhost:1");
    assert_ok(s.o.err);
    assert_addr(&s.o, s.o.count - 1, "127.0.0.1:1");

    sethostent(0);
    for (struct hostent *line; (line = gethostent());) {
        char target[300];
        snprintf(target, sizeof target, "%s:1", line->h_name);
        look_up(&s, target);
        assert_ok(s.o.err);
    }
    endhostent();
    assert_int_equal(s.server.four.asked + s.server.six.asked, 0);
    tear_down(&s);
}

TEST(lookup, a_port_may_be_a_service_of_this_machine)
{
    struct setting s = {.server = {.four = {.count = 1}}};
    set_up(&s);
    setservent(0);
    struct servent *line = getservent();
    while (line && strcmp(line->s_proto, "tcp") != 0)
        line = getservent();
    if (line) {
        char target[300];
        unsigned port = ntohs((uint16_t)line->s_port);
        snprintf(target, sizeof target, "a.example:%s", line->s_name);
        look_up(&s, target);
        assert_int_equal(weir_addr_port(&s.o.addrs[0]), port);
    }
    endservent();
    tear_down(&s);
}

TEST(lookup, a_name_that_does_not_exist_is_told_with_a_sentence)
{
    struct setting s = {
        .server = {.four = {.manner = NO_SUCH_NAME}, .six = {.manner = NO_SUCH_NAME}}};
    set_up(&s);
    look_up(&s, "nowhere.example:80");
    assert_err(s.o.err, WEIR_ELOOKUP);
    assert_int_equal(s.o.count, 0);
    assert_non_null(strstr(s.o.why, "nowhere.example"));
    tear_down(&s);
}

TEST(lookup, a_name_without_an_address_is_not_found)
{
    struct setting s = {0};
    set_up(&s);
    look_up(&s, "empty.example:80");
    assert_err(s.o.err, WEIR_ELOOKUP);
    tear_down(&s);
}

TEST(lookup, one_family_is_enough)
{
    struct setting s = {.server = {.four = {.count = 1}, .six = {.manner = NO_SUCH_NAME}}};
    set_up(&s);
    look_up(&s, "four.example:80");
    assert_ok(s.o.err);
    assert_int_equal(s.o.count, 1);
    assert_addr(&s.o, 0, "10.0.0.1:80");
    tear_down(&s);
}

TEST(lookup, a_family_without_an_answer_holds_the_other_back_for_a_moment_only)
{
    struct setting s = {.server = {.four = {.count = 1}, .six = {.manner = SILENT}},
                        .opts = {.family_wait_us = 10000}};
    set_up(&s);
    weir_time begin = weir_time_now();
    look_up(&s, "slow.example:80");
    int64_t took_us = weir_time_diff(weir_time_now(), begin);
    assert_ok(s.o.err);
    assert_addr(&s.o, 0, "10.0.0.1:80");
    assert_in_range(took_us, 10000, WEIR_SECONDS(5));
    assert_int_equal(s.server.six.asked, 1);
    tear_down(&s);
}

TEST(lookup, the_time_limit_holds_while_it_waits_for_the_other_family)
{
    struct setting s = {.server = {.four = {.count = 1}, .six = {.manner = SILENT}},
                        .opts = {.timeout_us = 30000, .family_wait_us = WEIR_SECONDS(60)}};
    set_up(&s);
    look_up(&s, "slow.example:80");
    assert_ok(s.o.err);
    assert_int_equal(s.o.count, 1);
    tear_down(&s);
}

TEST(lookup, a_silent_server_is_a_timeout)
{
    struct setting s = {.server = {.four = {.manner = SILENT}, .six = {.manner = SILENT}},
                        .opts = {.timeout_us = 30000}};
    set_up(&s);
    weir_time begin = weir_time_now();
    look_up(&s, "silent.example:80");
    assert_err(s.o.err, WEIR_ETIMEDOUT);
    assert_in_range(weir_time_diff(weir_time_now(), begin), 30000, WEIR_SECONDS(5));
    tear_down(&s);
}

TEST(lookup, a_lost_question_is_repeated)
{
    struct setting s = {.server = {.four = {.manner = DEAF_ONCE, .count = 1},
                                   .six = {.manner = DEAF_ONCE, .count = 1}},
                        .opts = {.query_us = 20000}};
    set_up(&s);
    look_up(&s, "lossy.example:80");
    assert_ok(s.o.err);
    assert_in_range(s.server.four.asked, 1, 3);
    assert_in_range(s.server.six.asked + s.server.four.asked, 3, 5);
    tear_down(&s);
}

TEST(lookup, more_addresses_than_the_limit_are_left_out)
{
    struct setting s = {.server = {.four = {.count = 40}, .six = {.count = 40}}};
    set_up(&s);
    look_up(&s, "many.example:80");
    assert_ok(s.o.err);
    assert_int_equal(s.o.count, WEIR_LOOKUP_MAX);
    assert_int_equal(s.o.addrs[0].storage.ss_family, AF_INET6);
    assert_int_equal(s.o.addrs[WEIR_LOOKUP_MAX - 1].storage.ss_family, AF_INET);
    tear_down(&s);
}

TEST(lookup, an_answer_too_long_for_a_datagram_comes_over_tcp)
{
    struct setting s = {.server = {.long_only = true, .four = {.count = 100}, .six = {.count = 1}}};
    set_up(&s);
    look_up(&s, "long.example:80");
    assert_ok(s.o.err);
    assert_int_equal(s.o.count, WEIR_LOOKUP_MAX / 2 + 1);
    assert_true(s.server.tcp.fd >= 0);
    s.fds++; /* the server's end of that stream */
    tear_down(&s);
}

TEST(lookup, a_cancelled_one_calls_nothing_and_leaves_nothing)
{
    struct setting s = {.server = {.four = {.count = 1}, .six = {.manner = SILENT}},
                        .opts = {.family_wait_us = WEIR_SECONDS(5)}};
    set_up(&s);
    weir_lookup_cancel(NULL);
    weir_lookup_cancel(start(&s, "127.0.0.1:80")); /* before the callback's turn */
    weir_lookup_cancel(start(&s, "a.example:80")); /* with open sockets */
    settle(s.loop);
    weir_lookup *waiting = start(&s, "b.example:80");
    run_until(s.loop, s.server.four.asked > 0 && s.server.six.asked > 0);
    settle(s.loop); /* one family has answered */
    weir_lookup_cancel(waiting);
    settle(s.loop);
    assert_int_equal(s.o.calls, 0);
    tear_down(&s);
}

TEST(lookup, several_at_once_do_not_disturb_each_other)
{
    enum {
        MANY = 50
    };
    struct setting s = {.server = {.four = {.count = 1}, .six = {.count = 1}}};
    set_up(&s);
    weir_lookup *lookups[MANY];
    for (int i = 0; i < MANY; i++)
        lookups[i] = start(&s, "a.example:80");
    for (int i = 0; i < MANY; i += 2)
        weir_lookup_cancel(lookups[i]);
    run_until(s.loop, s.o.calls == MANY / 2);
    settle(s.loop);
    assert_int_equal(s.o.calls, MANY / 2);
    assert_ok(s.o.err);
    tear_down(&s);
}

TEST(lookup, what_is_no_target_is_told_at_once)
{
    static const char *const targets[] = {
        "",       "name",      "name:",       ":",     "name:65536", "name:no-such-service",
        "a:b:80", "[::1]name", "[fe80::g]:1", "unix:", "::1:80",     "name:-1"};
    struct setting s = {0};
    char too_long[600];
    set_up(&s);
    memset(too_long, 'a', sizeof too_long);
    memcpy(too_long + sizeof too_long - 4, ":80", 4);
    for (size_t i = 0; i <= sizeof targets / sizeof *targets; i++) {
        const char *target = i < sizeof targets / sizeof *targets ? targets[i] : too_long;
        weir_lookup *lookup = NULL;
        weir_why why = {""};
        assert_err(weir_lookup_start(&lookup, s.loop, target, &s.opts, on_done, &s.o, &why),
                   WEIR_EINVAL);
        assert_null(lookup);
        assert_true(strlen(why.text) > 0);
    }
    s.opts.servers = "not a server";
    weir_lookup *lookup;
    weir_why why;
    assert_err(weir_lookup_start(&lookup, s.loop, "a.example:80", &s.opts, on_done, &s.o, &why),
               WEIR_EINVAL);
    assert_non_null(strstr(why.text, "not a server"));
    settle(s.loop);
    assert_int_equal(s.o.calls, 0);
    tear_down(&s);
}
