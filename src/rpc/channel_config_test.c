/* What a service config says of calls and backends, besides retries. */
#include "test.h"

#include "backends.h"

#include <sched.h>
#include <stdlib.h>

#define METHODS_SAY(members)                                                                       \
    "{\"methodConfig\":[{\"name\":[{\"service\":\"test.Test\"}]," members "}]}"
#define AROUND(policy, members)                                                                    \
    "{\"loadBalancingConfig\":[{\"" policy "\":{" members                                          \
    ",\"childPolicy\":[{\"round_robin\":{}}]}}]}"

static backends bs;
static weir_status status;

static void open_with(int count, const char *config)
{
    backends_start(&bs, count);
    backends_open(&bs, &(weir_channel_opts){.service_config = config, .backoff_us = 20000});
}

TEST(channel_config, a_timeout_shortens_that_of_a_call)
{
    open_with(1, METHODS_SAY("\"timeout\":\"0.5s\""));
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    atomic_store(&bs.all[0].hold, 1);
    assert_int_equal(
        backends_ask(&bs, &(weir_call_opts){.timeout_us = WEIR_SECONDS(3600)}, &status),
        -WEIR_STATUS_DEADLINE_EXCEEDED);
    assert_non_null(strstr(weir_status_text(&status), "within 0.500 s"));
    backends_close(&bs);
}

TEST(channel_config, a_timeout_does_not_lengthen_that_of_a_call)
{
    open_with(1, METHODS_SAY("\"timeout\":\"3600s\""));
    atomic_store(&bs.all[0].hold, 1);
    assert_int_equal(backends_ask(&bs, &(weir_call_opts){.timeout_us = 20000}, NULL),
                     -WEIR_STATUS_DEADLINE_EXCEEDED);
    backends_close(&bs);
}

TEST(channel_config, calls_wait_for_ready_if_it_says_so)
{
    char addr[WEIR_ADDR_TEXT_MAX];
    open_with(1, METHODS_SAY("\"waitForReady\":true"));
    strcpy(addr, bs.all[0].server.addr);
    backend_stop(&bs.all[0]);
    weir_stream *stream;
    assert_ok(weir_stream_open(&stream, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (weir_channel_state(bs.channel, false) != WEIR_CONNECTIVITY_TRANSIENT_FAILURE)
        sched_yield();
    backend_start(&bs.all[0], addr);
    void *reply;
    assert_ok(weir_stream_read(stream, bs.mem, &reply));
    assert_int_equal(weir_stream_finish(stream, bs.mem).code, WEIR_STATUS_OK);
    weir_stream_free(stream);
    backends_close(&bs);
}

TEST(channel_config, requests_and_replies_have_limits)
{
    char long_text[2000];
    void *reply;
    memset(long_text, 'x', sizeof long_text);
    open_with(1, METHODS_SAY("\"maxRequestMessageBytes\":1000"));
    status = weir_unary_call(bs.channel, &test_methods[UNARY], bs.mem,
                             &(text){.text = weir_str_of(long_text, 990)}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_OK);
    status = weir_unary_call(bs.channel, &test_methods[UNARY], bs.mem,
                             &(text){.text = weir_str_of(long_text, 1000)}, &reply, NULL);
    assert_int_equal(status.code, WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(weir_status_text(&status), "maxRequestMessageBytes"));
    weir_channel_free(bs.channel);
    backends_open(
        &bs, &(weir_channel_opts){.service_config = METHODS_SAY("\"maxResponseMessageBytes\":2")});
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(weir_status_text(&status), "maxResponseMessageBytes"));
    backends_close(&bs);
}

TEST(channel_config, one_that_is_refused_is_told_to_every_call)
{
    open_with(1, "{\"loadBalancingConfig\":[{\"xds\":{}}]}");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
        assert_non_null(
            strstr(weir_status_text(&status), "the service config is refused: no policy"));
    }
    weir_channel_free(bs.channel);
    backends_open(&bs, &(weir_channel_opts){.balance = "nonsense"});
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    backends_close(&bs);
}

