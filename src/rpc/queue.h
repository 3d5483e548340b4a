/**
 * @file
 * Inside of a completion queue: queue.c has its life and hands out events, queue_call.c makes
 * events of what happens to calls in their loops.
 */
#ifndef WEIR_RPC_QUEUE_IMPL_H
#define WEIR_RPC_QUEUE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <weir/rpc/queue.h>

/** An event that waits, or is taken. */
typedef struct weir__queued {
    weir_list node; /* in the queue; unlinked: taken, or not happened */
    weir_event_kind kind;
    struct weir__queue_call *call;
    size_t len;
    char bytes[]; /* of a message */
} weir__queued;

struct weir_queue {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    weir_list events;
    weir_list calls; /* that have not ended */
    size_t server_calls;
    size_t owners; /* the program, and each call */
    bool shut;
    bool freed;
    int descriptor; /* -1: nobody has asked for it */
    weir_queue_opts opts;
};

/** A call has these events in it but for messages. */
typedef enum weir__reserved {
    WEIR__RESERVED_BEGIN, /* CALL or HEADERS */
    WEIR__RESERVED_HALF_CLOSED,
    WEIR__RESERVED_WRITABLE,
    WEIR__RESERVED_CLOSED,
    WEIR__RESERVED
} weir__reserved;

typedef struct weir__queue_call {
    weir_queue *queue;
    weir_list node;     /* in the queue's `calls`; its lock */
    atomic_uint owners; /* the loop, and each event */
    bool server;
    weir_call_id id;
    const weir_method *method;
    weir_time deadline;
    weir_arena arena; /* the loop's, until the event that shows it is there */
    weir_metadata first, trailers;
    weir_status status;

    /* The queue's lock. */
    void *tag;
    size_t queued_bytes;
    bool paused;
    weir__queued reserved[WEIR__RESERVED];
} weir__queue_call;

/** Under the lock. */
void weir__queue_push(weir_queue *queue, weir__queued *event);
/** Under the lock, which it gives back: one owner less. */
void weir__queue_leave(weir_queue *queue);

void weir__queue_call_drop(weir__queue_call *call);

#endif
