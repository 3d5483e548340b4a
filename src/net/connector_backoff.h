/**
 * @file
 * Delays between attempts (grpc/doc/connection-backoff.md), the same for the same seed.
 */
#ifndef WEIR_NET_CONNECTOR_BACKOFF_H
#define WEIR_NET_CONNECTOR_BACKOFF_H

#include <stdint.h>

typedef struct weir__backoff {
    int64_t first_us;
    int64_t max_us;
    int64_t next_us; /* the next delay, without jitter */
    double factor;
    uint64_t random;
} weir__backoff;

/** `first_us` and `max_us` are positive. `factor` below 1: 2. */
void weir__backoff_init(weir__backoff *backoff, int64_t first_us, int64_t max_us, double factor,
                        uint64_t seed);

/** The delay before the next attempt, +-20 %; the one after that is `factor` times as long, up to
 * `max_us`.
 */
int64_t weir__backoff_next(weir__backoff *backoff);

/** The next delay is `first_us` again, with a jitter of its own. */
void weir__backoff_reset(weir__backoff *backoff);

#endif
