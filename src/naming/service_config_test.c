#include <stdio.h>
#include <stdlib.h>
#include <weir/naming/service_config.h>

#include "test.h"

static weir_service_config *config;
static weir_why why;

static void reads(const char *json)
{
    weir_service_config_unref(config);
    config = NULL;
    why.text[0] = '\0';
    weir_err err = weir_service_config_read(&config, weir_str_from(json), &why);
    if (err)
        print_error("%s: %s\n", json, why.text);
    assert_ok(err);
}

static void drop(void)
{
    weir_service_config_unref(config);
    config = NULL;
}

static const weir_balance_config *balance(const char *json)
{
    reads(json);
    return weir_service_config_balance(config);
}

/* A policy by its name and settings. */
#define LB(policy) "{\"loadBalancingConfig\":[" policy "]}"
/* One entry of methodConfig, for all methods. */
#define METHOD(members) "{\"methodConfig\":[{\"name\":[{}]," members "}]}"

TEST(service_config, an_empty_one_says_nothing)
{
    reads("{}");
    assert_false(weir_service_config_has_balance(config));
    assert_int_equal(weir_service_config_balance(config)->policy, WEIR_BALANCE_PICK_FIRST);
    assert_null(weir_service_config_method(config, "/a.B/C"));
    assert_null(weir_service_config_health(config));
    assert_true(weir_service_config_throttling(config).max_tokens <= 0);
    drop();
}

TEST(service_config, the_first_known_policy_counts)
{
    assert_int_equal(
        balance(LB("{\"xds\":{\"x\":1}},{\"round_robin\":{}},{\"pick_first\":{}}"))->policy,
        WEIR_BALANCE_ROUND_ROBIN);
    assert_true(weir_service_config_has_balance(config));
    drop();
}

TEST(service_config, policies_and_their_settings)
{
    assert_true(balance(LB("{\"pick_first\":{\"shuffleAddressList\":true}}"))->shuffle);
    assert_int_equal(balance(LB("{\"weighted_round_robin\":{}}"))->policy,
                     WEIR_BALANCE_WEIGHTED_ROUND_ROBIN);
    const weir_balance_config *b = balance(LB("{\"least_request_experimental\":{}}"));
    assert_int_equal(b->policy, WEIR_BALANCE_LEAST_OUTSTANDING);
    assert_int_equal(b->choices, 2);
    b = balance(LB("{\"weir_least_outstanding\":{}}"));
    assert_int_equal(b->choices, 0);
    b = balance(LB("{\"weir_p2c\":{\"decayTime\":\"2.5s\"}}"));
    assert_int_equal(b->policy, WEIR_BALANCE_P2C);
    assert_int_equal(b->decay_us, 2500000);
    b = balance(LB("{\"ring_hash_experimental\":{\"minRingSize\":10,\"maxRingSize\":\"20\","
                   "\"requestHashHeader\":\"x-user\"}}"));
    assert_int_equal(b->policy, WEIR_BALANCE_CONSISTENT_HASH);
    assert_int_equal(b->ring_min, 10);
    assert_int_equal(b->ring_max, 20);
    assert_string_equal(b->hash_header, "x-user");
    b = balance("{\"loadBalancingPolicy\":\"ROUND_ROBIN\"}");
    assert_int_equal(b->policy, WEIR_BALANCE_ROUND_ROBIN);
    drop();
}

TEST(service_config, policies_around_others)
{
    const weir_balance_config *b = balance(
        LB("{\"outlier_detection_experimental\":{\"interval\":\"1s\",\"maxEjectionPercent\":50,"
           "\"failurePercentageEjection\":{\"threshold\":40},\"childPolicy\":["
           "{\"weir_zone_first\":{\"zone\":\"a\",\"childPolicy\":["
           "{\"random_subsetting_experimental\":{\"subsetSize\":20,\"childPolicy\":["
           "{\"weir_circuit_breaker\":{\"maxOutstanding\":9,\"consecutiveFailures\":3,"
           "\"childPolicy\":[{\"weir_p2c\":{}}]}}]}}]}}]}}"));
    assert_int_equal(b->policy, WEIR_BALANCE_P2C);
    assert_true(b->outlier.enabled && b->outlier.by_failure_percentage);
    assert_false(b->outlier.by_success_rate);
    assert_int_equal(b->outlier.interval_us, 1000000);
    assert_int_equal(b->outlier.base_ejection_us, 30000000);
    assert_int_equal(b->outlier.max_ejection_percent, 50);
    assert_int_equal(b->outlier.failure_percentage.threshold, 40);
    assert_int_equal(b->outlier.failure_percentage.request_volume, 50);
    assert_string_equal(b->zone, "a");
    assert_int_equal(b->subset, 20);
    assert_int_equal(b->breaker.max_outstanding, 9);
    assert_int_equal(b->breaker.consecutive_failures, 3);
    assert_int_equal(b->breaker.open_us, 1000000);
    drop();
}

