/* Service configs (grpc/doc/service_config.md), but for the balancing. Methods are found in a table
 * of "package.Service/Method", "package.Service/" and "". */
#include <weir/naming/service_config.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <weir/codec/status.h>

#include "service_config_impl.h"

enum {
    TEXT_MAX = 1 << 20,
    ARENA_MAX = 16 << 20,
    CODES = 17
};

typedef struct entry {
    const char *name;
    const weir_method_config *config;
} entry;

struct weir_service_config {
    atomic_uint refs;
    weir_arena arena;
    bool has_balance;
    weir_balance_config balance;
    weir_retry_throttling throttling;
    const char *health;
    entry *table; /* open addressing; a place without a name is free */
    size_t mask, names;
};

/* Retries and hedging: gRFC A6. */

/** -1: no code. */
static int read_code(const json_t *value)
{
    if (json_is_integer(value)) {
        json_int_t code = json_integer_value(value);
        return code >= 0 && code < CODES ? (int)code : -1;
    }
    for (int i = 0; i < CODES && json_is_string(value); i++)
        if (strcasecmp(json_string_value(value), weir_status_name((weir_status_code)i)) == 0)
            return i;
    return -1;
}

static weir_err read_codes(const json_t *policy, const char *name, uint32_t *out, weir_why *why)
{
    const json_t *list;
    weir_err err = weir__json_member(policy, name, JSON_ARRAY, &list, why);
    for (size_t i = 0; i < json_array_size(list) && !err; i++) {
        int code = read_code(json_array_get(list, i));
        if (code < 0)
            err = weir_why_set(why, WEIR_EMALFORMED,
                               "\"%s\" must be names or numbers of status codes", name);
        else
            *out |= UINT32_C(1) << code;
    }
    return err;
}

static weir_err read_attempts(const json_t *policy, unsigned *out, weir_why *why)
{
    int64_t attempts = 0;
    weir_err err = weir__json_whole(policy, "maxAttempts", 2, INT32_MAX, &attempts, why);
    if (!err && attempts == 0)
        return weir_why_set(why, WEIR_EMALFORMED, "\"maxAttempts\" is missing");
    *out = attempts > WEIR_ATTEMPTS_MAX ? WEIR_ATTEMPTS_MAX : (unsigned)attempts;
    return err;
}

static weir_err must_be_positive(bool is, const char *name, weir_why *why)
{
    return is ? WEIR_OK
              : weir_why_set(why, WEIR_EMALFORMED, "\"%s\" must be there and more than 0", name);
}

static weir_err read_retry(const json_t *policy, weir_retry_policy *out, weir_why *why)
{
    weir_err err = read_attempts(policy, &out->max_attempts, why);
    if (!err)
        err = weir__json_duration(policy, "initialBackoff", &out->initial_backoff_us, why);
    if (!err)
        err = must_be_positive(out->initial_backoff_us > 0, "initialBackoff", why);
    if (!err)
        err = weir__json_duration(policy, "maxBackoff", &out->max_backoff_us, why);
    if (!err)
        err = must_be_positive(out->max_backoff_us > 0, "maxBackoff", why);
    if (!err)
        err = weir__json_number(policy, "backoffMultiplier", &out->backoff_multiplier, why);
    if (!err)
        err = must_be_positive(out->backoff_multiplier > 0, "backoffMultiplier", why);
    if (!err)
        err = read_codes(policy, "retryableStatusCodes", &out->codes, why);
    if (!err && out->codes == 0)
        return weir_why_set(why, WEIR_EMALFORMED, "\"retryableStatusCodes\" must not be empty");
    return err;
}

static weir_err read_hedging(const json_t *policy, weir_hedging_policy *out, weir_why *why)
{
    weir_err err = read_attempts(policy, &out->max_attempts, why);
    if (!err)
        err = weir__json_duration(policy, "hedgingDelay", &out->delay_us, why);
    return err ? err : read_codes(policy, "nonFatalStatusCodes", &out->codes, why);
}

