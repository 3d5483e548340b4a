/**
 * @file
 * Queue with many producers and one consumer, intrusive and without locks (the algorithm is Dmitry
 * Vyukov's). Nodes of one producer come out in its order.
 */
#ifndef WEIR_BASE_MPSC_H
#define WEIR_BASE_MPSC_H

#include <stdbool.h>
#include <weir/base/attr.h>

#ifdef __cplusplus
#include <atomic>
typedef std::atomic<struct weir_mpsc_node *> weir__mpsc_link;
#else
#include <stdatomic.h>
typedef struct weir_mpsc_node *_Atomic weir__mpsc_link;
#endif

WEIR_BEGIN_DECLS

/** In the caller's object, which the queue borrows from push to pop. */
typedef struct weir_mpsc_node {
    weir__mpsc_link next;
} weir_mpsc_node;

/** Must not move once initialised. */
typedef struct weir_mpsc {
    weir__mpsc_link tail WEIR_ALIGNED(WEIR_CACHE_LINE); /* producers */
    weir_mpsc_node *head WEIR_ALIGNED(WEIR_CACHE_LINE); /* consumer */
    weir_mpsc_node dummy;
} weir_mpsc;

WEIR_API void weir_mpsc_init(weir_mpsc *queue);

/** @thread any */
WEIR_API void weir_mpsc_push(weir_mpsc *queue, weir_mpsc_node *node);

/**
 * The oldest node, or NULL. NULL can also mean that a producer is half way through its push: it
 * wakes the consumer after that, so that nothing is forgotten.
 * @thread the consumer
 */
WEIR_API weir_mpsc_node *weir_mpsc_pop(weir_mpsc *queue);

WEIR_END_DECLS

#endif
