/**
 * @file
 * What generated code tells the rpc layer about services. Programs use the generated functions.
 */
#ifndef WEIR_RPC_METHOD_H
#define WEIR_RPC_METHOD_H

#include <weir/codec/message.h>
#include <weir/codec/status.h>

WEIR_BEGIN_DECLS

typedef struct weir_call weir_call;
typedef struct weir_blocking_call weir_blocking_call;
typedef struct weir_server weir_server;
typedef struct weir_channel weir_channel;

typedef enum weir_method_kind {
    WEIR_METHOD_UNARY,
    WEIR_METHOD_CLIENT_STREAMING,
    WEIR_METHOD_SERVER_STREAMING,
    WEIR_METHOD_BIDI_STREAMING
} weir_method_kind;

typedef struct weir_method {
    const char *name; /**< "SayHello" */
    const char *path; /**< "/helloworld.Greeter/SayHello" */
    weir_method_kind kind;
    const weir_message *request;
    const weir_message *reply;
} weir_method;

typedef struct weir_service {
    const char *name; /**< "helloworld.Greeter" */
    const weir_method *methods;
    size_t method_count;
    const weir_file *file; /**< the .proto it comes from */
} weir_service;

/**
 * How a method is served: generated functions that turn the untyped events into calls of the user's
 * typed callbacks, which `methods` holds.
 */
typedef struct weir_handler {
    /** Whether the user serves this method with callbacks. */
    bool (*present)(const void *methods);
    /** The call begins. `request` is NULL for methods whose client streams; else it is the one
     * request and lives as long as the call. */
    void (*open)(weir_call *call, const void *request, const void *methods, void *user);
    /** A message of a streaming client, good during the call of this function. */
    void (*message)(weir_call *call, const void *request, const void *methods, void *user);
    /** A streaming client has sent its last message. */
    void (*half_closed)(weir_call *call, const void *methods, void *user);
    /** Sending is possible again after WEIR_EAGAIN. */
    void (*writable)(weir_call *call, const void *methods, void *user);
    /** The call is over, once. */
    void (*closed)(weir_call *call, const weir_status *why, const void *methods, void *user);
    /** Instead of `message`, for who decodes elsewhere: a message's bytes, good during the call of
     * this function. `open` comes at once and without a request then, and `half_closed` too,
     * whatever the method's kind. NULL: messages are decoded. */
    void (*bytes)(weir_call *call, weir_str bytes, const void *methods, void *user);

    /** Whether the user serves it with a function that blocks, instead; NULL: no. */
    bool (*blocks)(const void *methods);
    /** That function, on a worker thread: see weir/rpc/blocking.h. `request` is NULL for methods
     * whose client streams; `reply` is zeroed. */
    weir_status (*run)(weir_blocking_call *call, const void *request, void *reply,
                       const void *methods, void *user);
} weir_handler;

/** Any function pointer; cast back to its own type before it is called. */
typedef void (*weir_fn)(void);

/** Generated: calls the typed `done` of a unary async stub. */
typedef void (*weir_unary_thunk)(weir_fn done, const weir_status *status, const void *reply,
                                 void *user);

/** Generated: untyped client events to the user's typed ones in `events`. */
typedef struct weir_client_handler {
    void (*headers)(weir_call *call, const void *events, void *user);
    void (*message)(weir_call *call, const void *reply, const void *events, void *user);
    void (*writable)(weir_call *call, const void *events, void *user);
    void (*closed)(weir_call *call, const weir_status *status, const void *events, void *user);
} weir_client_handler;

WEIR_END_DECLS

#endif
