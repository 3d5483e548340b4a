/* Blocking streams: the loop fills a bounded queue, the user's thread empties it. */
#include <stdatomic.h>
#include <stdlib.h>

#include "channel_impl.h"
#include "inbox.h"
#include <weir/rpc/stream.h>

struct weir_stream {
    weir__inbox inbox;
    weir_call_id id;
    const weir_method *method;
    weir_arena arena; /* metadata and the final text */
    atomic_bool half_closed;
    atomic_bool finished;

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
    weir__inbox_init(&stream->inbox, &channel->grpc);
    weir_arena_init(&stream->arena, NULL, 0);
    stream->method = method;
    atomic_init(&stream->half_closed, request != NULL);
    atomic_init(&stream->finished, false);
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

weir_err weir_stream_read_until(weir_stream *stream, weir_arena *mem, weir_time deadline,
                                void **message)
{
    weir__received *next;
    weir_err err = weir__inbox_take(&stream->inbox, stream->id, deadline, &next);
    if (err)
        return err;
    err = weir_message_decode(stream->method->reply, message, mem,
                              weir_str_of(next->bytes, next->len), WEIR_DECODE_COPY);
    free(next);
    return err;
}

weir_err weir_stream_read(weir_stream *stream, weir_arena *mem, void **message)
{
    return weir_stream_read_until(stream, mem, weir_time_never(), message);
}

void weir_stream_set_message_compression(weir_stream *stream, bool on)
{
    stream->inbox.uncompressed = !on;
}

weir_err weir_stream_write_until(weir_stream *stream, const void *message, weir_time deadline)
{
    if (atomic_load(&stream->half_closed))
        return WEIR_ESTATE;
    return weir__inbox_send(&stream->inbox, stream->id, stream->method->request, message, deadline);
}

weir_err weir_stream_write(weir_stream *stream, const void *message)
{
    return weir_stream_write_until(stream, message, weir_time_never());
}

weir_err weir_stream_try_write(weir_stream *stream, const void *message)
{
    weir_err err = weir_stream_write_until(stream, message, (weir_time){0});
    return err == WEIR_ETIMEDOUT ? WEIR_EAGAIN : err;
}

weir_err weir_stream_half_close(weir_stream *stream)
{
    if (atomic_exchange(&stream->half_closed, true))
        return WEIR_ESTATE;
    weir_err err = weir_call_half_close_post(stream->id);
    if (err == WEIR_ENOMEM)
        atomic_store(&stream->half_closed, false);
    return err;
}

void weir_stream_cancel(weir_stream *stream)
{
    weir_call_cancel_post(stream->id);
}

/** Messages that nobody has read are dropped. @return WEIR_ESTATE: another thread reads */
static weir_err wait_end(weir_stream *stream)
{
    weir__received *next;
    weir_err err;
    while (!(err = weir__inbox_take(&stream->inbox, stream->id, weir_time_never(), &next)))
        free(next);
    return err == WEIR_ECLOSED ? WEIR_OK : err;
}

static weir_status refuse(const char *why)
{
    return (weir_status){WEIR_STATUS_FAILED_PRECONDITION, weir_str_from(why), {"", 0}};
}

weir_status weir_stream_finish(weir_stream *stream, weir_arena *mem)
{
    if (atomic_exchange(&stream->finished, true))
        return refuse("the stream is finished already");
    if (weir_stream_half_close(stream) == WEIR_ENOMEM)
        weir_stream_cancel(stream);
    if (wait_end(stream)) {
        atomic_store(&stream->finished, false);
        return refuse("another thread reads the stream: it must be done first");
    }
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
    weir__inbox_wait_closed(&stream->inbox);
    free_stream(stream);
}
