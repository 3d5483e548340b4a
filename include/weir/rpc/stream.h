/**
 * @file
 * Blocking streams: a client's streaming call for threads (not the channel's) that wait. Received
 * messages queue up to the high-water mark, then the server is slowed down.
 * @thread any but the channel's loop's: one that reads and one that writes at a time, which may be
 * two; what else is said
 */
#ifndef WEIR_RPC_STREAM_H
#define WEIR_RPC_STREAM_H

#include <weir/rpc/channel.h>

WEIR_BEGIN_DECLS

typedef struct weir_stream weir_stream;

/**
 * Behind the generated `x_open()`.
 * @param out      yours until weir_stream_free()
 * @param request  the one request of a method whose client does not stream, else NULL
 * @thread any but the channel's loop's
 * @errors WEIR_ENOMEM, WEIR_EMSGSIZE, WEIR_EINVAL (metadata), WEIR_ESTATE: called in the loop
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_open(weir_stream **out, weir_channel *channel,
                                                   const weir_method *method, const void *request,
                                                   const weir_call_opts *opts);

/**
 * Waits for the next message.
 * @param mem  the message lives here
 * @errors WEIR_ECLOSED: there is none any more, ask weir_stream_finish(). WEIR_EMALFORMED,
 *         WEIR_ENOMEM: the message cannot be read. WEIR_ESTATE: another thread reads
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_read(weir_stream *stream, weir_arena *mem,
                                                   void **message);
/** The same, but not longer than to `deadline`; one that is over: not at all.
 * @errors also WEIR_ETIMEDOUT: none has come; the stream goes on */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_read_until(weir_stream *stream, weir_arena *mem,
                                                         weir_time deadline, void **message);

/**
 * Sends; waits while over the high-water mark.
 * @errors WEIR_ECLOSED: the call is over. WEIR_EMSGSIZE: over max_send_bytes. WEIR_ENOMEM.
 *         WEIR_ESTATE: after the half-close, or the method's client does not stream, or another
 *         thread writes
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_write(weir_stream *stream, const void *message);
/** The same, but waits not longer than to `deadline`.
 * @errors also WEIR_ETIMEDOUT: the message was not sent; the stream goes on */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_write_until(weir_stream *stream, const void *message,
                                                          weir_time deadline);
/** The same, without waiting. @errors also WEIR_EAGAIN: over the high-water mark, not sent */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_try_write(weir_stream *stream, const void *message);

/** As weir_call_set_message_compression(), for the messages that are written from now on.
 * @thread the one that writes */
WEIR_API void weir_stream_set_message_compression(weir_stream *stream, bool on);

/** No more messages from us. @errors WEIR_ESTATE: done already, or the method's client does not
 * stream. WEIR_ECLOSED: the call is over. WEIR_ENOMEM: not done */
WEIR_API weir_err weir_stream_half_close(weir_stream *stream);

/** Ends the call; reads return WEIR_ECLOSED. @thread any, while the stream lives */
WEIR_API void weir_stream_cancel(weir_stream *stream);

/**
 * Half-closes if that was not done, drops messages that were not read, waits for the end.
 * @param mem  the text lives here
 * @return the server's status; FAILED_PRECONDITION: finished already, or another thread reads (the
 *         stream is half-closed then all the same)
 */
WEIR_API weir_status weir_stream_finish(weir_stream *stream, weir_arena *mem);

/** The server's initial metadata, once a message or the end has come; else NULL. Until free. */
WEIR_API const weir_metadata *weir_stream_metadata(weir_stream *stream);
/** The trailing metadata, after weir_stream_finish(). Until free. */
WEIR_API const weir_metadata *weir_stream_trailers(weir_stream *stream);

/** Cancels if it still runs, and waits for that. NULL is fine. @thread any, when no other uses the
 * stream any more */
WEIR_API void weir_stream_free(weir_stream *stream);

WEIR_END_DECLS

#endif
