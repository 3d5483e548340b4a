#include "dialer_test.h"

#include "dialer_impl.h"

#include <stdio.h>

struct outcome {
    weir_loop *loop;
    int calls;
    weir_err err;
    int fd;
    char peer[WEIR_ADDR_TEXT_MAX];
};

static void on_done(weir_err err, int fd, const weir_addr *peer, void *user)
{
    struct outcome *o = user;
    o->calls++;
    o->err = err;
    o->fd = fd;
    weir_addr_text(peer, o->peer);
}

static weir_dialer *start(struct outcome *o, const weir_addr *addrs, size_t count,
                          const weir_dialer_opts *opts)
{
    weir_dialer *dialer;
    o->fd = -1;
    assert_ok(weir_dialer_start(&dialer, o->loop, addrs, count, opts, on_done, o));
    assert_int_equal(o->calls, 0);
    return dialer;
}

/** @return how long it took, in microseconds */
static int64_t dial(struct outcome *o, const weir_addr *addrs, size_t count,
                    const weir_dialer_opts *opts)
{
    weir_time begin = weir_time_now();
    *o = (struct outcome){.loop = o->loop};
    start(o, addrs, count, opts);
    run_until(o->loop, o->calls > 0);
    int64_t took_us = weir_time_diff(weir_time_now(), begin);
    settle(o->loop);
    assert_int_equal(o->calls, 1);
    assert_int_equal(weir_loop_timers(o->loop)->pending, 0);
    return took_us;
}

static void assert_peer(const struct outcome *o, const weir_addr *addr)
{
    char text[WEIR_ADDR_TEXT_MAX];
    assert_string_equal(o->peer, weir_addr_text(addr, text));
}

TEST(dialer, it_connects_to_one_address_of_each_family)
{
    char abstract[64];
    snprintf(abstract, sizeof abstract, "unix:@weir-dialer-test-%d", (int)getpid());
    const char *const texts[] = {"127.0.0.1:0", "[::1]:0", abstract};
    struct outcome o = {.loop = new_loop()};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_addr addr;
        int server = bound_at(texts[i], &addr, 10), before = open_fds();
        dial(&o, &addr, 1, NULL);
        assert_ok(o.err);
        assert_peer(&o, &addr);
        close(o.fd);
        assert_int_equal(open_fds(), before);
        close(server);
    }
    weir_loop_free(o.loop);
}

TEST(dialer, a_silent_address_delays_the_next_one_by_the_stagger_only)
{
    struct outcome o = {.loop = new_loop()};
    struct silent silent;
    weir_addr addrs[2];
    silent_open(&silent, "[::1]:0");
    int server = bound_socket(&addrs[1], 10), before = open_fds();
    addrs[0] = silent.addr;
    int64_t took_us = dial(&o, addrs, 2, &(weir_dialer_opts){.stagger_us = 10000});
    assert_ok(o.err);
    assert_peer(&o, &addrs[1]);
    assert_in_range(took_us, 10000, WEIR_SECONDS(20));
    close(o.fd);
    assert_int_equal(open_fds(), before); /* the silent attempt's is closed */
    close(server);
    silent_close(&silent);
    weir_loop_free(o.loop);
}

TEST(dialer, the_stagger_is_a_quarter_of_a_second_unless_told_otherwise)
{
    struct outcome o = {.loop = new_loop()};
    struct silent silent;
    weir_addr addrs[2];
    silent_open(&silent, "[::1]:0");
    int server = bound_socket(&addrs[1], 10);
    addrs[0] = silent.addr;
    assert_in_range(dial(&o, addrs, 2, NULL), 250000, WEIR_SECONDS(20));
    close(o.fd);
    close(server);
    silent_close(&silent);
    weir_loop_free(o.loop);
}

TEST(dialer, a_refusal_lets_the_next_one_begin_at_once)
{
    struct outcome o = {.loop = new_loop()};
    weir_addr addrs[3];
    int taken = bound_at("[::1]:0", &addrs[0], -1); /* nobody listens */
    int server = bound_socket(&addrs[2], 10);
    addrs[1] = address("unix:/nowhere/at/all");
    int64_t took_us = dial(&o, addrs, 3, &(weir_dialer_opts){.stagger_us = WEIR_SECONDS(20)});
    assert_ok(o.err);
    assert_peer(&o, &addrs[2]);
    assert_in_range(took_us, 0, WEIR_SECONDS(19));
    close(o.fd);
    close(taken);
    close(server);
    weir_loop_free(o.loop);
}

