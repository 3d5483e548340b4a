#include "connector_backoff.h"

#include <weir/base/random.h>

enum {
    JITTER_PERCENT = 20,
    DEFAULT_FACTOR = 2
};

void weir__backoff_init(weir__backoff *backoff, int64_t first_us, int64_t max_us, double factor,
                        uint64_t seed)
{
    *backoff = (weir__backoff){.first_us = first_us < max_us ? first_us : max_us, .max_us = max_us};
    backoff->factor = factor >= 1 ? factor : DEFAULT_FACTOR;
    backoff->random = seed;
    weir__backoff_reset(backoff);
}

int64_t weir__backoff_next(weir__backoff *backoff)
{
    int64_t delay_us = backoff->next_us;
    int64_t spread_us = delay_us / 100 * JITTER_PERCENT;
    double longer_us = (double)delay_us * backoff->factor;
    backoff->next_us = longer_us < (double)backoff->max_us ? (int64_t)longer_us : backoff->max_us;
    uint64_t jitter = weir_random_next(&backoff->random) % (2 * (uint64_t)spread_us + 1);
    return delay_us - spread_us + (int64_t)jitter;
}

void weir__backoff_reset(weir__backoff *backoff)
{
    backoff->next_us = backoff->first_us;
}