static weir_err read_policies(const json_t *method, weir_method_config *out, weir_why *why)
{
    const json_t *retry, *hedging;
    weir_err err = weir__json_member(method, "retryPolicy", JSON_OBJECT, &retry, why);
    if (!err)
        err = weir__json_member(method, "hedgingPolicy", JSON_OBJECT, &hedging, why);
    if (err)
        return err;
    if (retry && hedging)
        return weir_why_set(why, WEIR_EMALFORMED,
                            "a method has \"retryPolicy\" or \"hedgingPolicy\", not both");
    if (retry)
        return read_retry(retry, &out->retry, why);
    return hedging ? read_hedging(hedging, &out->hedging, why) : WEIR_OK;
}

/* Methods. */

static weir_err read_size(const json_t *method, const char *name, size_t *out, weir_why *why)
{
    int64_t size = 0;
    weir_err err = weir__json_whole(method, name, 0, UINT32_MAX, &size, why);
    *out = (size_t)size;
    return err;
}

static weir_err read_method(const json_t *method, weir_method_config *out, weir_why *why)
{
    weir_err err = weir__json_duration(method, "timeout", &out->timeout_us, why);
    if (!err) {
        out->wait_for_ready_set = json_is_boolean(json_object_get(method, "waitForReady"));
        err = weir__json_bool(method, "waitForReady", &out->wait_for_ready, why);
    }
    if (!err)
        err = read_size(method, "maxRequestMessageBytes", &out->max_request_bytes, why);
    if (!err)
        err = read_size(method, "maxResponseMessageBytes", &out->max_response_bytes, why);
    return err ? err : read_policies(method, out, why);
}

/** FNV-1a. */
static size_t hash_of(const char *name, size_t len)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return (size_t)(hash ^ hash >> 29);
}

/** Its entry, or the free one where it would go. */
static entry *place_of(const weir_service_config *config, const char *name, size_t len)
{
    for (size_t i = hash_of(name, len);; i++) {
        entry *e = &config->table[i & config->mask];
        if (!e->name || (strncmp(e->name, name, len) == 0 && e->name[len] == '\0'))
            return e;
    }
}

const char *weir__config_text(weir_arena *arena, const char *text)
{
    return text ? weir_arena_printf(arena, "%s", text).ptr : NULL;
}

/** {"service": "package.Service", "method": "Method"}; without the method: all of the service;
 * without both: all methods. */
static weir_err add_name(weir_service_config *config, const json_t *name,
                         const weir_method_config *method, weir_why *why)
{
    const char *service = "", *of = "";
    weir_err err = json_is_object(name)
                       ? weir__json_text(name, "service", &service, why)
                       : weir_why_set(why, WEIR_EMALFORMED, "a \"name\" must be an object");
    if (!err)
        err = weir__json_text(name, "method", &of, why);
    if (err)
        return err;
    if (!*service && *of)
        return weir_why_set(why, WEIR_EMALFORMED, "the method \"%.60s\" has no \"service\"", of);
    weir_str key = *service ? weir_arena_printf(&config->arena, "%s/%s", service, of)
                            : weir_arena_printf(&config->arena, "%s", "");
    if (!key.ptr)
        return WEIR_ENOMEM;
    entry *place = place_of(config, key.ptr, key.len);
    if (place->name)
        return weir_why_set(why, WEIR_EMALFORMED, "the name \"%.80s\" comes twice", key.ptr);
    *place = (entry){key.ptr, method};
    config->names++;
    return WEIR_OK;
}

static weir_err add_method(weir_service_config *config, const json_t *method, weir_why *why)
{
    const json_t *names;
    if (!json_is_object(method))
        return weir_why_set(why, WEIR_EMALFORMED, "an entry of \"methodConfig\" must be an object");
    weir_method_config *own = weir_arena_zalloc(&config->arena, sizeof *own);
    if (!own)
        return WEIR_ENOMEM;
    weir_err err = weir__json_member(method, "name", JSON_ARRAY, &names, why);
    if (!err)
        err = read_method(method, own, why);
    for (size_t i = 0; i < json_array_size(names) && !err; i++)
        err = add_name(config, json_array_get(names, i), own, why);
    return err;
}

static size_t count_names(const json_t *methods)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(methods); i++)
        count += json_array_size(json_object_get(json_array_get(methods, i), "name"));
    return count;
}

