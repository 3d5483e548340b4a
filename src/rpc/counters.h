/**
 * @file
 * Counters of calls: one thread writes them, without a locked instruction; any thread reads.
 */
#ifndef WEIR_RPC_COUNTERS_H
#define WEIR_RPC_COUNTERS_H

#include <stdatomic.h>
#include <weir/base/time.h>
#include <weir/codec/status.h>

typedef struct weir__counters {
    atomic_ullong started, ended, failed;
    _Atomic int64_t last_us; /* when one was last started; 0: never */
} weir__counters;

static inline void weir__count(atomic_ullong *counter)
{
    unsigned long long value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_release);
}

static inline void weir__count_started(weir__counters *counters, weir_time now)
{
    atomic_store_explicit(&counters->last_us, now.us, memory_order_relaxed);
    weir__count(&counters->started);
}

static inline void weir__count_ended(weir__counters *counters, weir_status_code code)
{
    if (code != WEIR_STATUS_OK)
        weir__count(&counters->failed);
    weir__count(&counters->ended);
}

#endif
