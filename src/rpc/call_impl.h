/**
 * @file
 * What a call is inside the rpc layer, at either end. server.c and client_call.c put their own
 * state around it.
 */
#ifndef WEIR_RPC_CALL_IMPL_H
#define WEIR_RPC_CALL_IMPL_H

#include <weir/codec/grpc.h>
#include <weir/rpc/call.h>

#include "link.h"

typedef struct weir__chain weir__chain;

/** What the two ends do differently with the engine's events. */
typedef struct weir__call_ops {
    void (*headers)(weir_call *call);
    void (*message)(weir_call *call, weir_str bytes);
    void (*half_close)(weir_call *call);
    void (*writable)(weir_call *call);
    /** The engine's call is gone when it returns. */
    void (*close)(weir_call *call, const weir_status *status);

    weir_err (*add_header)(weir_call *call, weir_str key, weir_str value);
    weir_metadata *(*edit_metadata)(weir_call *call);
    bool (*is_secure)(weir_call *call);
    /** The call's owner ends it with a status. */
    weir_err (*finish)(weir_call *call, const weir_status *status);
    /** Whether it will come to nothing more: the owner has ended it, or the other end has. */
    bool (*has_ended)(weir_call *call);
    /** What was held goes on. */
    void (*proceed)(weir_call *call);
    bool is_server;

    /* While there is no connection yet, which only a client's call knows. */

    weir_err (*wait_writable)(weir_call *call);
    weir_err (*half_close_early)(weir_call *call);
    void (*cancel_early)(weir_call *call);
    /** Keeps a message for later; `release(user)`, which gives back its reference, as
     * weir_grpc_send_framed(). */
    weir_err (*send_early)(weir_call *call, weir_payload *payload, weir_buf_release_fn release,
                           void *user);

    /** A call that `keeps`: the message is queued, and may have to be sent again. */
    void (*keep)(weir_call *call, weir_payload *payload);
} weir__call_ops;

struct weir_call {
    weir_call_id id;
    const weir__call_ops *ops;
    weir_loop *loop;
    weir__link *link;     /* its connection; NULL while a client's call waits for one */
    weir_grpc_call *wire; /* the engine's half; NULL likewise */
    const weir_method *method;
    const weir_message *sends;    /* the type that this end sends */
    const weir_message *receives; /* and the other */
    weir_time deadline;
    weir_compression compression; /* client: of its requests */
    bool uncompressed;            /* messages from now on */
    bool keeps;                   /* client: what it sends, for another attempt */
    weir_arena *arena;
    void *data;               /* the program's */
    void *half;               /* what blocking.c or queue_call.c has of it */
    weir_str identity;        /* what an interceptor has found out about the client */
    const weir__chain *chain; /* interceptors; NULL: none */
    uint8_t *chain_state;     /* their memory of this call */
    size_t chain_opened;      /* so many know the call */
    bool opening;             /* inside one's `open` */
    bool held;
    bool again;         /* the one that held it is asked again */
    weir_list children; /* calls that its handler has made: parent.h; not linked: none */
    unsigned child_count;
};

static inline bool weir__client_streams(const weir_method *method)
{
    return method->kind == WEIR_METHOD_CLIENT_STREAMING ||
           method->kind == WEIR_METHOD_BIDI_STREAMING;
}

static inline bool weir__server_streams(const weir_method *method)
{
    return method->kind == WEIR_METHOD_SERVER_STREAMING ||
           method->kind == WEIR_METHOD_BIDI_STREAMING;
}

/** Marks of a call's slot: what will be refused, or was asked already by its id. */
enum {
    WEIR__CALL_NO_SEND = 1,
    WEIR__CALL_NO_HALF_CLOSE = 2,
    WEIR__CALL_NO_FINISH = 4,
    WEIR__CALL_NO_REPLY = 8
};

/** Gives the call its id. `limit_bytes`: what other threads may queue. @thread any */
WEIR_MUST_CHECK weir_err weir__call_register(weir_call *call, uint32_t limit_bytes);
/** The id names nothing from now on. */
void weir__call_unregister(weir_call *call);

/** Reads a message of the peer's type into `arena`, or ends the call with the status gRPC has for
 * that. @return false: ended */
bool weir__call_decode(weir_call *call, weir_str bytes, weir_arena *arena, unsigned flags,
                       void **out);

/** Ends a call whose peer's message could not be decoded. */
void weir__call_malformed(weir_call *call, weir_err err);

/** Queues an encoded message, which the interceptors see, in the call's compression.
 * `release(user)`, which gives back a reference, comes once, whatever is returned. Errors as
 * weir_grpc_send_framed(). */
weir_err weir__call_send_payload(weir_call *call, weir_payload *payload,
                                 weir_buf_release_fn release, void *user);

/** The same once more, for another attempt: the interceptors have seen it. */
weir_err weir__call_send_again(weir_call *call, weir_payload *payload);

/** Delivery goes on, from another thread. */
weir_err weir__call_resume_post(weir_call_id id);

/** A shared message: its bytes, the gRPC prefix in front. */
weir_str weir__payload_framed(const weir_payload *payload);
/** The same as the call sends it: compressed, once for all calls, if that makes it smaller. */
weir_str weir__payload_framed_for(weir_payload *payload, weir_grpc_call *wire);
const weir_message *weir__payload_type(const weir_payload *payload);

#endif