TEST(service_config, methods_are_found_by_the_longest_name)
{
    reads(
        "{\"methodConfig\":["
        "{\"name\":[{\"service\":\"a.B\",\"method\":\"C\"},{\"service\":\"a.D\",\"method\":\"\"}],"
        "\"timeout\":\"1s\"},"
        "{\"name\":[{\"service\":\"a.B\"}],\"timeout\":\"2s\"},"
        "{\"name\":[{}],\"timeout\":\"3.000000001s\"}]}");
    assert_int_equal(weir_service_config_method(config, "/a.B/C")->timeout_us, 1000000);
    assert_int_equal(weir_service_config_method(config, "/a.B/Cc")->timeout_us, 2000000);
    assert_int_equal(weir_service_config_method(config, "/a.D/x")->timeout_us, 1000000);
    assert_int_equal(weir_service_config_method(config, "/a.Bb/C")->timeout_us, 3000001);
    assert_int_equal(weir_service_config_method(config, "nonsense")->timeout_us, 3000001);
    drop();
}

TEST(service_config, a_thousand_methods_are_found)
{
    size_t room = 200000, len = 0;
    char *text = malloc(room), path[40];
    len += (size_t)snprintf(text, room, "{\"methodConfig\":[{\"name\":[");
    for (int i = 0; i < 1000; i++)
        len += (size_t)snprintf(text + len, room - len,
                                "%s{\"service\":\"a.S%d\",\"method\":\"M\"}", i ? "," : "", i);
    snprintf(text + len, room - len, "],\"timeout\":\"1s\"}]}");
    reads(text);
    free(text);
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "/a.S%d/M", i);
        assert_non_null(weir_service_config_method(config, path));
        snprintf(path, sizeof path, "/a.S%d/N", i);
        assert_null(weir_service_config_method(config, path));
    }
    drop();
}

TEST(service_config, what_a_method_may_say)
{
    reads(METHOD("\"waitForReady\":false,\"maxRequestMessageBytes\":10,"
                 "\"maxResponseMessageBytes\":\"20\",\"timeout\":\"0.5s\""));
    const weir_method_config *m = weir_service_config_method(config, "/a.B/C");
    assert_true(m->wait_for_ready_set && !m->wait_for_ready);
    assert_int_equal(m->max_request_bytes, 10);
    assert_int_equal(m->max_response_bytes, 20);
    assert_int_equal(m->retry.max_attempts, 0);
    reads(METHOD("\"retryPolicy\":{\"maxAttempts\":99,\"initialBackoff\":\"0.1s\","
                 "\"maxBackoff\":\"1s\",\"backoffMultiplier\":1.5,"
                 "\"retryableStatusCodes\":[\"unavailable\",8]}"));
    m = weir_service_config_method(config, "/a.B/C");
    assert_int_equal(m->retry.max_attempts, WEIR_ATTEMPTS_MAX);
    assert_int_equal(m->retry.initial_backoff_us, 100000);
    assert_int_equal(m->retry.max_backoff_us, 1000000);
    assert_true(m->retry.backoff_multiplier > 1.4 && m->retry.backoff_multiplier < 1.6);
    assert_int_equal(m->retry.codes, 1 << 14 | 1 << 8);
    assert_false(m->wait_for_ready_set);
    reads(METHOD("\"hedgingPolicy\":{\"maxAttempts\":3,\"hedgingDelay\":\"0.25s\"}"));
    m = weir_service_config_method(config, "/a.B/C");
    assert_int_equal(m->hedging.max_attempts, 3);
    assert_int_equal(m->hedging.delay_us, 250000);
    assert_int_equal(m->hedging.codes, 0);
    drop();
}

TEST(service_config, throttling_and_health)
{
    reads("{\"retryThrottling\":{\"maxTokens\":10,\"tokenRatio\":0.125},"
          "\"healthCheckConfig\":{\"serviceName\":\"a.B\"}}");
    assert_true(weir_service_config_throttling(config).max_tokens > 9.9);
    assert_true(weir_service_config_throttling(config).token_ratio < 0.126);
    assert_string_equal(weir_service_config_health(config), "a.B");
    drop();
}

