#include "histogram.h"

enum {
    STEP_BITS = 5
};

/** Up to 2 * HISTOGRAM_STEPS each value has its own bucket; then the top bits say which. */
static unsigned bucket_of(uint64_t us)
{
    unsigned shift = 0;
    while (us >> shift >= 2 * HISTOGRAM_STEPS)
        shift++;
    uint64_t bucket = shift * HISTOGRAM_STEPS + (us >> shift);
    return bucket < HISTOGRAM_BUCKETS ? (unsigned)bucket : HISTOGRAM_BUCKETS - 1;
}

/** The greatest value of a bucket. */
static int64_t end_of(unsigned bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS)
        return bucket;
    unsigned shift = (bucket >> STEP_BITS) - 1;
    return ((int64_t)(bucket - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(histogram *self, int64_t us)
{
    us = us > 0 ? us : 0;
    self->count++;
    self->buckets[bucket_of((uint64_t)us)]++;
    if (us > self->max_us)
        self->max_us = us;
}

void histogram_merge(histogram *self, const histogram *other)
{
    self->count += other->count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        self->buckets[i] += other->buckets[i];
    if (other->max_us > self->max_us)
        self->max_us = other->max_us;
}

int64_t histogram_percentile_us(const histogram *self, double percent)
{
    uint64_t seen = 0;
    double wanted = (double)self->count * percent / 100;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += self->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return end_of(i) < self->max_us ? end_of(i) : self->max_us;
    }
    return self->max_us;
}
