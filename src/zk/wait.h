/** @file How long a blocking form may still wait. */
#ifndef WEIR_ZK_WAIT_H
#define WEIR_ZK_WAIT_H

#include <weir/base/time.h>

/** Until the deadline, not below 0; no deadline is WEIR_TIME_NEVER_US. */
static inline int64_t weir__zk_left_us(weir_time deadline)
{
    if (deadline.us == WEIR_TIME_NEVER_US)
        return WEIR_TIME_NEVER_US;
    int64_t left_us = weir_time_diff(deadline, weir_time_now());
    return left_us > 0 ? left_us : 0;
}

#endif
