#include "dialer_test.h"
#include "lookup_test.h"

#include <weir/net/connector.h>

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

static const weir_connector_ops ops = {connected, failed, NULL};

static weir_connector *new_connector(struct outcome *o, const weir_addr *addr,
                                     const weir_connector_opts *opts)
{
    weir_connector *connector;
    o->fd = -1;
    o->loop = new_loop();
    assert_ok(weir_connector_new(&connector, o->loop, addr, &ops, o, opts));
    return connector;
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
    struct silent silent;
    silent_open(&silent, "127.0.0.1:0");
    int before = open_fds();
    weir_connector *connector =
        new_connector(&o, &silent.addr, &(weir_connector_opts){.timeout_us = 30000});
    weir_time begin = weir_time_now();
    weir_connector_start(connector);
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_ETIMEDOUT);
    assert_true(weir_time_diff(weir_time_now(), begin) >= 30000);
    weir_connector_free(connector);
    weir_loop_free(o.loop);
    assert_int_equal(open_fds(), before);
    silent_close(&silent);
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

/* By name */

static weir_connector *new_by_name(struct outcome *o, struct name_server *server,
                                   const weir_addr *port_of, weir_connector_opts opts)
{
    weir_connector *connector;
    char target[64];
    o->fd = -1;
    o->loop = new_loop();
    name_server_start(server, o->loop);
    opts.lookup.servers = server->text;
    snprintf(target, sizeof target, "db.example:%u", weir_addr_port(port_of));
    assert_ok(weir_connector_new_name(&connector, o->loop, target, &ops, o, &opts));
    return connector;
}

static void end_by_name(struct outcome *o, struct name_server *server, weir_connector *connector)
{
    weir_connector_free(connector);
    name_server_stop(server);
    weir_loop_free(o->loop);
}

TEST(connector, each_attempt_looks_the_name_up_anew)
{
    struct outcome o = {0};
    struct name_server server = {.four = {.manner = NO_SUCH_NAME}, .six = {.manner = NO_SUCH_NAME}};
    weir_addr addr;
    int listener = bound_socket(&addr, 10);
    weir_connector *connector =
        new_by_name(&o, &server, &addr, (weir_connector_opts){.backoff_us = 1000});
    weir_connector_start(connector);
    run_until(o.loop, o.failures > 0);
    assert_err(o.why, WEIR_ELOOKUP);
    assert_non_null(strstr(weir_connector_why(connector), "db.example"));
    server.four = (struct family){.count = 1, .addr = "127.0.0.1"};
    run_until(o.loop, o.fd >= 0);
    close(o.fd);
    end_by_name(&o, &server, connector);
    close(listener);
}

TEST(connector, all_addresses_of_a_name_are_dialled)
{
    struct outcome o = {0};
    struct name_server server = {.four = {.count = 1, .addr = "127.0.0.1"},
                                 .six = {.count = 1, .addr = "::1"}};
    weir_addr addr;
    int listener = bound_socket(&addr, 10);
    weir_connector *connector = new_by_name(&o, &server, &addr, (weir_connector_opts){0});
    weir_connector_start(connector);
    run_until(o.loop, o.fd >= 0);
    assert_int_equal(o.failures, 0);
    close(o.fd);
    close(listener);

    weir_connector_start(connector); /* now nobody listens at either */
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_ECONNREFUSED);
    assert_non_null(strstr(weir_connector_why(connector), "127.0.0.1:"));
    end_by_name(&o, &server, connector);
}

TEST(connector, the_time_of_an_attempt_includes_the_lookup)
{
    struct outcome o = {.stop_it = true};
    struct name_server server = {.four = {.manner = SILENT}, .six = {.manner = SILENT}};
    weir_addr addr = address("127.0.0.1:9");
    int before = open_fds();
    weir_connector *connector =
        new_by_name(&o, &server, &addr, (weir_connector_opts){.timeout_us = 30000});
    weir_connector_start(connector);
    run_until(o.loop, server.four.asked > 0);
    weir_connector_stop(connector); /* while looking up */
    weir_connector_stop(connector);
    assert_int_equal(weir_loop_timers(o.loop)->pending, 0);
    weir_connector_reset(connector);
    weir_time begin = weir_time_now();
    weir_connector_start(connector);
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_ETIMEDOUT);
    assert_in_range(weir_time_diff(weir_time_now(), begin), 30000, WEIR_SECONDS(5));
    end_by_name(&o, &server, connector);
    assert_int_equal(open_fds(), before);
}

TEST(connector, a_target_that_cannot_be_read_is_a_failure)
{
    struct outcome o = {.fd = -1, .free_it = true, .loop = new_loop()};
    weir_connector *connector;
    assert_ok(weir_connector_new_name(&connector, o.loop, "no port", &ops, &o, NULL));
    weir_connector_start(connector);
    assert_int_equal(o.failures, 0);
    run_until(o.loop, o.failures == 1);
    assert_err(o.why, WEIR_EINVAL);
    weir_loop_free(o.loop);
}
