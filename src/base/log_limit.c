/* Log statements that speak at most once per interval. */
#include <weir/base/log.h>
#include <weir/base/time.h>

bool weir__log_due(weir__log_limit *limit, int64_t interval_us, uint64_t *left_out)
{
    int64_t now_us = weir_time_now().us;
    int64_t next_us = __atomic_load_n(&limit->next_us, __ATOMIC_RELAXED);
    if (now_us >= next_us &&
        __atomic_compare_exchange_n(&limit->next_us, &next_us, now_us + interval_us, false,
                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        *left_out = __atomic_exchange_n(&limit->left_out, 0, __ATOMIC_RELAXED);
        return true;
    }
    __atomic_fetch_add(&limit->left_out, 1, __ATOMIC_RELAXED);
    return false;
}
