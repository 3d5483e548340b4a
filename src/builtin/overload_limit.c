#include "overload_limit.h"

enum {
    SAMPLES = 20,       /* fewer say nothing */
    PROBE_SAMPLES = 40, /* of latency without load */
    WINDOWS_MOST = 10,  /* a window goes on for so many times its length to have its samples */
    STEEP_WINDOWS = 10, /* so many, and latency without load is measured anew */
    INITIAL = 20
};

#define DRAIN_LOOK_US  WEIR_MILLISECONDS(1)
#define PROBE_LONG_US  WEIR_SECONDS(1) /* a measurement takes what it has by then */
#define GRADIENT_LEAST 0.5             /* how fast the limit goes down, at most */
#define SMOOTHING      0.5             /* of the new limit in the limit */
#define NEWS           0.3             /* of a window in an average */
#define MUCH_FASTER    0.8

static double clamp(double value, double least, double most)
{
    return value < least ? least : value > most ? most : value;
}

/** +-10 %, so that servers do not measure in step. */
static int64_t jittered(int64_t us, weir_time now)
{
    uint64_t hash = (uint64_t)now.us * UINT64_C(0x9e3779b97f4a7c15);
    return us / 10 * 9 + (int64_t)((hash >> 40) % 1000 * (uint64_t)us / 5000);
}

/** The square root of something from 1 to a few millions, without the library of mathematics. */
static double root(double x)
{
    double r = x < 100 ? 5 : 500;
    for (int i = 0; i < 12; i++)
        r = (r + x / r) / 2;
    return r;
}

static void plan_probe(weir__overload_limit *l, weir_time now)
{
    l->next_probe = weir_time_add(now, jittered(l->opts.probe_us, now));
    l->steep = 0;
}

void weir__overload_limit_init(weir__overload_limit *limit, const weir__overload_limit_opts *opts,
                               weir_time now)
{
    *limit = (weir__overload_limit){
        .opts = *opts,
        .phase = opts->adaptive ? WEIR__OVERLOAD_DRAINS : WEIR__OVERLOAD_LEARNS,
        .limit = opts->adaptive ? clamp(INITIAL, opts->min, opts->max) : opts->max};
    plan_probe(limit, now);
}

uint32_t weir__overload_limit_now(const weir__overload_limit *limit)
{
    double now = limit->phase == WEIR__OVERLOAD_LEARNS ? limit->limit : limit->opts.min;
    return (uint32_t)now;
}

static double mixed(double average, double news)
{
    return average > 0 ? average + NEWS * (news - average) : news;
}

/* A function per phase; each as weir__overload_limit_window(). */

static bool drain(weir__overload_limit *l, const weir__overload_window *w, weir_time now,
                  int64_t *wait_us)
{
    (void)now;
    *wait_us = DRAIN_LOOK_US;
    if (w->in_flight > l->opts.min)
        return false;
    l->phase = WEIR__OVERLOAD_MEASURES;
    return true;
}

static bool measure(weir__overload_limit *l, const weir__overload_window *w, weir_time now,
                    int64_t *wait_us)
{
    bool is_long = weir_time_diff(now, w->begin) >= PROBE_LONG_US;
    *wait_us = DRAIN_LOOK_US;
    if (w->count < PROBE_SAMPLES && !(is_long && w->count >= l->opts.min))
        return false;
    l->no_load_us = w->mean_us;
    l->service_us = mixed(l->service_us, w->mean_us);
    l->phase = WEIR__OVERLOAD_LEARNS;
    plan_probe(l, now);
    *wait_us = l->opts.window_us;
    return true;
}

static void move(weir__overload_limit *l, double mean_us)
{
    double gradient = clamp(l->opts.tolerance * l->no_load_us / mean_us, GRADIENT_LEAST, 1);
    double target = l->limit * gradient + root(l->limit);
    l->limit = clamp(l->limit + SMOOTHING * (target - l->limit), l->opts.min, l->opts.max);
    l->steep = gradient > GRADIENT_LEAST ? 0 : l->steep + 1;
}

static void adapt(weir__overload_limit *l, const weir__overload_window *w, weir_time now)
{
    if (w->peak <= l->opts.min) { /* as good as a measurement, and for nothing */
        l->no_load_us = mixed(l->no_load_us, w->mean_us);
        plan_probe(l, now);
        return;
    }
    if (w->mean_us < MUCH_FASTER * l->no_load_us)
        l->no_load_us = mixed(l->no_load_us, w->mean_us);
    if (2 * w->peak >= l->limit) /* what is not used says nothing about itself */
        move(l, w->mean_us);
    if (!weir_time_before(now, l->next_probe) || l->steep >= STEEP_WINDOWS)
        l->phase = WEIR__OVERLOAD_DRAINS;
}

static bool learn(weir__overload_limit *l, const weir__overload_window *w, weir_time now,
                  int64_t *wait_us)
{
    *wait_us = l->opts.window_us;
    bool is_last = weir_time_diff(now, w->begin) >= WINDOWS_MOST * l->opts.window_us;
    if (w->count < SAMPLES && !is_last)
        return false;
    if (w->count < SAMPLES && (w->count < l->opts.min || w->count < w->peak))
        return true; /* they are seldom; not slow, which these few would tell */
    l->service_us = mixed(l->service_us, w->mean_us);
    if (l->opts.adaptive)
        adapt(l, w, now);
    return true;
}

bool weir__overload_limit_window(weir__overload_limit *limit, const weir__overload_window *window,
                                 weir_time now, int64_t *wait_us)
{
    static bool (*const phases[])(weir__overload_limit *, const weir__overload_window *, weir_time,
                                  int64_t *) = {[WEIR__OVERLOAD_DRAINS] = drain,
                                                [WEIR__OVERLOAD_MEASURES] = measure,
                                                [WEIR__OVERLOAD_LEARNS] = learn};
    return phases[limit->phase](limit, window, now, wait_us);
}
