/**
 * @file
 * Blocking handlers: methods that a server runs on its worker threads, where they may wait for
 * disks, databases and other calls. A method is moved there by setting its function in the
 * `blocking` part of the generated table instead of its callbacks:
 *
 *     static weir_status say_hello(weir_blocking_call *call, const hello_request *request,
 *                                  hello_reply *reply, void *user)
 *     {
 *         reply->message = weir_blocking_printf(call, "Hello, %.*s!",
 * WEIR_STR_ARGS(request->name)); return WEIR_BLOCKING_OK;
 *     }
 *     static const greeter_methods methods = {.blocking = {.say_hello = say_hello}};
 *
 * Streams are read and written with generated functions, which wait. The call may end while the
 * handler works (deadline, cancellation, a lost connection): what waits returns at once, the rest
 * goes on with memory that stays until the handler returns. When all workers are busy and their
 * queue is full (weir_server_opts.workers_queue), calls end with RESOURCE_EXHAUSTED at once.
 * @thread everything here: the handler's, but where something else is said
 */
#ifndef WEIR_RPC_BLOCKING_H
#define WEIR_RPC_BLOCKING_H

#include <weir/rpc/call.h>

WEIR_BEGIN_DECLS

/** What a handler returns after success. */
#define WEIR_BLOCKING_OK ((weir_status){WEIR_STATUS_OK, {"", 0}, {"", 0}})

/** For what a handler returns after a failure: a status with a text, in the call's memory. */
WEIR_API weir_status weir_blocking_fail(weir_blocking_call *call, weir_status_code code,
                                        const char *fmt, ...) WEIR_PRINTF(3, 4);

/** Memory that is freed when the handler has returned and its reply is sent. Bounded by the
 * server's call_bytes. */
WEIR_API weir_arena *weir_blocking_arena(weir_blocking_call *call);
/** Text there; empty when it is full. */
WEIR_API weir_str weir_blocking_printf(weir_blocking_call *call, const char *fmt, ...)
    WEIR_PRINTF(2, 3);

/** The call's id, for functions that take one (as the parent of further calls, for example). */
WEIR_API weir_call_id weir_blocking_id(const weir_blocking_call *call);
WEIR_API const weir_method *weir_blocking_method(const weir_blocking_call *call);
/** What the client sent. */
WEIR_API const weir_metadata *weir_blocking_metadata(const weir_blocking_call *call);
WEIR_API weir_addr weir_blocking_peer(const weir_blocking_call *call);
/** As weir_call_tls(), for as long as the call; NULL: plaintext. */
WEIR_API const weir_tls_info *weir_blocking_tls(const weir_blocking_call *call);
WEIR_API weir_str weir_blocking_authority(const weir_blocking_call *call);
/** As weir_call_identity(). */
WEIR_API weir_str weir_blocking_identity(const weir_blocking_call *call);
/** As weir_call_deadline() and weir_call_time_left_us(). */
WEIR_API weir_time weir_blocking_deadline(const weir_blocking_call *call);
WEIR_API int64_t weir_blocking_time_left_us(const weir_blocking_call *call);

/** Whether the call is over already: nobody waits for the handler's work any more. @thread any,
 * until the handler returns */
WEIR_API bool weir_blocking_is_over(weir_blocking_call *call);

/** @errors WEIR_ESTATE: the initial metadata has been sent; as weir_metadata_add() */
WEIR_API WEIR_MUST_CHECK weir_err weir_blocking_add_header(weir_blocking_call *call, weir_str key,
                                                           weir_str value);
/** @errors as weir_metadata_add() */
WEIR_API WEIR_MUST_CHECK weir_err weir_blocking_add_trailer(weir_blocking_call *call, weir_str key,
                                                            weir_str value);
/** Sends the initial metadata now instead of with the first message. Repeatable.
 * @errors WEIR_ECLOSED: the call is over. WEIR_ENOMEM. */
WEIR_API weir_err weir_blocking_send_headers(weir_blocking_call *call);

/** As weir_call_set_compression(). @errors WEIR_ESTATE: the initial metadata has been sent.
 * WEIR_EINVAL: no such encoding */
WEIR_API WEIR_MUST_CHECK weir_err weir_blocking_set_compression(weir_blocking_call *call,
                                                                weir_compression compression);
/** As weir_call_set_message_compression(), for the handler's messages from now on. */
WEIR_API void weir_blocking_set_message_compression(weir_blocking_call *call, bool on);

/* Behind generated functions. */

/**
 * Waits for the next message of a client that streams.
 * @param mem  the message lives here; the call's own arena, or one that is reset in between
 * @errors WEIR_ECLOSED: there is none any more. WEIR_ECANCELED: the call is over.
 *         WEIR_EMALFORMED, WEIR_ENOMEM: the message cannot be read
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_blocking_read(weir_blocking_call *call, weir_arena *mem,
                                                     void **message);

/**
 * One more message to a client of a method that streams; waits while over the high-water mark.
 * @errors WEIR_ECANCELED: the call is over. WEIR_EMSGSIZE, WEIR_ENOMEM. WEIR_ESTATE: the method's
 *         server does not stream
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_blocking_write(weir_blocking_call *call,
                                                      const void *message);

WEIR_END_DECLS

#endif
