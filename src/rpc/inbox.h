/**
 * @file
 * Between a call in its loop and one thread that waits for it: received messages, undecoded and
 * bounded, and whether there is room to send. Blocking streams of clients and blocking handlers of
 * servers have one.
 */
#ifndef WEIR_RPC_INBOX_H
#define WEIR_RPC_INBOX_H

#include <pthread.h>

#include "call_impl.h"

/** A received message, not decoded: the reader does that in its own thread and memory. */
typedef struct weir__received {
    struct weir__received *next;
    size_t len;
    char bytes[];
} weir__received;

typedef struct weir__inbox {
    pthread_mutex_t lock; /* of all but what is marked; the owner's too, if it likes */
    pthread_cond_t changed;
    bool uncompressed;     /* what is sent from now on; the waiting thread's */
    size_t high_water;     /* queued bytes at which the peer is slowed down; constant */
    size_t max_send_bytes; /* of a message; 0: no limit; constant */
    weir__received *first, *last;
    size_t queued_bytes;
    bool paused;           /* the loop has stopped delivery */
    bool writable;         /* since the last WEIR_EAGAIN */
    bool ended;            /* no more messages will come */
    bool closed;           /* the call is over */
    bool reading, writing; /* a thread is in weir__inbox_take(), in weir__inbox_send() */
} weir__inbox;

void weir__inbox_init(weir__inbox *inbox, const weir_grpc_opts *limits);
/** Nobody uses it any more. */
void weir__inbox_fini(weir__inbox *inbox);

/* In the call's loop. */

/** Queues a copy, and pauses the call at the bound. Out of memory cancels the call. */
void weir__inbox_put(weir__inbox *inbox, weir_call *call, weir_str bytes);
void weir__inbox_set_writable(weir__inbox *inbox);
/** No more messages. */
void weir__inbox_end(weir__inbox *inbox);
/** The call is over: who waits is told. */
void weir__inbox_close(weir__inbox *inbox);

/* In the thread that waits. */

/**
 * Waits for the oldest message.
 * @param out  the caller's, to be freed with free()
 * @errors WEIR_ECLOSED: none will come any more. WEIR_ETIMEDOUT: not before `deadline`.
 *         WEIR_ESTATE: another thread waits for it
 */
WEIR_MUST_CHECK weir_err weir__inbox_take(weir__inbox *inbox, weir_call_id id, weir_time deadline,
                                          weir__received **out);

/** Waits until the call is over, whoever reads. */
void weir__inbox_wait_closed(weir__inbox *inbox);

/**
 * Sends; waits while over the high-water mark.
 * @errors WEIR_ECLOSED, WEIR_EMSGSIZE, WEIR_ENOMEM; WEIR_ETIMEDOUT: not before `deadline`;
 *         WEIR_ESTATE: another thread sends, or sending is over
 */
WEIR_MUST_CHECK weir_err weir__inbox_send(weir__inbox *inbox, weir_call_id id,
                                          const weir_message *type, const void *message,
                                          weir_time deadline);

#endif
