#include <weir/balance/outlier.h>

#define OPEN_US     WEIR_SECONDS(1)
#define OPEN_MAX_US WEIR_SECONDS(30)

enum {
    DOUBLINGS_MAX = 32
};

static int64_t open_us(const weir_breaker *breaker, const weir_breaker_config *config)
{
    int64_t us = config->open_us > 0 ? config->open_us : OPEN_US;
    for (unsigned i = 1; i < breaker->openings && us < OPEN_MAX_US; i++)
        us *= 2;
    return us < OPEN_MAX_US ? us : OPEN_MAX_US;
}

bool weir_breaker_allows(const weir_breaker *breaker, weir_time now)
{
    return !breaker->open || (!breaker->trying && !weir_time_before(now, breaker->until));
}

bool weir_breaker_try(weir_breaker *breaker, weir_time now)
{
    if (!weir_breaker_allows(breaker, now))
        return false;
    breaker->trying = breaker->open;
    return true;
}

void weir_breaker_give_back(weir_breaker *breaker)
{
    breaker->trying = false;
}

static void open_again(weir_breaker *breaker, const weir_breaker_config *config, weir_time now)
{
    breaker->open = true;
    breaker->trying = false;
    breaker->failures = 0;
    if (breaker->openings < DOUBLINGS_MAX)
        breaker->openings++;
    breaker->until = weir_time_add(now, open_us(breaker, config));
}

bool weir_breaker_done(weir_breaker *breaker, const weir_breaker_config *config, bool failed,
                       weir_time now)
{
    if (breaker->open && !breaker->trying)
        return false; /* it began before */
    if (breaker->open && !failed) {
        *breaker = (weir_breaker){0};
        return true;
    }
    breaker->failures = failed ? breaker->failures + 1 : 0;
    if (!breaker->open &&
        (config->consecutive_failures == 0 || breaker->failures < config->consecutive_failures))
        return false;
    open_again(breaker, config, now);
    return true;
}
