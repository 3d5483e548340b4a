/* "loadBalancingConfig": a list of policies, the first known of which counts; some have a child. */
#include <strings.h>

#include "service_config_impl.h"

enum {
    DEPTH_MAX = 16,
    SUBSET_MAX = 100000,
    RING_MAX = 8 << 20 /* gRFC A42 */
};

typedef struct reader {
    weir_balance_config *out;
    weir_arena *arena;
    weir_why *why;
    unsigned depth;
} reader;

static weir_err read_list(reader *r, const json_t *list);

/** The child of a policy that is around another. */
static weir_err read_child(reader *r, const json_t *body)
{
    const json_t *list;
    weir_err err = weir__json_member(body, "childPolicy", JSON_ARRAY, &list, r->why);
    if (err)
        return err;
    if (!list)
        return weir_why_set(r->why, WEIR_EMALFORMED, "\"childPolicy\" is missing");
    return read_list(r, list);
}

static weir_err whole(reader *r, const json_t *body, const char *name, unsigned min, unsigned max,
                      unsigned *out)
{
    int64_t value = *out;
    weir_err err = weir__json_whole(body, name, min, max, &value, r->why);
    *out = (unsigned)value;
    return err;
}

static weir_err text(reader *r, const json_t *body, const char *name, const char **out)
{
    const char *found = NULL;
    weir_err err = weir__json_text(body, name, &found, r->why);
    if (err || !found)
        return err;
    *out = weir__config_text(r->arena, found);
    return *out ? WEIR_OK : WEIR_ENOMEM;
}

/* Policies that choose. */

static weir_err pick_first(reader *r, const json_t *body)
{
    r->out->policy = WEIR_BALANCE_PICK_FIRST;
    return weir__json_bool(body, "shuffleAddressList", &r->out->shuffle, r->why);
}

static weir_err round_robin(reader *r, const json_t *body WEIR_UNUSED)
{
    r->out->policy = WEIR_BALANCE_ROUND_ROBIN;
    return WEIR_OK;
}

static weir_err weighted(reader *r, const json_t *body WEIR_UNUSED)
{
    r->out->policy = WEIR_BALANCE_WEIGHTED_ROUND_ROBIN;
    return WEIR_OK;
}

/** gRFC A48: two choices unless it says another number. */
static weir_err least_request(reader *r, const json_t *body)
{
    r->out->policy = WEIR_BALANCE_LEAST_OUTSTANDING;
    r->out->choices = 2;
    return whole(r, body, "choiceCount", 2, 1000, &r->out->choices);
}

static weir_err least_outstanding(reader *r, const json_t *body)
{
    r->out->policy = WEIR_BALANCE_LEAST_OUTSTANDING;
    return whole(r, body, "choiceCount", 2, 1000, &r->out->choices);
}

static weir_err p2c(reader *r, const json_t *body)
{
    r->out->policy = WEIR_BALANCE_P2C;
    return weir__json_duration(body, "decayTime", &r->out->decay_us, r->why);
}

static weir_err ring(reader *r, const json_t *body)
{
    r->out->policy = WEIR_BALANCE_CONSISTENT_HASH;
    weir_err err = whole(r, body, "minRingSize", 1, RING_MAX, &r->out->ring_min);
    if (!err)
        err = whole(r, body, "maxRingSize", 1, RING_MAX, &r->out->ring_max);
    if (!err)
        err = text(r, body, "requestHashHeader", &r->out->hash_header);
    if (!err)
        err = text(r, body, "header", &r->out->hash_header);
    if (!err && r->out->ring_max && r->out->ring_min > r->out->ring_max)
        return weir_why_set(r->why, WEIR_EMALFORMED,
                            "\"minRingSize\" must not be more than \"maxRingSize\"");
    return err;
}

/* Policies around others. */

static weir_err by_success_rate(reader *r, const json_t *body)
{
    weir_outlier_config *o = &r->out->outlier;
    o->by_success_rate = true;
    weir_err err = whole(r, body, "stdevFactor", 0, 1000000, &o->success_rate.stdev_factor);
    if (!err)
        err = whole(r, body, "enforcementPercentage", 0, 100,
                    &o->success_rate.enforcement_percentage);
    if (!err)
        err = whole(r, body, "minimumHosts", 0, 1000000, &o->success_rate.minimum_hosts);
    return err ? err : whole(r, body, "requestVolume", 0, 1000000, &o->success_rate.request_volume);
}

static weir_err by_failures(reader *r, const json_t *body)
{
    weir_outlier_config *o = &r->out->outlier;
    o->by_failure_percentage = true;
    weir_err err = whole(r, body, "threshold", 0, 100, &o->failure_percentage.threshold);
    if (!err)
        err = whole(r, body, "enforcementPercentage", 0, 100,
                    &o->failure_percentage.enforcement_percentage);
    if (!err)
        err = whole(r, body, "minimumHosts", 0, 1000000, &o->failure_percentage.minimum_hosts);
    return err ? err
               : whole(r, body, "requestVolume", 0, 1000000, &o->failure_percentage.request_volume);
}

static weir_err outlier_times(reader *r, const json_t *body)
{
    weir_outlier_config *o = &r->out->outlier;
    weir_err err = weir__json_duration(body, "interval", &o->interval_us, r->why);
    if (!err && o->interval_us <= 0)
        return weir_why_set(r->why, WEIR_EMALFORMED, "\"interval\" must be more than 0");
    if (!err)
        err = weir__json_duration(body, "baseEjectionTime", &o->base_ejection_us, r->why);
    if (!err)
        err = weir__json_duration(body, "maxEjectionTime", &o->max_ejection_us, r->why);
    return err ? err : whole(r, body, "maxEjectionPercent", 0, 100, &o->max_ejection_percent);
}

