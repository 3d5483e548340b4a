/**
 * @file
 * Latencies in buckets that grow with the value: exact below 64 ns, within 1/32 above.
 */
#ifndef WEIR_BENCH_NET_HISTOGRAM_H
#define WEIR_BENCH_NET_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEPS = 32, /* in which the values between two powers of two are told apart */
    HISTOGRAM_BUCKETS = 64 * HISTOGRAM_STEPS
};

typedef struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_BUCKETS];
} histogram;

void histogram_add(histogram *h, int64_t value_ns);

/** @param part  0.99 for the value that 99 % do not exceed. @return in ns; 0: there are none */
int64_t histogram_quantile(const histogram *h, double part);

#endif
