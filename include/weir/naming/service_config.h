/**
 * @file
 * Service config: how a client treats a service, as JSON (grpc/doc/service_config.md,
 * grpc/service_config/service_config.proto): balancing, and per method timeouts, retries and
 * hedging (gRFC A6), wait-for-ready and size limits.
 */
#ifndef WEIR_NAMING_SERVICE_CONFIG_H
#define WEIR_NAMING_SERVICE_CONFIG_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

/** Attempts beyond this are cut down to it, as in other gRPCs (gRFC A6). */
#define WEIR_ATTEMPTS_MAX 5

/** "retryPolicy". Times in microseconds. */
typedef struct weir_retry_policy {
    unsigned max_attempts; /**< the first included, 2 to WEIR_ATTEMPTS_MAX; 0: no retries */
    int64_t initial_backoff_us;
    int64_t max_backoff_us;
    double backoff_multiplier;
    uint32_t codes; /**< bit N: status code N is retried */
} weir_retry_policy;

/** "hedgingPolicy". */
typedef struct weir_hedging_policy {
    unsigned max_attempts; /**< as above; 0: no hedging */
    int64_t delay_us;      /**< between attempts; 0: all at once */
    uint32_t codes;        /**< bit N: status code N of one attempt does not end the call */
} weir_hedging_policy;

/** One entry of "methodConfig". */
typedef struct weir_method_config {
    int64_t timeout_us; /**< a call's timeout is at most this; 0: not said */
    bool wait_for_ready_set, wait_for_ready;
    size_t max_request_bytes, max_response_bytes; /**< 0: not said */
    weir_retry_policy retry;
    weir_hedging_policy hedging;
} weir_method_config;

/** "retryThrottling": a budget for the channel (gRFC A6). */
typedef struct weir_retry_throttling {
    double max_tokens;  /**< 0: none; at most 1000 */
    double token_ratio; /**< what a success gives back; a failure costs 1 */
} weir_retry_throttling;

/** "outlier_detection_experimental" (gRFC A50). Times in microseconds. */
typedef struct weir_outlier_config {
    bool enabled;
    int64_t interval_us;           /**< 10 s */
    int64_t base_ejection_us;      /**< 30 s */
    int64_t max_ejection_us;       /**< 300 s */
    unsigned max_ejection_percent; /**< 10 */
    bool by_success_rate, by_failure_percentage;
    struct {
        unsigned stdev_factor, enforcement_percentage, minimum_hosts, request_volume;
    } success_rate; /**< 1900, 100, 5, 100 */
    struct {
        unsigned threshold, enforcement_percentage, minimum_hosts, request_volume;
    } failure_percentage; /**< 85, 100, 5, 50 */
} weir_outlier_config;

/** Cuts a backend off that fails again and again: weir's own "weir_circuit_breaker" policy. */
typedef struct weir_breaker_config {
    unsigned max_outstanding;      /**< calls at once on one backend; 0: no limit */
    unsigned consecutive_failures; /**< that open it; 0: never */
    int64_t open_us;               /**< the first time; doubled each time, at most 30 s; 1 s */
} weir_breaker_config;

typedef enum weir_balance_policy {
    WEIR_BALANCE_PICK_FIRST,
    WEIR_BALANCE_ROUND_ROBIN,
    WEIR_BALANCE_WEIGHTED_ROUND_ROBIN,
    WEIR_BALANCE_LEAST_OUTSTANDING,
    WEIR_BALANCE_P2C,            /**< power of two choices with latency: peak EWMA */
    WEIR_BALANCE_CONSISTENT_HASH /**< a ring */
} weir_balance_policy;

/**
 * "loadBalancingConfig": the first policy of the list that is known, and what is around it.
 *
 * pick_first {shuffleAddressList}, round_robin, weighted_round_robin (by the endpoints' weights),
 * least_request_experimental {choiceCount}, weir_least_outstanding, weir_p2c {decayTime},
 * ring_hash_experimental {minRingSize, maxRingSize, requestHashHeader} and its other name
 * weir_consistent_hash {..., header}. Around them, with a childPolicy each:
 * outlier_detection_experimental, random_subsetting_experimental {subsetSize},
 * weir_zone_first {zone}, weir_circuit_breaker {maxOutstanding, consecutiveFailures, openTime}.
 */
typedef struct weir_balance_config {
    weir_balance_policy policy;
    bool shuffle;                /**< pick_first: in another order in each client */
    unsigned choices;            /**< least outstanding: looked at per call; 0: all */
    int64_t decay_us;            /**< p2c: how soon old latencies are forgotten; 0: 10 s */
    unsigned ring_min, ring_max; /**< ring: places; 0: 1024 and 4096 */
    const char *hash_header;     /**< metadata key whose value chooses the place; NULL: random */
    const char *zone;            /**< zone first: where this client stands; NULL: off */
    unsigned subset;             /**< at most so many backends; 0: 1000 */
    weir_outlier_config outlier;
    weir_breaker_config breaker;
} weir_balance_config;

/** Immutable, counted. */
typedef struct weir_service_config weir_service_config;

/**
 * Reads JSON. Members that are not known are left alone; a known one with a value that is not
 * allowed refuses the whole, as gRFC A21 has it.
 * @param out  yours: weir_service_config_unref()
 * @param why  names the member; may be NULL
 * @thread any
 * @errors WEIR_EMALFORMED; WEIR_EMSGSIZE: more than 1 MiB; WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_service_config_read(weir_service_config **out, weir_str json,
                                                           weir_why *why);
/** @return the config @thread any */
WEIR_API weir_service_config *weir_service_config_ref(weir_service_config *config);
/** NULL is fine. @thread any */
WEIR_API void weir_service_config_unref(weir_service_config *config);

/** Whether the JSON names a policy; if not, the one from weir_service_config_balance() is
 * pick_first. @thread any */
WEIR_API bool weir_service_config_has_balance(const weir_service_config *config);
/** Lives as long as the config. @thread any */
WEIR_API const weir_balance_config *weir_service_config_balance(const weir_service_config *config);
/** @thread any */
WEIR_API weir_retry_throttling weir_service_config_throttling(const weir_service_config *config);
/** "healthCheckConfig.serviceName": whose health decides over a backend; NULL: none. @thread any */
WEIR_API const char *weir_service_config_health(const weir_service_config *config);
/**
 * The entry for a method: its own, else that of its service, else the default one.
 * @param path  "/package.Service/Method"
 * @return NULL: none. Lives as long as the config @thread any
 */
WEIR_API const weir_method_config *weir_service_config_method(const weir_service_config *config,
                                                              const char *path);

WEIR_END_DECLS

#endif