static weir_err read_methods(weir_service_config *config, const json_t *object, weir_why *why)
{
    const json_t *methods;
    weir_err err = weir__json_member(object, "methodConfig", JSON_ARRAY, &methods, why);
    size_t places = 2, count = count_names(methods);
    while (places < count * 2)
        places *= 2;
    config->table = calloc(places, sizeof *config->table);
    config->mask = places - 1;
    if (!config->table)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < json_array_size(methods) && !err; i++)
        err = add_method(config, json_array_get(methods, i), why);
    return err;
}

/* The whole. */

static weir_err read_throttling(weir_service_config *config, const json_t *object, weir_why *why)
{
    const json_t *throttling;
    int64_t tokens = 0;
    double ratio = 0;
    weir_err err = weir__json_member(object, "retryThrottling", JSON_OBJECT, &throttling, why);
    if (err || !throttling)
        return err;
    err = weir__json_whole(throttling, "maxTokens", 1, 1000, &tokens, why);
    if (!err)
        err = must_be_positive(tokens > 0, "maxTokens", why);
    if (!err)
        err = weir__json_number(throttling, "tokenRatio", &ratio, why);
    if (!err)
        err = must_be_positive(ratio > 0, "tokenRatio", why);
    config->throttling = (weir_retry_throttling){(double)tokens, ratio};
    return err;
}

static weir_err read_health(weir_service_config *config, const json_t *object, weir_why *why)
{
    const json_t *health;
    const char *service = NULL;
    weir_err err = weir__json_member(object, "healthCheckConfig", JSON_OBJECT, &health, why);
    if (err || !health)
        return err;
    err = weir__json_text(health, "serviceName", &service, why);
    if (!err && service && strlen(service) > 127)
        return weir_why_set(why, WEIR_EMALFORMED, "\"serviceName\" is longer than 127 bytes");
    config->health = weir__config_text(&config->arena, service);
    return err ? err : service && !config->health ? WEIR_ENOMEM : WEIR_OK;
}

static weir_err read_all(weir_service_config *config, const json_t *object, weir_why *why)
{
    weir_err err =
        weir__balance_read(object, &config->arena, &config->balance, &config->has_balance, why);
    if (!err)
        err = read_methods(config, object, why);
    if (!err)
        err = read_throttling(config, object, why);
    return err ? err : read_health(config, object, why);
}

weir_err weir_service_config_read(weir_service_config **out, weir_str json, weir_why *why)
{
    json_t *object;
    if (json.len > TEXT_MAX)
        return weir_why_set(why, WEIR_EMSGSIZE, "longer than %d bytes", TEXT_MAX);
    weir_err err = weir__json_object(&object, json, why);
    if (err)
        return err;
    weir_service_config *config = calloc(1, sizeof *config);
    if (config) {
        atomic_init(&config->refs, 1);
        weir_arena_init(&config->arena, NULL, ARENA_MAX);
    }
    err = config ? read_all(config, object, why) : WEIR_ENOMEM;
    json_decref(object);
    if (err)
        weir_service_config_unref(config);
    else
        *out = config;
    return err == WEIR_ENOMEM ? weir_why_set(why, err, "out of memory") : err;
}

weir_service_config *weir_service_config_ref(weir_service_config *config)
{
    atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
    return config;
}

void weir_service_config_unref(weir_service_config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) > 1)
        return;
    weir_arena_fini(&config->arena);
    free(config->table);
    free(config);
}

bool weir_service_config_has_balance(const weir_service_config *config)
{
    return config->has_balance;
}

const weir_balance_config *weir_service_config_balance(const weir_service_config *config)
{
    return &config->balance;
}

weir_retry_throttling weir_service_config_throttling(const weir_service_config *config)
{
    return config->throttling;
}

const char *weir_service_config_health(const weir_service_config *config)
{
    return config->health;
}

const weir_method_config *weir_service_config_method(const weir_service_config *config,
                                                     const char *path)
{
    const char *name = path[0] == '/' ? path + 1 : path, *slash = strrchr(name, '/');
    const weir_method_config *found = NULL;
    if (config->names == 0)
        return NULL;
    found = place_of(config, name, strlen(name))->config;
    if (!found && slash)
        found = place_of(config, name, (size_t)(slash - name) + 1)->config;
    return found ? found : place_of(config, "", 0)->config;
}
