/**
 * @file
 * A call, at either end. A `weir_call *` is good inside the callbacks of its call, in its loop,
 * until `closed` has returned; keep its `weir_call_id` for later and for other threads: it names
 * the call until `closed` comes.
 *
 * The strings and bytes of a received message are views of what came from the network (or was
 * decompressed), not copies. They live as long as the message: to the end of the call where one
 * message is expected (a request of a client that does not stream; a reply to `done`), until the
 * callback returns in a stream; a blocking stub copies them into the caller's arena.
 *
 * Misuse is an error, never a crash: sending after the end is WEIR_ESTATE, a call that is over is
 * WEIR_ECLOSED.
 * @thread the call's loop's, inside its callbacks, where nothing else is said
 */
#ifndef WEIR_RPC_CALL_H
#define WEIR_RPC_CALL_H

#include <weir/codec/compression.h>
#include <weir/codec/metadata.h>
#include <weir/net/addr.h>
#include <weir/net/loop.h>
#include <weir/net/tls.h>
#include <weir/rpc/method.h>

WEIR_BEGIN_DECLS

/** Names a call for ever, eight bytes; {0} names none. */
typedef struct weir_call_id {
    uint64_t value;
} weir_call_id;

static inline bool weir_call_id_eq(weir_call_id a, weir_call_id b)
{
    return a.value == b.value;
}

/** A message, encoded once and shared by many sends. Counted; immutable. */
typedef struct weir_payload weir_payload;

/**
 * @param out  one reference, yours
 * @thread any
 * @errors WEIR_ENOMEM, WEIR_EMSGSIZE: over 4 GiB
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_payload_new(weir_payload **out, const weir_message *type,
                                                   const void *message);
/** Whether calls may compress it, which they do once for all of them; true at first. Before it is
 * shared: for bytes that are compressed already, such as pictures. */
WEIR_API void weir_payload_set_compression(weir_payload *payload, bool on);
/** The encoded message, not compressed. Until the last reference is gone. @thread any */
WEIR_API weir_str weir_payload_bytes(const weir_payload *payload);
/** @thread any */
WEIR_API weir_payload *weir_payload_ref(weir_payload *payload);
/** NULL is fine. @thread any */
WEIR_API void weir_payload_unref(weir_payload *payload);

/* In the call's loop, inside its callbacks. */

WEIR_API weir_call_id weir_call_id_of(const weir_call *call);
/** The living call of that id, if it is in this loop; else NULL. @thread the loop's */
WEIR_API weir_call *weir_call_get(weir_loop *loop, weir_call_id id);
WEIR_API weir_loop *weir_call_loop(const weir_call *call);
WEIR_API const weir_method *weir_call_method(const weir_call *call);
WEIR_API void weir_call_set_data(weir_call *call, void *data);
WEIR_API void *weir_call_data(const weir_call *call);
/** The other end's socket address; its `len` is 0 while a client's call has no connection. */
WEIR_API weir_addr weir_call_peer(const weir_call *call);

/** What TLS knows of the connection and of who is at its other end; NULL: plaintext, or a client's
 * call without a connection. Until `closed` has returned, unless a reference is taken. */
WEIR_API const weir_tls_info *weir_call_tls(const weir_call *call);

/** Memory that is freed with the call. Bounded by the server's or channel's call_bytes. */
WEIR_API weir_arena *weir_call_arena(weir_call *call);
/** Text in the call's arena; empty when that is full. */
WEIR_API weir_str weir_call_printf(weir_call *call, const char *fmt, ...) WEIR_PRINTF(2, 3);

/** What the client sent (at a server) or the server's initial metadata (at a client). */
WEIR_API const weir_metadata *weir_call_metadata(const weir_call *call);
/** A client's view of the trailing metadata, in `closed`. */
WEIR_API const weir_metadata *weir_call_trailers(const weir_call *call);
/** Whether the call goes over TLS; of a client's call that has no connection yet: whether it will.
 */
WEIR_API bool weir_call_is_secure(weir_call *call);
/** Who the client is, as an interceptor has found out (weir_call_set_identity()); "": nobody knows.
 */
WEIR_API weir_str weir_call_identity(const weir_call *call);
/** Server: for interceptors. The view must live as long as the call. */
WEIR_API void weir_call_set_identity(weir_call *call, weir_str identity);
/** The absolute deadline; weir_time_never() without one. */
WEIR_API weir_time weir_call_deadline(const weir_call *call);
/** Microseconds left, at least 0; INT64_MAX without a deadline. */
WEIR_API int64_t weir_call_time_left_us(const weir_call *call);
/** The "host" the client asked for (":authority"). */
WEIR_API weir_str weir_call_authority(const weir_call *call);

/** Server: adds to the initial metadata. Client, in an interceptor's `open`: to the request's.
 * @errors WEIR_ESTATE: it has been sent; WEIR_EINVAL, WEIR_ENOMEM as weir_metadata_add() */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_add_header(weir_call *call, weir_str key,
                                                       weir_str value);
/** Server: adds to the trailing metadata. Errors as above. */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_add_trailer(weir_call *call, weir_str key,
                                                        weir_str value);
/** Server: sends the initial metadata now instead of with the first message. Repeatable. */
WEIR_API weir_err weir_call_send_headers(weir_call *call);

