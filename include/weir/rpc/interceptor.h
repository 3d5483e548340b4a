/**
 * @file
 * Interceptors: code around every call of a server or a channel, in layers. They observe and change
 * metadata, messages and the status, end a call early, or hold it until they know more. Each runs
 * in the call's loop and must not block.
 *
 * The first that was added is the outermost: what goes towards the server (`open`, a request)
 * passes them in their order at a client, and again in their order at a server; what comes back
 * (`headers`, a reply, `finish`, `closed`) passes them in the opposite order.
 */
#ifndef WEIR_RPC_INTERCEPTOR_H
#define WEIR_RPC_INTERCEPTOR_H

#include <weir/rpc/call.h>

WEIR_BEGIN_DECLS

/** So many fit around a call. */
#define WEIR_INTERCEPTORS_MAX 32

/**
 * What an interceptor hooks into; all but `name` may be NULL. `state` is its own memory of this
 * call, zeroed before `open`; `user` is what it was added with. A call that `open` has ended, with
 * weir_call_fail() or weir_call_finish_status(), goes no further: neither the next interceptor nor
 * the handler or the server sees it.
 */
typedef struct weir_interceptor {
    const char *name;   /**< for logs */
    size_t state_bytes; /**< of `state`, from the call's arena; 0: `state` is NULL */

    /** Server: a request's metadata has come, before its first message. Client: before anything is
     * sent; weir_call_add_header() adds to the request's metadata. */
    void (*open)(weir_call *call, void *state, void *user);

    /** Client: the server's initial metadata has come. */
    void (*headers)(weir_call *call, void *state, void *user);

    /**
     * A message has come.
     * @return the message to go on with: the same, or one of the same type that lives as long as
     * the call (weir_call_arena()). NULL: it is dropped; a call that expects exactly one ends with
     *         INTERNAL then, unless it was ended here.
     */
    const void *(*received)(weir_call *call, const void *message, void *state, void *user);

    /** A message is about to be queued. @return as `received`; a dropped message counts as sent */
    const void *(*sending)(weir_call *call, const void *message, void *state, void *user);

    /** Server: the handler, or an interceptor, has ended the call: `status` may be changed (its
     * views must live as long as the call) and trailers added. Not when the client, the time or the
     * connection ended it. Client: the status that the caller will get, which may be changed. */
    void (*finish)(weir_call *call, weir_status *status, void *state, void *user);

    /** The call is over: once, if `open` was. */
    void (*closed)(weir_call *call, const weir_status *status, void *state, void *user);
} weir_interceptor;

/** An interceptor with its `user`, for weir_channel_opts. */
typedef struct weir_interceptor_use {
    const weir_interceptor *interceptor; /**< borrowed as long as the channel lives */
    void *user;
} weir_interceptor_use;

/**
 * Adds an interceptor to a server, inside those that are there.
 * @param interceptor  borrowed until weir_server_free()
 * @thread one at a time, before the start
 * @errors WEIR_ESTATE: the server runs. WEIR_EFULL: WEIR_INTERCEPTORS_MAX are there.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_server_intercept(weir_server *server,
                                                        const weir_interceptor *interceptor,
                                                        void *user);

/**
 * Inside `open`: the call waits here until weir_call_proceed_post(); its deadline runs on, and the
 * server reads no messages of it. For what takes time, such as asking another service for a token.
 * @thread the loop's
 */
WEIR_API void weir_call_hold(weir_call *call);

/**
 * A held call goes on: the interceptor that held it has its `open` again, with the same `state`,
 * and now lets it through, ends it, or holds it once more.
 * @thread any
 * @errors WEIR_ECLOSED: it is over. WEIR_ENOMEM.
 */
WEIR_API weir_err weir_call_proceed_post(weir_call_id id);

/** A note for when a handler has returned, in the caller's memory. */
typedef struct weir_call_after {
    void (*fn)(struct weir_call_after *after); /**< on the handler's thread; its last touch */
    struct weir_call_after *next;              /**< weir's own */
} weir_call_after;

/**
 * Inside `closed`: a handler that blocks may go on working for a call that is over, and keep a
 * worker from others. If one does, after->fn runs once, when it has returned.
 * @param after  NULL: only asks
 * @return whether a handler still works; else nothing will run
 * @thread the loop's
 */
WEIR_API bool weir_call_after_handler(weir_call *call, weir_call_after *after);

/**
 * What weir_call_metadata() shows, to be changed in `open` or `headers`; in a client's `open`, what
 * will be sent. Entries are added with weir_metadata_add() in the call's arena, and taken away with
 * weir_metadata_remove().
 * @thread the loop's
 */
WEIR_API weir_metadata *weir_call_edit_metadata(weir_call *call);

WEIR_END_DECLS

#endif
