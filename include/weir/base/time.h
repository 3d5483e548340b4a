/**
 * @file
 * Two clocks that cannot be mixed up, both in microseconds: `weir_time` is a point on the monotonic
 * clock (deadlines, timers), `weir_wall` a point of civil time (logs, messages). A length of time
 * is a plain `int64_t ..._us`.
 */
#ifndef WEIR_BASE_TIME_H
#define WEIR_BASE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/attr.h>

WEIR_BEGIN_DECLS

#define WEIR_MICROSECONDS(n) ((int64_t)(n))
#define WEIR_MILLISECONDS(n) ((int64_t)(n)*1000)
#define WEIR_SECONDS(n)      ((int64_t)(n)*1000000)

/** Microseconds on CLOCK_MONOTONIC. */
typedef struct weir_time {
    int64_t us;
} weir_time;

/** Microseconds since 1970-01-01 00:00 UTC. */
typedef struct weir_wall {
    int64_t us;
} weir_wall;

/** Later than every other time: no deadline. */
#define WEIR_TIME_NEVER_US INT64_MAX

/** The monotonic clock. @thread any */
WEIR_API weir_time weir_time_now(void);

/** Civil time. @thread any */
WEIR_API weir_wall weir_wall_now(void);

/** Bytes that weir_wall_text() needs, the NUL included. */
#define WEIR_WALL_TEXT_MAX 32

/**
 * Writes "2026-01-31T12:34:56.123456Z" (RFC 3339, UTC). The part down to seconds is cached per
 * thread, so that a log line costs no calendar arithmetic.
 * @param out  at least WEIR_WALL_TEXT_MAX bytes
 * @return length without the NUL
 * @thread any
 */
WEIR_API size_t weir_wall_text(weir_wall t, char *out);

static inline weir_time weir_time_never(void)
{
    weir_time t = {WEIR_TIME_NEVER_US};
    return t;
}

/** `t` plus `us`, which may be negative; saturates at never, and never stays never. */
static inline weir_time weir_time_add(weir_time t, int64_t us)
{
    if (t.us != WEIR_TIME_NEVER_US)
        t.us = us > 0 && t.us > WEIR_TIME_NEVER_US - us ? WEIR_TIME_NEVER_US : t.us + us;
    return t;
}

/** a - b in microseconds: positive when `a` is later. */
static inline int64_t weir_time_diff(weir_time a, weir_time b)
{
    return a.us - b.us;
}

static inline bool weir_time_before(weir_time a, weir_time b)
{
    return a.us < b.us;
}

WEIR_END_DECLS

#endif