/* Compression (<weir/codec/compression.h>). */

/**
 * What the messages of this end are compressed with, instead of what the server's or channel's
 * options say. Server: before the headers are sent; where the client does not take that encoding,
 * messages are sent as they are. Client: in an interceptor's `open`; else see weir_call_opts.
 * @errors WEIR_ESTATE: too late. WEIR_EINVAL: no such encoding
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_set_compression(weir_call *call,
                                                            weir_compression compression);
/** The encoding that is used: identity, too, where the client does not take another. */
WEIR_API weir_compression weir_call_compression(const weir_call *call);
/** Whether messages that are queued from now on are compressed, in a call that has a compression;
 * true at first. A message of a call without one is never compressed. */
WEIR_API void weir_call_set_message_compression(weir_call *call, bool on);
/** The other end's encoding. It is the call's: a message may have come without it all the same. */
WEIR_API weir_compression weir_call_peer_compression(const weir_call *call);
/** Whether the message of this callback came compressed; in a call with one message from the other
 * end, whether that did. */
WEIR_API bool weir_call_message_was_compressed(const weir_call *call);

/**
 * Queues a message; encoded at once, so that it may be freed.
 * @errors WEIR_EAGAIN: over the high-water mark, not taken; `writable` comes when it has drained.
 *         WEIR_ESTATE: ended, or one message was sent where no more are expected. WEIR_EMSGSIZE:
 * over max_send_bytes, before compression. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_send(weir_call *call, const void *message);
/** As weir_call_send(), with bytes shared by many calls. @errors also WEIR_EINVAL: the payload's
 * type is not the one that this end of the method sends */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_send_payload(weir_call *call, weir_payload *payload);
/** Bytes that wait in the call for the peer's windows and the connection. */
WEIR_API size_t weir_call_unsent(const weir_call *call);

/** Server: the one reply and status OK. @errors WEIR_ESTATE: answered already, or a client; as
 * weir_call_send() */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_reply(weir_call *call, const void *message);
/** Server: ends with OK after what was sent. @errors WEIR_ESTATE: ended already */
WEIR_API weir_err weir_call_finish(weir_call *call);
/** Server: ends with an error and a text for the client. Client: ends the call now, as if the
 * server had said so; it sees CANCELLED. @errors WEIR_ESTATE: ended already; WEIR_EINVAL: OK, at a
 * client */
WEIR_API weir_err weir_call_fail(weir_call *call, weir_status_code code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
/** Server: ends with any status, details included. @errors WEIR_ESTATE: ended already */
WEIR_API weir_err weir_call_finish_status(weir_call *call, const weir_status *status);

/** Client: no more messages from us. @errors WEIR_ESTATE: done already, or a server */
WEIR_API weir_err weir_call_half_close(weir_call *call);

/** Ends the call now with RST_STREAM CANCEL; `closed` follows, not inside this function. */
WEIR_API void weir_call_cancel(weir_call *call);

/** No more messages are read until weir_call_resume(): the peer is slowed down by flow control. */
WEIR_API void weir_call_pause(weir_call *call);
WEIR_API void weir_call_resume(weir_call *call);

/* From any thread, by id: take effect in the call's loop, in the order of one thread's calls. What
 * was posted before is known here, what was done in the loop is not: a post may be accepted, and
 * find the call ended. */

/**
 * A message. One that turns out to be over max_send_bytes, or of another type than this end of the
 * method sends, ends the call.
 * @thread any
 * @errors WEIR_ECLOSED: gone. WEIR_EAGAIN: over the high-water mark. WEIR_ENOMEM. WEIR_ESTATE:
 *         after a posted half-close, reply or finish, or at a client that does not stream
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_send_post(weir_call_id id, const weir_message *type,
                                                      const void *message);
/** As weir_call_send_post(); takes a reference of its own. @thread any */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_send_payload_post(weir_call_id id,
                                                              weir_payload *payload);
/** weir_call_reply() from any thread. @thread any @errors as weir_call_send_post(); WEIR_ESTATE
 * also at a client */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_reply_post(weir_call_id id, const weir_message *type,
                                                       const void *message);
/** weir_call_finish_status() from any thread; the views are copied. @thread any @errors
 * WEIR_ECLOSED: gone. WEIR_ESTATE: after a posted reply or finish. WEIR_ENOMEM. */
WEIR_API weir_err weir_call_finish_post(weir_call_id id, const weir_status *status);
/** weir_call_half_close() from any thread. @thread any @errors WEIR_ECLOSED: gone. WEIR_ESTATE:
 * posted already, or not a client that streams. WEIR_ENOMEM. */
WEIR_API weir_err weir_call_half_close_post(weir_call_id id);
/** Runs in the call's loop; `call` is NULL when it has ended on the way. */
typedef void (*weir_call_run_fn)(weir_call *call, void *user);

/**
 * `fn` runs once in the call's loop, in the order of this thread's other posts.
 * @thread any
 * @errors WEIR_ECLOSED: gone. WEIR_ENOMEM. `fn` does not run then.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_call_run_post(weir_call_id id, weir_call_run_fn fn,
                                                     void *user);
/** weir_call_cancel() from any thread. Gone is fine. @thread any */
WEIR_API weir_err weir_call_cancel_post(weir_call_id id);

WEIR_END_DECLS

#endif