TEST(channel_config, a_backend_that_fails_again_and_again_is_ejected)
{
    open_with(5, AROUND("outlier_detection_experimental",
                        "\"interval\":\"0.05s\",\"baseEjectionTime\":\"3600s\","
                        "\"maxEjectionTime\":\"3600s\",\"maxEjectionPercent\":20,"
                        "\"failurePercentageEjection\":{\"threshold\":50,\"minimumHosts\":5,"
                        "\"requestVolume\":5}"));
    backends_await(&bs, 5);
    atomic_store(&bs.all[2].fail_next, -1);
    int good = 0;
    while (good < 50) { /* in a row */
        int who = backends_ask(&bs, NULL, NULL);
        good = who >= 0 ? good + 1 : 0;
    }
    atomic_store(&bs.all[2].asked, 0);
    for (int i = 0; i < 50; i++)
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    assert_int_equal(atomic_load(&bs.all[2].asked), 0);
    backends_close(&bs);
}

TEST(channel_config, a_circuit_breaker_opens_and_closes)
{
    open_with(2,
              AROUND("weir_circuit_breaker", "\"consecutiveFailures\":3,\"openTime\":\"0.05s\""));
    backends_await(&bs, 2);
    atomic_store(&bs.all[0].fail_next, 3);
    while (atomic_load(&bs.all[0].fail_next) > 0)
        backends_ask(&bs, NULL, NULL);
    atomic_store(&bs.all[1].asked, 0);
    /* Open: until its time is over the other one has all. Then one call shows that it is well. */
    backends_await(&bs, 2);
    for (int i = 0; i < 10; i++)
        assert_true(backends_ask(&bs, NULL, NULL) >= 0);
    backends_close(&bs);
}

TEST(channel_config, calls_fail_at_once_when_every_circuit_breaker_is_open)
{
    open_with(1,
              AROUND("weir_circuit_breaker", "\"consecutiveFailures\":2,\"openTime\":\"3600s\""));
    backends_await(&bs, 1);
    atomic_store(&bs.all[0].fail_next, -1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), -WEIR_STATUS_UNAVAILABLE);
    int asked = atomic_load(&bs.all[0].asked);
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "circuit breakers"));
    assert_int_equal(atomic_load(&bs.all[0].asked), asked);
    backends_close(&bs);
}

TEST(channel_config, a_backend_has_no_more_calls_at_once_than_its_circuit_breaker_allows)
{
    weir_stream *held;
    open_with(1, AROUND("weir_circuit_breaker", "\"maxOutstanding\":1"));
    backends_await(&bs, 1);
    atomic_store(&bs.all[0].hold, 1);
    assert_ok(weir_stream_open(&held, bs.channel, &test_methods[UNARY],
                               &(text){.text = WEIR_STR("?")}, NULL));
    while (atomic_load(&bs.all[0].asked) < 2)
        sched_yield();
    assert_int_equal(backends_ask(&bs, NULL, &status), -WEIR_STATUS_UNAVAILABLE);
    weir_stream_free(held);
    atomic_store(&bs.all[0].hold, 0);
    assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    backends_close(&bs);
}

/** One server of very many addresses. */
TEST(channel_config, ten_thousand_backends)
{
    enum {
        MANY = 10000
    };
    char *target = malloc(MANY * 24);
    backends_start(&bs, 0);
    bs.count = 1;
    backend_start(&bs.all[0], "0.0.0.0:0");
    const char *port = strrchr(bs.all[0].server.addr, ':');
    size_t len = (size_t)sprintf(target, "static:///");
    for (int i = 0; i < MANY; i++)
        len += (size_t)sprintf(target + len, "%s127.%d.%d.1%s", i ? "," : "", 1 + i / 250, i % 250,
                               port);
    bs.channel = weir_channel_new(target, &(weir_channel_opts){.balance = "round_robin"});
    free(target);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(backends_ask(&bs, NULL, NULL), 0);
    weir_server_stats stats;
    do {
        weir_server_get_stats(bs.all[0].server.server, &stats);
    } while (stats.connections < 1000); /* the subset that is the default */
    assert_int_equal(stats.connections, 1000);
    backends_close(&bs);
}