static weir_err outlier(reader *r, const json_t *body)
{
    const json_t *rate, *failures;
    r->out->outlier = (weir_outlier_config){
        .enabled = true,
        .interval_us = 10000000,
        .base_ejection_us = 30000000,
        .max_ejection_us = 300000000,
        .max_ejection_percent = 10,
        .success_rate = {1900, 100, 5, 100},
        .failure_percentage = {85, 100, 5, 50},
    };
    weir_err err = outlier_times(r, body);
    if (!err)
        err = weir__json_member(body, "successRateEjection", JSON_OBJECT, &rate, r->why);
    if (!err && rate)
        err = by_success_rate(r, rate);
    if (!err)
        err = weir__json_member(body, "failurePercentageEjection", JSON_OBJECT, &failures, r->why);
    if (!err && failures)
        err = by_failures(r, failures);
    return err ? err : read_child(r, body);
}

static weir_err subset(reader *r, const json_t *body)
{
    unsigned size = 0;
    weir_err err = whole(r, body, "subsetSize", 1, SUBSET_MAX, &size);
    if (!err && size == 0)
        err = whole(r, body, "subset_size", 1, SUBSET_MAX, &size); /* as the proposal writes it */
    if (!err && size == 0)
        return weir_why_set(r->why, WEIR_EMALFORMED, "\"subsetSize\" is missing");
    r->out->subset = size;
    return err ? err : read_child(r, body);
}

static weir_err zone_first(reader *r, const json_t *body)
{
    weir_err err = text(r, body, "zone", &r->out->zone);
    return err ? err : read_child(r, body);
}

static weir_err breaker(reader *r, const json_t *body)
{
    weir_breaker_config *b = &r->out->breaker;
    b->open_us = 1000000;
    weir_err err = whole(r, body, "maxOutstanding", 1, 1000000, &b->max_outstanding);
    if (!err)
        err = whole(r, body, "consecutiveFailures", 1, 1000000, &b->consecutive_failures);
    if (!err)
        err = weir__json_duration(body, "openTime", &b->open_us, r->why);
    return err ? err : read_child(r, body);
}

static const struct policy {
    const char *name;
    weir_err (*read)(reader *r, const json_t *body);
} policies[] = {
    {"pick_first", pick_first},
    {"round_robin", round_robin},
    {"weighted_round_robin", weighted},
    {"least_request_experimental", least_request},
    {"weir_least_outstanding", least_outstanding},
    {"weir_p2c", p2c},
    {"ring_hash_experimental", ring},
    {"weir_consistent_hash", ring},
    {"outlier_detection_experimental", outlier},
    {"random_subsetting_experimental", subset},
    {"weir_zone_first", zone_first},
    {"weir_circuit_breaker", breaker},
};

static const struct policy *find(const char *name)
{
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (strcmp(policies[i].name, name) == 0)
            return &policies[i];
    return NULL;
}

/** One entry: an object with one member, the policy's name. */
static weir_err read_entry(reader *r, json_t *entry, bool *known)
{
    void *iter = json_is_object(entry) ? json_object_iter(entry) : NULL;
    if (!iter || json_object_size(entry) != 1 || !json_is_object(json_object_iter_value(iter)))
        return weir_why_set(r->why, WEIR_EMALFORMED,
                            "an entry of \"loadBalancingConfig\" must be an object with one "
                            "member, {\"policy\": {...}}");
    const struct policy *policy = find(json_object_iter_key(iter));
    *known = policy != NULL;
    return policy ? policy->read(r, json_object_iter_value(iter)) : WEIR_OK;
}

static weir_err read_list(reader *r, const json_t *list)
{
    bool known = false;
    weir_err err = WEIR_OK;
    if (++r->depth > DEPTH_MAX)
        return weir_why_set(r->why, WEIR_EMALFORMED, "policies are nested deeper than %d",
                            DEPTH_MAX);
    for (size_t i = 0; i < json_array_size(list) && !known && !err; i++)
        err = read_entry(r, json_array_get(list, i), &known);
    if (!err && !known)
        return weir_why_set(r->why, WEIR_EMALFORMED,
                            "no policy of \"loadBalancingConfig\" or \"childPolicy\" is known");
    return err;
}

/** "loadBalancingPolicy": "ROUND_ROBIN", which gRPC has replaced. */
static weir_err read_old(reader *r, const json_t *config, bool *named)
{
    const char *name = NULL;
    weir_err err = weir__json_text(config, "loadBalancingPolicy", &name, r->why);
    if (err || !name)
        return err;
    *named = true;
    if (strcasecmp(name, "round_robin") == 0)
        r->out->policy = WEIR_BALANCE_ROUND_ROBIN;
    else if (strcasecmp(name, "pick_first") != 0)
        return weir_why_set(r->why, WEIR_EMALFORMED,
                            "\"loadBalancingPolicy\" must be \"pick_first\" or \"round_robin\"");
    return WEIR_OK;
}

weir_err weir__balance_read(const json_t *config, weir_arena *arena, weir_balance_config *out,
                            bool *named, weir_why *why)
{
    reader r = {.out = out, .arena = arena, .why = why};
    const json_t *list;
    weir_err err = weir__json_member(config, "loadBalancingConfig", JSON_ARRAY, &list, why);
    *named = list != NULL;
    if (err)
        return err;
    return list ? read_list(&r, list) : read_old(&r, config, named);
}
