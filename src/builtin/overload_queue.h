/**
 * @file
 * Calls that wait to be let in: a line for each client, served in turn. A line that has not been
 * empty for long is served newest first, because its oldest calls have hardly time left; else
 * oldest first. Not locked, no clock.
 */
#ifndef WEIR_BUILTIN_OVERLOAD_QUEUE_H
#define WEIR_BUILTIN_OVERLOAD_QUEUE_H

#include <weir/rpc/call.h>

/** What has become of a call that waits. */
typedef enum weir__overload_verdict {
    WEIR__OVERLOAD_WAITS,
    WEIR__OVERLOAD_MAY_RUN,
    WEIR__OVERLOAD_NO_ROOM, /**< another took its place */
    WEIR__OVERLOAD_TOO_LATE /**< its deadline is nearer than a call takes */
} weir__overload_verdict;

typedef struct weir__overload_line weir__overload_line;

/** In the call's memory. */
typedef struct weir__overload_waiter {
    weir_list node;
    weir__overload_line *line; /* NULL: not in the queue */
    weir_call_id id;
    weir_time deadline;
    weir__overload_verdict verdict;
} weir__overload_waiter;

/** Of the clients whose keys fall into one place. */
struct weir__overload_line {
    weir_list waiters; /* oldest first */
    weir_list node;    /* among the lines that have some, while it has */
    size_t count;
    weir_time busy_since; /* not empty since */
};

typedef struct weir__overload_queue {
    size_t count, max;
    size_t busy; /* lines that have waiters */
    int64_t fifo_us;
    weir_list turns; /* busy lines, next one first */
    uint32_t mask;
    weir__overload_line *lines;
} weir__overload_queue;

/**
 * @param max      waiters at a time; 0: none, and no memory
 * @param lines    rounded up to a power of two, at most 65536
 * @param fifo_us  a line is served oldest first until it has not been empty for so long
 * @errors WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err weir__overload_queue_init(weir__overload_queue *queue, size_t max,
                                                   uint32_t lines, int64_t fifo_us);
void weir__overload_queue_fini(weir__overload_queue *queue);

/**
 * Adds `waiter` to the line of `key`.
 * @return who is out for it: the oldest of a line that has at least its share, when the queue is
 *         full; `waiter` itself, when `max` is 0; else NULL
 */
weir__overload_waiter *weir__overload_queue_push(weir__overload_queue *queue,
                                                 weir__overload_waiter *waiter, uint32_t key,
                                                 weir_time now);
/** Takes out whose turn it is; NULL: nobody's. */
weir__overload_waiter *weir__overload_queue_pop(weir__overload_queue *queue, weir_time now);
/** Nothing happens when it is out already. */
void weir__overload_queue_remove(weir__overload_queue *queue, weir__overload_waiter *waiter);

#endif
