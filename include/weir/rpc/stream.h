/**
 * @file
 * Blocking streams: a client's streaming call driven by one thread (not the channel's) that waits.
 * Received messages queue up to the high-water mark, then the server is slowed down.
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
 * @errors WEIR_ECLOSED: there is none any more, ask weir_stream_finish(). WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_read(weir_stream *stream, weir_arena *mem,
                                                   void **message);

/** Sends; waits while over the high-water mark. @errors WEIR_ECLOSED, WEIR_EMSGSIZE, WEIR_ENOMEM */
WEIR_API WEIR_MUST_CHECK weir_err weir_stream_write(weir_stream *stream, const void *message);

/** As weir_call_set_message_compression(), for the messages that are written from now on. */
WEIR_API void weir_stream_set_message_compression(weir_stream *stream, bool on);

/** No more messages from us. */
WEIR_API weir_err weir_stream_half_close(weir_stream *stream);

/** Ends the call; reads return WEIR_ECLOSED. @thread any, while the stream lives */
WEIR_API void weir_stream_cancel(weir_stream *stream);

/** Half-closes if that was not done, waits for the end. @param mem  the text lives here */
WEIR_API weir_status weir_stream_finish(weir_stream *stream, weir_arena *mem);

/** The server's initial metadata, once a message or the end has come; else NULL. Until free. */
WEIR_API const weir_metadata *weir_stream_metadata(weir_stream *stream);
/** The trailing metadata, after weir_stream_finish(). Until free. */
WEIR_API const weir_metadata *weir_stream_trailers(weir_stream *stream);

/** Cancels if it still runs. NULL is fine. */
WEIR_API void weir_stream_free(weir_stream *stream);

WEIR_END_DECLS

#endif
