/* gRFC A50, "Outlier Detection Behavior". */
#include <weir/balance/outlier.h>

#include "balance_impl.h"

struct sweep {
    weir_outlier *const *all;
    size_t count, ejected;
    const weir_outlier_config *config;
    weir_time now;
    uint64_t *random;
    bool changed;
};

void weir_outlier_count(weir_outlier *outlier, bool failed)
{
    if (failed)
        outlier->bad++;
    else
        outlier->good++;
}

static uint64_t volume_of(const weir_outlier *o)
{
    return o->good + o->bad;
}

static double success_of(const weir_outlier *o)
{
    return (double)o->good / (double)volume_of(o);
}

/** One may always be ejected, more only within the percentage. */
static bool may_eject(const struct sweep *s)
{
    return s->ejected == 0 || (s->ejected + 1) * 100 <= s->count * s->config->max_ejection_percent;
}

static void eject(struct sweep *s, weir_outlier *o, unsigned enforcement_percentage)
{
    if (o->ejected || weir_random_below(s->random, 100) >= enforcement_percentage)
        return;
    o->ejected = true;
    o->ejected_at = s->now;
    o->ejections++;
    s->ejected++;
    s->changed = true;
}

/* "Success Rate Algorithm". */

/** Mean and variance over those with enough calls. @return how many they are */
static size_t statistics(const struct sweep *s, uint64_t volume, double *mean, double *variance)
{
    size_t hosts = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < s->count; i++)
        if (volume_of(s->all[i]) >= volume && volume_of(s->all[i]) > 0) {
            hosts++;
            sum += success_of(s->all[i]);
        }
    *mean = hosts ? sum / (double)hosts : 0;
    for (size_t i = 0; i < s->count; i++)
        if (volume_of(s->all[i]) >= volume && volume_of(s->all[i]) > 0) {
            double off = success_of(s->all[i]) - *mean;
            squares += off * off;
        }
    *variance = hosts ? squares / (double)hosts : 0;
    return hosts;
}

static void by_success_rate(struct sweep *s)
{
    const uint64_t volume = s->config->success_rate.request_volume;
    const double factor = s->config->success_rate.stdev_factor / 1000.0;
    double mean, variance;
    if (statistics(s, volume, &mean, &variance) < s->config->success_rate.minimum_hosts)
        return;
    for (size_t i = 0; i < s->count && may_eject(s); i++) {
        weir_outlier *o = s->all[i];
        if (volume_of(o) < volume || volume_of(o) == 0)
            continue;
        double below = mean - success_of(o);
        /* below > stdev * factor, without the root */
        if (below > 0 && below * below > variance * factor * factor)
            eject(s, o, s->config->success_rate.enforcement_percentage);
    }
}

/* "Failure Percentage Algorithm". */

static void by_failure_percentage(struct sweep *s)
{
    if (s->count < s->config->failure_percentage.minimum_hosts)
        return;
    for (size_t i = 0; i < s->count && may_eject(s); i++) {
        weir_outlier *o = s->all[i];
        if (volume_of(o) < s->config->failure_percentage.request_volume || volume_of(o) == 0)
            continue;
        if (100.0 * (double)o->bad / (double)volume_of(o) > s->config->failure_percentage.threshold)
            eject(s, o, s->config->failure_percentage.enforcement_percentage);
    }
}

/* "Ejection and Un-ejection". */

/** base_ejection_time * multiplier, at most the larger of base and maximum. */
static int64_t ejection_us(const weir_outlier_config *config, unsigned multiplier)
{
    int64_t base = config->base_ejection_us;
    int64_t most = base > config->max_ejection_us ? base : config->max_ejection_us;
    return multiplier == 0 || base > most / multiplier ? most : base * multiplier;
}

static void bring_back(struct sweep *s, weir_outlier *o)
{
    o->ejected = false;
    s->changed = true;
}

static void end_interval(struct sweep *s, weir_outlier *o)
{
    o->good = o->bad = 0;
    if (!o->ejected && o->ejections > 0)
        o->ejections--;
    else if (o->ejected &&
             weir_time_before(weir_time_add(o->ejected_at, ejection_us(s->config, o->ejections)),
                              s->now))
        bring_back(s, o);
}

static void end_all(struct sweep *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->all[i]->ejected)
            bring_back(s, s->all[i]);
        *s->all[i] = (weir_outlier){0};
    }
}

bool weir_outlier_sweep(weir_outlier *const *all, size_t count, const weir_outlier_config *config,
                        weir_time now, uint64_t *random)
{
    struct sweep s = {.all = all, .count = count, .config = config, .now = now, .random = random};
    if (!config->enabled || !(config->by_success_rate || config->by_failure_percentage)) {
        end_all(&s);
        return s.changed;
    }
    for (size_t i = 0; i < count; i++)
        s.ejected += all[i]->ejected;
    if (config->by_success_rate)
        by_success_rate(&s);
    if (config->by_failure_percentage)
        by_failure_percentage(&s);
    for (size_t i = 0; i < count; i++)
        end_interval(&s, all[i]);
    return s.changed;
}
