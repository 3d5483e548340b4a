/**
 * @file
 * Counts of durations in buckets that grow with them: what it says is at most 3.2 % too much.
 */
#ifndef CHAT_ROBOT_HISTOGRAM_H
#define CHAT_ROBOT_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 32,                    /* buckets of each power of two */
    HISTOGRAM_BUCKETS = 36 * HISTOGRAM_STEPS /* up to 2^40 us; longer ones count as that */
};

/** Zeroed is empty. */
typedef struct histogram {
    uint64_t count;
    int64_t max_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
} histogram;

/** Less than 0 counts as 0. */
void histogram_add(histogram *self, int64_t us);
void histogram_merge(histogram *self, const histogram *other);
/** So that `percent` of them took no longer; 100 is the exact maximum. 0 when it is empty. */
int64_t histogram_percentile_us(const histogram *self, double percent);

#endif
