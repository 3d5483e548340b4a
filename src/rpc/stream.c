/* Blocking streams: the loop fills a bounded queue, the user's thread empties it. */
#include <stdlib.h>

#include "channel_impl.h"
#include "inbox.h"
#include <weir/rpc/stream.h>

struct weir_stream {
    weir__inbox inbox;
    weir_call_id id;
    const weir_method *method;
    weir_arena arena; /* metadata and the final text */
    bool half_closed;

    /* Under the inbox's lock. */
    bool have_headers;
    weir_metadata headers, trailers;
    weir_status status;
};

/* In the loop. */

static void on_headers(weir_call *call, void *user)
{
    weir_stream *stream = user;
    pthread_mutex_lock(&stream->inbox.lock);
    if (weir_metadata_append(&stream->headers, &stream->arena, weir_call_metadata(call)))
        weir_call_cancel(call);
    stream->have_headers = true;
    pthread_mutex_unlock(&stream->inbox.lock);
}

static void on_message(weir_call *call, weir_str bytes, void *user)
{
    weir_stream *stream = user;
    weir__inbox_put(&stream->inbox, call, bytes);
}

static void on_writable(weir_call *call WEIR_UNUSED, void *user)
{
    weir_stream *stream = user;
    weir__inbox_set_writable(&stream->inbox);
}

static void on_closed(weir_call *call, const weir_status *status, void *user)
{
    weir_stream *stream = user;
    pthread_mutex_lock(&stream->inbox.lock);
    if (weir_metadata_append(&stream->trailers, &stream->arena, weir_call_trailers(call)))
        stream->trailers = (weir_metadata){0}; /* rather none than half of them */
    stream->status = (weir_status){status->code, weir_arena_copy(&stream->arena, status->message),
                                   weir_arena_copy(&stream->arena, status->details)};
    pthread_mutex_unlock(&stream->inbox.lock);
    weir__inbox_close(&stream->inbox);
}

static const weir__client_ops stream_ops = {on_headers, on_message, on_writable, on_closed};

/* In the user's thread. */

static void free_stream(weir_stream *stream)
{
    weir__inbox_fini(&stream->inbox);
    weir_arena_fini(&stream->arena);
    free(stream);
}

weir_err weir_stream_open(weir_stream **out, weir_channel *channel, const weir_method *method,
                          const void *request, const weir_call_opts *opts)
{
    if (weir__channel_would_deadlock(channel))
        return WEIR_ESTATE;
    weir_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return WEIR_ENOMEM;
    weir__inbox_init(&stream->inbox, channel->grpc.send_high_water);
    weir_arena_init(&stream->arena, NULL, 0);
    stream->method = method;
    stream->half_closed = request != NULL;
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &stream_ops, stream, opts);
    if (err) {
        free_stream(stream);
        return err;
    }
    stream->id = cc->call.id;
    weir__client_call_go(cc);
    *out = stream;
    return WEIR_OK;
}

weir_err weir_stream_read(weir_stream *stream, weir_arena *mem, void **message)
{
    weir__received *next = weir__inbox_take(&stream->inbox, stream->id, weir_time_never());
    if (!next)
        return WEIR_ECLOSED;
    weir_err err = weir_message_decode(stream->method->reply, message, mem,
                                       weir_str_of(next->bytes, next->len), WEIR_DECODE_COPY);
    free(next);
    return err;
}

void weir_stream_set_message_compression(weir_stream *stream, bool on)
{
    stream->inbox.uncompressed = !on;
}

weir_err weir_stream_write(weir_stream *stream, const void *message)
{
    return stream->half_closed
               ? WEIR_ESTATE
               : weir__inbox_send(&stream->inbox, stream->id, stream->method->request, message,
                                  weir_time_never());
}

weir_err weir_stream_half_close(weir_stream *stream)
{
    if (stream->half_closed)
        return WEIR_ESTATE;
    stream->half_closed = true;
    return weir_call_half_close_post(stream->id);
}

void weir_stream_cancel(weir_stream *stream)
{
    weir_call_cancel_post(stream->id);
}

static void wait_closed(weir_stream *stream)
{
    for (weir__received *next;
         (next = weir__inbox_take(&stream->inbox, stream->id, weir_time_never()));)
        free(next);
}

weir_status weir_stream_finish(weir_stream *stream, weir_arena *mem)
{
    if (!stream->half_closed && weir_stream_half_close(stream) == WEIR_ENOMEM)
        weir_stream_cancel(stream);
    wait_closed(stream);
    return (weir_status){stream->status.code, weir_arena_copy(mem, stream->status.message),
                         weir_arena_copy(mem, stream->status.details)};
}

const weir_metadata *weir_stream_metadata(weir_stream *stream)
{
    pthread_mutex_lock(&stream->inbox.lock);
    bool have = stream->have_headers;
    pthread_mutex_unlock(&stream->inbox.lock);
    return have ? &stream->headers : NULL;
}

const weir_metadata *weir_stream_trailers(weir_stream *stream)
{
    return &stream->trailers;
}

void weir_stream_free(weir_stream *stream)
{
    if (!stream)
        return;
    weir_stream_cancel(stream);
    wait_closed(stream);
    free_stream(stream);
}
