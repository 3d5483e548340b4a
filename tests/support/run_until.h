/**
 * @file
 * For tests above the loop: one with the poller that the test is to run with, and turning it until
 * something has happened.
 */
#ifndef WEIR_RUN_UNTIL_H
#define WEIR_RUN_UNTIL_H

#include "poller_test.h"
#include "test.h"

#include <weir/net/loop.h>

/** Turns the loop until the condition holds; fails after a minute, far more than it takes. */
#define run_until(loop, condition)                                                                 \
    do {                                                                                           \
        weir_time limit_ = weir_time_add(weir_time_now(), WEIR_SECONDS(60));                       \
        while (!(condition)) {                                                                     \
            if (!weir_time_before(weir_time_now(), limit_))                                        \
                fail_msg("did not happen: %s", #condition);                                        \
            assert_ok(weir_loop_run_once(loop, WEIR_MILLISECONDS(20)));                            \
        }                                                                                          \
    } while (0)

static inline weir_loop *new_loop(void)
{
    weir_loop *loop = NULL;
    assert_ok(weir_loop_new(&loop, &(weir_loop_opts){.poller = test_poller()}));
    return loop;
}

#endif
