/**
 * @file
 * Blocking forms: another thread waits while the loop does it. What both use is in the waiting
 * thread's memory.
 */
#ifndef WEIR_ZK_BLOCKING_H
#define WEIR_ZK_BLOCKING_H

#include <weir/net/loop.h>

typedef struct weir__zk_blocking weir__zk_blocking;

/** Begins it, in the loop; weir__zk_blocking_end() follows, here or later. */
typedef void (*weir__zk_blocking_fn)(weir__zk_blocking *b);

struct weir__zk_blocking {
    weir_task task;
    weir_latch latch;
    weir__zk_blocking_fn begin;
    weir_err err;
    weir_why *why; /* may be NULL */
};

/**
 * Runs `begin` in the loop and waits for the end.
 * @return what weir__zk_blocking_end() was told; WEIR_ESTATE: this is the loop's thread;
 *         WEIR_ECANCELED: the loop has ended
 */
weir_err weir__zk_blocking_run(weir__zk_blocking *b, weir_loop *loop, weir__zk_blocking_fn begin,
                               weir_why *why);

/** The thread goes on, and `b` is gone. @param why  a sentence, copied; NULL: the error's text */
void weir__zk_blocking_end(weir__zk_blocking *b, weir_err err, const char *why);

#endif
