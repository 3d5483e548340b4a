/**
 * @file
 * Completion queue: the events of calls, of clients and of servers, wait here until some thread
 * takes them. For programs with a loop of their own (libuv, GLib, a game): the queue's descriptor
 * is readable while events wait. And for programs with threads that take whatever comes next.
 *
 * What a program does with a call goes by its id and from any thread: the generated `..._post`
 * functions, weir_call_half_close_post(), weir_call_finish_post(), weir_call_cancel_post(),
 * weir_call_run_post().
 *
 * Bounded: of a call whose messages are not taken, the peer is slowed down beyond opts.call_bytes;
 * of calls of servers there are at most opts.max_calls, more end with RESOURCE_EXHAUSTED. The other
 * events of a call have their memory reserved, so that its end always arrives.
 * Events of a call come in their order; where several threads take them, two may have events of the
 * same call at the same time.
 * @thread any, but an event is one thread's at a time
 */
#ifndef WEIR_RPC_QUEUE_H
#define WEIR_RPC_QUEUE_H

#include <weir/rpc/channel.h>
#include <weir/rpc/server.h>

WEIR_BEGIN_DECLS

typedef struct weir_queue weir_queue;

/** A zeroed field means the default written beside it. */
typedef struct weir_queue_opts {
    size_t call_bytes; /**< received of a call and not taken; 0: 64 KiB */
    size_t max_calls;  /**< of servers, at once; 0: 10000 */
} weir_queue_opts;

typedef enum weir_event_kind {
    WEIR_EVENT_CALL = 1, /**< server: a call has begun, with `metadata` */
    WEIR_EVENT_HEADERS,  /**< client: the initial `metadata` has come */
    WEIR_EVENT_MESSAGE,  /**< `bytes` of a message; decode them with the generated `..._decode()` */
    WEIR_EVENT_HALF_CLOSED, /**< server: a streaming client has sent its last message */
    WEIR_EVENT_WRITABLE,    /**< sending is possible again after WEIR_EAGAIN */
    WEIR_EVENT_CLOSED /**< the call's last event, with its `status`; client: `metadata` is trailing
                       */
} weir_event_kind;

/** An event. What it points to lives until weir_event_fini(). */
typedef struct weir_event {
    weir_event_kind kind;
    weir_call_id id;
    const weir_method *method;
    void *tag; /**< of the call: see weir_queue_start(), weir_queue_serve(), weir_event_set_tag() */
    weir_str bytes;
    const weir_metadata *metadata; /**< never NULL; empty where nothing is said above */
    weir_time deadline;            /**< of the call */
    weir_status status;
    struct weir__queued *queued; /**< weir's own */
} weir_event;

/** @param opts  copied; NULL is all defaults @errors WEIR_ENOMEM */
WEIR_API WEIR_MUST_CHECK weir_err weir_queue_new(weir_queue **out, const weir_queue_opts *opts);

/** Cancels the calls that are left; their events are lost. Not while a thread is in
 * weir_queue_next(). NULL is fine. */
WEIR_API void weir_queue_free(weir_queue *queue);

/**
 * Readable while events wait, for poll(2) and its like; do not read it. The same one each time; the
 * queue's.
 * @return -1: out of descriptors
 */
WEIR_API int weir_queue_descriptor(weir_queue *queue);

/**
 * Takes the oldest event.
 * @param timeout_us  how long to wait for one; 0: not at all; negative: for ever
 * @errors WEIR_ETIMEDOUT: none has come. WEIR_ECLOSED: the queue was shut down, and every call has
 * ended
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_queue_next(weir_queue *queue, int64_t timeout_us,
                                                  weir_event *event);

/** Gives its memory back. */
WEIR_API void weir_event_fini(weir_event *event);

/** The tag of the call's events from the next weir_queue_next() on. */
WEIR_API void weir_event_set_tag(const weir_event *event, void *tag);

/** No new calls: clients' starts fail with WEIR_ECLOSED, servers' calls end with UNAVAILABLE. Those
 * that run go on until they end. Repeatable. */
WEIR_API void weir_queue_shutdown(weir_queue *queue);

/* Behind generated functions. */

/**
 * Starts a client's call whose events come here.
 * @param request  the one request of a method whose client does not stream, else NULL
 * @param id       of the call; may be NULL
 * @errors as weir_unary_start(); WEIR_ECLOSED: the queue was shut down. No event comes then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_queue_start(weir_queue *queue, weir_channel *channel,
                                                   const weir_method *method, const void *request,
                                                   void *tag, const weir_call_opts *opts,
                                                   weir_call_id *id);

/**
 * Adds a service to a server that has not started, all of its methods with their events here. The
 * queue must outlive the server.
 * @param tag  of each call, until weir_event_set_tag()
 * @errors as weir_server_add()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_queue_serve(weir_queue *queue, weir_server *server,
                                                   const weir_service *service, void *tag);

WEIR_END_DECLS

#endif
