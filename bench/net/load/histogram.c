#include "histogram.h"

static unsigned bucket_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_STEPS)
        return (unsigned)value;
    unsigned shift = 0;
    for (; value >= 2 * HISTOGRAM_STEPS; value >>= 1)
        shift++;
    return shift * HISTOGRAM_STEPS + (unsigned)value;
}

/** The largest value of a bucket. */
static int64_t value_of(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = bucket / HISTOGRAM_STEPS - 1;
    int64_t first = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    return ((first + 1) << shift) - 1;
}

void histogram_add(histogram *h, int64_t value_ns)
{
    h->counts[bucket_of(value_ns > 0 ? (uint64_t)value_ns : 0)]++;
    h->total++;
}

int64_t histogram_quantile(const histogram *h, double part)
{
    uint64_t below = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += h->counts[i];
        if (below > 0 && (double)below >= part * (double)h->total)
            return value_of(i);
    }
    return 0;
}