TEST(service_config, what_is_not_allowed_refuses_the_whole_with_a_sentence)
{
#define RETRY(members) METHOD("\"retryPolicy\":{" members "}")
#define GOOD           "\"maxAttempts\":2,\"initialBackoff\":\"1s\",\"maxBackoff\":\"1s\","
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"", "not JSON"},
        {"[]", "not a JSON object"},
        {"{\"a\":1,}", "line 1, column"},
        {"{\"loadBalancingConfig\":{}}", "must be an array"},
        {LB(""), "no policy"},
        {LB("{\"xds\":{}}"), "no policy"},
        {LB("\"round_robin\""), "an object with one member"},
        {LB("{\"round_robin\":{},\"pick_first\":{}}"), "an object with one member"},
        {LB("{\"round_robin\":7}"), "an object with one member"},
        {LB("{\"weir_p2c\":{\"decayTime\":5}}"), "\"decayTime\" must be a duration"},
        {LB("{\"weir_consistent_hash\":{\"minRingSize\":9,\"maxRingSize\":8}}"),
         "not be more than"},
        {LB("{\"weir_zone_first\":{\"zone\":\"a\"}}"), "\"childPolicy\" is missing"},
        {LB("{\"random_subsetting_experimental\":{\"childPolicy\":[{\"pick_first\":{}}]}}"),
         "\"subsetSize\" is missing"},
        {LB("{\"outlier_detection_experimental\":{\"interval\":\"0s\","
            "\"childPolicy\":[{\"round_robin\":{}}]}}"),
         "\"interval\" must be more than 0"},
        {LB("{\"outlier_detection_experimental\":{\"maxEjectionPercent\":101,"
            "\"childPolicy\":[{\"round_robin\":{}}]}}"),
         "from 0 to 100"},
        {"{\"loadBalancingPolicy\":\"grpclb\"}", "must be \"pick_first\""},
        {"{\"methodConfig\":{}}", "\"methodConfig\" must be an array"},
        {"{\"methodConfig\":[7]}", "must be an object"},
        {"{\"methodConfig\":[{\"name\":[{\"method\":\"M\"}]}]}", "has no \"service\""},
        {"{\"methodConfig\":[{\"name\":[{}]},{\"name\":[{}]}]}", "comes twice"},
        {METHOD("\"timeout\":\"1\""), "\"timeout\" must be a duration"},
        {METHOD("\"timeout\":\"-1s\""), "\"timeout\" must be a duration"},
        {METHOD("\"timeout\":\"1.s\""), "\"timeout\" must be a duration"},
        {METHOD("\"timeout\":\"9999999999999s\""), "\"timeout\" must be a duration"},
        {METHOD("\"waitForReady\":\"yes\""), "must be true or false"},
        {METHOD("\"maxRequestMessageBytes\":-1"), "must be a whole number"},
        {RETRY(""), "\"maxAttempts\" is missing"},
        {RETRY("\"maxAttempts\":1"), "from 2"},
        {RETRY("\"maxAttempts\":2"), "\"initialBackoff\" must be there"},
        {RETRY("\"maxAttempts\":2,\"initialBackoff\":\"1s\""), "\"maxBackoff\" must be there"},
        {RETRY(GOOD "\"retryableStatusCodes\":[14]"), "\"backoffMultiplier\" must be there"},
        {RETRY(GOOD "\"backoffMultiplier\":2"), "must not be empty"},
        {RETRY(GOOD "\"backoffMultiplier\":2,\"retryableStatusCodes\":[\"NOPE\"]"), "status codes"},
        {RETRY(GOOD "\"backoffMultiplier\":2,\"retryableStatusCodes\":[17]"), "status codes"},
        {METHOD("\"retryPolicy\":{},\"hedgingPolicy\":{}"), "not both"},
        {METHOD("\"hedgingPolicy\":{\"maxAttempts\":1}"), "from 2"},
        {"{\"retryThrottling\":{\"maxTokens\":1001,\"tokenRatio\":1}}", "from 1 to 1000"},
        {"{\"retryThrottling\":{\"maxTokens\":10}}", "\"tokenRatio\" must be there"},
        {"{\"healthCheckConfig\":{\"serviceName\":7}}", "must be a string"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_service_config *out = NULL;
        weir_err err = weir_service_config_read(&out, weir_str_from(bad[i].json), &why);
        if (err != WEIR_EMALFORMED)
            print_error("%s\n", bad[i].json);
        assert_err(err, WEIR_EMALFORMED);
        assert_null(out);
        if (!strstr(why.text, bad[i].says))
            assert_string_equal(why.text, bad[i].says);
    }
}

TEST(service_config, policies_are_nested_to_a_limit)
{
    char text[4000];
    size_t len = (size_t)snprintf(text, sizeof text, "{\"loadBalancingConfig\":[");
    for (int i = 0; i < 20; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "{\"weir_zone_first\":{\"childPolicy\":[");
    weir_service_config *out;
    len += (size_t)snprintf(text + len, sizeof text - len, "{\"pick_first\":{}}");
    for (int i = 0; i < 20; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "]}}");
    snprintf(text + len, sizeof text - len, "]}");
    assert_err(weir_service_config_read(&out, weir_str_from(text), &why), WEIR_EMALFORMED);
    assert_non_null(strstr(why.text, "nested deeper"));
}
