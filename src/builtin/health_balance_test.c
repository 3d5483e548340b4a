/* Channels that ask the health service which backends are well (gRFC A17). */
#include "test.h"

#include <sched.h>

#include "backends.h"
#include <weir/builtin/health.h>

#define CONFIG                                                                                     \
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],"                                             \
    "\"healthCheckConfig\":{\"serviceName\":\"test.Test\"}}"

static backends bs;
static weir_health *health[BACKENDS_MAX];

/** The last `without` of them know no health service. */
static void open_with(int count, int without)
{
    backends_start(&bs, 0);
    bs.count = count;
    size_t len = (size_t)snprintf(bs.targets, sizeof bs.targets, "static:///");
    for (int i = 0; i < count; i++) {
        backend *b = &bs.all[i];
        b->number = i;
        test_server_prepare(&b->server, "127.0.0.1:0", backend_methods, b, NULL);
        if (i < count - without) {
            assert_ok(weir_health_serve(b->server.server, &health[i]));
            assert_ok(weir_health_set(health[i], "test.Test", WEIR_HEALTH_SERVING));
        }
        test_server_go(&b->server);
        len += (size_t)snprintf(bs.targets + len, sizeof bs.targets - len, "%s%s", i > 0 ? "," : "",
                                b->server.addr);
    }
    backends_open(&bs, &(weir_channel_opts){.service_config = CONFIG});
}

/** Until it has no calls any more; then it must stay so. */
static void await_silence(int i)
{
    int before;
    do {
        before = atomic_load(&bs.all[i].asked);
        for (int j = 0; j < 2 * bs.count; j++)
            backends_ask(&bs, NULL, NULL);
    } while (atomic_load(&bs.all[i].asked) != before);
    for (int j = 0; j < 20; j++)
        backends_ask(&bs, NULL, NULL);
    assert_int_equal(atomic_load(&bs.all[i].asked), before);
}

TEST(health_balance, who_does_not_serve_gets_no_calls_until_it_does_again)
{
    open_with(2, 0);
    backends_await(&bs, 2);
    assert_ok(weir_health_set(health[0], "test.Test", WEIR_HEALTH_NOT_SERVING));
    await_silence(0);
    assert_ok(weir_health_set(health[0], "test.Test", WEIR_HEALTH_SERVING));
    backends_await(&bs, 2);
    backends_close(&bs);
}

TEST(health_balance, when_none_serves_calls_fail_with_the_reason)
{
    weir_status status;
    open_with(1, 0);
    backends_await(&bs, 1);
    assert_ok(weir_health_set(health[0], "test.Test", WEIR_HEALTH_NOT_SERVING));
    while (backends_ask(&bs, NULL, &status) >= 0)
        sched_yield();
    assert_int_equal(status.code, WEIR_STATUS_UNAVAILABLE);
    assert_non_null(strstr(weir_status_text(&status), "not healthy"));
    backends_close(&bs);
}

TEST(health_balance, a_server_without_the_service_counts_as_well)
{
    open_with(2, 1);
    backends_await(&bs, 2);
    backends_close(&bs);
}