TEST(dialer, families_take_turns)
{
    struct outcome o = {.loop = new_loop()};
    struct silent silent[2];
    weir_addr addrs[3];
    silent_open(&silent[0], "[::1]:0");
    silent_open(&silent[1], "[::1]:0");
    int server = bound_socket(&addrs[2], 10);
    addrs[0] = silent[0].addr;
    addrs[1] = silent[1].addr;
    int64_t took_us = dial(&o, addrs, 3, &(weir_dialer_opts){.stagger_us = WEIR_SECONDS(1)});
    assert_ok(o.err);
    assert_in_range(took_us, 1000000, 1990000); /* one stagger and not two */
    close(o.fd);
    close(server);
    silent_close(&silent[0]);
    silent_close(&silent[1]);
    weir_loop_free(o.loop);
}

TEST(dialer, an_attempt_goes_on_while_later_ones_fail)
{
    struct outcome o = {.loop = new_loop()};
    struct silent silent;
    weir_addr addrs[2];
    int before = open_fds();
    silent_open(&silent, "127.0.0.1:0");
    int taken = bound_at("[::1]:0", &addrs[1], -1);
    addrs[0] = silent.addr;
    start(&o, addrs, 2, &(weir_dialer_opts){.stagger_us = 1000, .timeout_us = 60000});
    run_until(o.loop, o.calls > 0);
    assert_err(o.err, WEIR_ETIMEDOUT);
    assert_int_equal(o.fd, -1);
    close(taken);
    silent_close(&silent);
    assert_int_equal(open_fds(), before);
    weir_loop_free(o.loop);
}

TEST(dialer, when_all_fail_the_last_reason_is_told)
{
    struct outcome o = {.loop = new_loop()};
    weir_addr addrs[2];
    int taken = bound_socket(&addrs[0], -1), before = open_fds();
    dial(&o, addrs, 1, NULL);
    assert_err(o.err, WEIR_ECONNREFUSED);
    assert_peer(&o, &addrs[0]);
    addrs[1] = address("unix:/nowhere/at/all");
    dial(&o, addrs, 2, NULL);
    assert_err(o.err, WEIR_ENOENT);
    assert_string_equal(o.peer, "unix:/nowhere/at/all");
    assert_int_equal(open_fds(), before);
    close(taken);
    weir_loop_free(o.loop);
}

TEST(dialer, a_cancelled_one_calls_nothing_and_leaves_nothing)
{
    struct outcome o = {.loop = new_loop()};
    struct silent silent;
    silent_open(&silent, "127.0.0.1:0");
    int before = open_fds();
    weir_dialer_cancel(NULL);
    weir_dialer_cancel(start(&o, &silent.addr, 1, NULL)); /* before its turn */
    const weir_addr twice[] = {silent.addr, silent.addr};
    weir_dialer *dialer = start(&o, twice, 2, &(weir_dialer_opts){.stagger_us = 1000});
    run_until(o.loop, open_fds() == before + 2); /* both attempts wait */
    weir_dialer_cancel(dialer);
    assert_int_equal(open_fds(), before);
    assert_int_equal(weir_loop_timers(o.loop)->pending, 0);
    settle(o.loop);
    assert_int_equal(o.calls, 0);
    silent_close(&silent);
    weir_loop_free(o.loop);
}

TEST(dialer, more_addresses_than_the_limit_are_not_tried)
{
    struct outcome o = {.loop = new_loop()};
    weir_addr addrs[WEIR_DIALER_MAX + 1];
    int server = bound_socket(&addrs[WEIR_DIALER_MAX], 10);
    for (int i = 0; i < WEIR_DIALER_MAX; i++)
        addrs[i] = address("unix:/nowhere/at/all");
    dial(&o, addrs, WEIR_DIALER_MAX + 1, NULL);
    assert_err(o.err, WEIR_ENOENT);
    weir_dialer *dialer;
    assert_err(weir_dialer_start(&dialer, o.loop, addrs, 0, NULL, on_done, &o), WEIR_EINVAL);
    close(server);
    weir_loop_free(o.loop);
}

TEST(dialer, a_socket_connected_to_itself_counts_as_refused)
{
    weir_addr addr;
    int self = bound_socket(&addr, -1), fds[2];
    (void)!connect(self, (struct sockaddr *)&addr.storage, addr.len);
    assert_err(weir__dial_result(self), WEIR_ECONNREFUSED);
    close(self);

    int server = bound_socket(&addr, 1), client = connect_to(&addr);
    assert_ok(weir__dial_result(client));
    close(client);
    close(server);
    socket_pair(SOCK_STREAM, fds);
    assert_ok(weir__dial_result(fds[0]));
    close(fds[0]);
    close(fds[1]);
}
