#include "net_test.h"

#include "connector_impl.h"

struct outcome {
    weir_loop *loop;
    int fd;
    int failures;
    weir_err why;
    int64_t retries_us[32];
    bool free_it, stop_it; /* in on_failed */
};

static void connected(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    ((struct outcome *)user)->fd = fd;
}

static void failed(weir_connector *connector, weir_err why, int64_t retry_us, void *user)
{
    struct outcome *o = user;
    o->retries_us[o->failures++ % 32] = retry_us;
    o->why = why;
    if (o->stop_it)
        weir_connector_stop(connector);
    if (o->free_it)
        weir_connector_free(connector);
}

static const weir_connector_ops ops = {connected, failed};

static weir_connector *new_connector(struct outcome *o, const weir_addr *addr,
                                     const weir_connector_opts *opts)
{
    weir_connector *connector;
    o->fd = -1;
    o->loop = new_loop();
    assert_ok(weir_connector_new(&connector, o->loop, addr, &ops, o, opts));
    return connector;
}

/** A bound socket on a port of the kernel's choice; it listens when `backlog` is not negative. */
static int bound_socket(weir_addr *addr, int backlog)
{
    *addr = address("127.0.0.1:0");
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr->storage, addr->len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr->storage, &addr->len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

TEST(connector, it_connects_and_is_idle_then)
{
    struct outcome o = {0};
    weir_addr addr;
    int server = bound_socket(&addr, 10);
    weir_connector *connector = new_connector(&o, &addr, NULL);
    weir_connector_start(connector);
    weir_connector_start(connector);
    run_until(o.loop, o.fd >= 0);
    assert_int_equal(o.failures, 0);
    int first = o.fd;
    o.fd = -1;
    weir_connector_reset(connector);
    weir_connector_start(connector);
    run_until(o.loop, o.fd >= 0);
    close(first);
    close(o.fd);
    weir_connector_free(connector);
    weir_loop_free(o.loop);
    close(server);
}

TEST(connector, delays_double_to_the_longest_with_a_fifth_of_jitter)
{
    enum {
        BASE_US = 1000,
        MAX_US = 8000,
        FAILURES = 8
    };
    static const int64_t expected_us[FAILURES] = {1000, 2000, 4000, 8000, 8000, 8000, 8000, 8000};
    struct outcome o = {0};
    weir_addr addr;
    int taken = bound_socket(&addr, -1); /* nobody listens */
    weir_connector *connector = new_connector(
        &o, &addr,
        &(weir_connector_opts){.backoff_us = BASE_US, .backoff_max_us = MAX_US, .seed = 1});
    weir_connector_start(connector);
    run_until(o.loop, o.failures >= FAILURES);
    assert_err(o.why, WEIR_ECONNREFUSED);
    int uneven = 0;
    for (int i = 0; i < FAILURES; i++) {
        assert_in_range(o.retries_us[i], expected_us[i] * 8 / 10, expected_us[i] * 12 / 10);
        uneven += o.retries_us[i] != expected_us[i];
    }
    assert_true(uneven > 0);

    weir_connector_stop(connector);
    weir_connector_reset(connector);
    weir_connector_start(connector);
    o.failures = 0;
    run_until(o.loop, o.failures >= 1);
    assert_in_range(o.retries_us[0], BASE_US * 8 / 10, BASE_US * 12 / 10);
    weir_connector_free(connector);
    weir_loop_free(o.loop);
    close(taken);
}

TEST(connector, an_attempt_without_an_answer_times_out)
{
    struct outcome o = {.stop_it = true};
    weir_addr addr;
    int server = bound_socket(&addr, 0), fillers[8];
    for (int i = 0; i < 8; i++) { /* the kernel drops what does not fit its queue */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&addr.storage, addr.len);
    }
    int before = open_fds();
    weir_connector *connector =
        new_connector(&o, &addr, &(weir_connector_opts){.timeout_us = 30000});
    weir_time begin = weir_time_now();
    weir_connector_start(connector);
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_ETIMEDOUT);
    assert_true(weir_time_diff(weir_time_now(), begin) >= 30000);
    weir_connector_free(connector);
    weir_loop_free(o.loop);
    assert_int_equal(open_fds(), before);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(server);
}

TEST(connector, a_stopped_one_calls_nothing_and_may_start_again_after_its_delay)
{
    struct outcome o = {.stop_it = true};
    weir_addr addr;
    int taken = bound_socket(&addr, -1);
    weir_connector *connector =
        new_connector(&o, &addr, &(weir_connector_opts){.backoff_us = 50000});
    weir_connector_start(connector);
    weir_connector_stop(connector);
    settle(o.loop);
    assert_int_equal(o.failures, 0);
    weir_connector_reset(connector);
    weir_connector_start(connector);
    run_until(o.loop, o.failures == 1);
    weir_time first = weir_time_now();
    weir_connector_start(connector);
    run_until(o.loop, o.failures == 2);
    assert_true(weir_time_diff(weir_time_now(), first) >= 35000);
    weir_connector_free(connector);
    weir_loop_free(o.loop);
    close(taken);
}

TEST(connector, it_may_be_freed_in_its_callback)
{
    struct outcome o = {.free_it = true};
    weir_addr addr;
    int taken = bound_socket(&addr, -1);
    weir_connector_start(new_connector(&o, &addr, NULL));
    run_until(o.loop, o.failures == 1);
    weir_loop_free(o.loop);
    close(taken);
}

TEST(connector, a_path_without_a_socket_is_a_failure_and_not_a_crash)
{
    struct outcome o = {.free_it = true};
    weir_addr addr = address("unix:/nowhere/at/all");
    weir_connector_start(new_connector(&o, &addr, NULL));
    assert_int_equal(o.failures, 0);
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_ENOENT);
    weir_loop_free(o.loop);
}

TEST(connector, a_socket_connected_to_itself_is_noticed)
{
    weir_addr addr;
    int self = bound_socket(&addr, -1), fds[2];
    assert_int_equal(connect(self, (struct sockaddr *)&addr.storage, addr.len), 0);
    assert_true(weir__is_self_connected(self));
    close(self);

    int server = bound_socket(&addr, 1), client = connect_to(&addr);
    assert_false(weir__is_self_connected(client));
    close(client);
    close(server);
    socket_pair(SOCK_STREAM, fds);
    assert_false(weir__is_self_connected(fds[0]));
    close(fds[0]);
    close(fds[1]);
}
