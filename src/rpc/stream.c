/* Blocking streams: the loop fills a bounded queue, the user's thread empties it. */
#include <pthread.h>
#include <stdlib.h>

#include "channel_impl.h"
#include <weir/rpc/stream.h>

/** A received message, not decoded: the reader does that in its own thread and memory. */
typedef struct received {
    struct received *next;
    size_t len;
    char bytes[];
} received;

struct weir_stream {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    weir_call_id id;
    const weir_method *method;
    size_t high_water;
    weir_arena arena; /* metadata and the final text */

    /* Under the lock. */
    received *first, *last;
    size_t queued_bytes;
    bool paused; /* the loop has stopped delivery */
    bool out_of_memory;
    bool writable; /* since the last WEIR_EAGAIN */
    bool half_closed;
    bool have_headers;
    bool closed;
    weir_metadata headers, trailers;
    weir_status status;
};

static void copy_metadata(weir_stream *stream, weir_metadata *to, const weir_metadata *from)
{
    for (size_t i = 0; i < from->len; i++) {
        if (weir_metadata_add(to, &stream->arena, from->items[i].key, from->items[i].value) ==
            WEIR_ENOMEM)
            stream->out_of_memory = true;
    }
}

/* In the loop. */

static void on_headers(weir_call *call, void *user)
{
    weir_stream *stream = user;
    pthread_mutex_lock(&stream->lock);
    copy_metadata(stream, &stream->headers, weir_call_metadata(call));
    stream->have_headers = true;
    pthread_mutex_unlock(&stream->lock);
}

static void on_message(weir_call *call, weir_str bytes, void *user)
{
    weir_stream *stream = user;
    received *node = malloc(sizeof *node + bytes.len);
    if (!node) {
        weir_call_cancel(call);
        return;
    }
    node->next = NULL;
    node->len = bytes.len;
    if (bytes.len > 0)
        memcpy(node->bytes, bytes.ptr, bytes.len);
    pthread_mutex_lock(&stream->lock);
    if (stream->first)
        stream->last->next = node;
    else
        stream->first = node;
    stream->last = node;
    stream->queued_bytes += sizeof *node + bytes.len;
    if (stream->queued_bytes >= stream->high_water && !stream->paused) {
        stream->paused = true;
        weir_call_pause(call);
    }
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

static void on_writable(weir_call *call WEIR_UNUSED, void *user)
{
    weir_stream *stream = user;
    pthread_mutex_lock(&stream->lock);
    stream->writable = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

static void on_closed(weir_call *call, const weir_status *status, void *user)
{
    weir_stream *stream = user;
    pthread_mutex_lock(&stream->lock);
    copy_metadata(stream, &stream->trailers, weir_call_trailers(call));
    stream->status = (weir_status){status->code, weir_arena_copy(&stream->arena, status->message),
                                   weir_arena_copy(&stream->arena, status->details)};
    stream->closed = true;
    pthread_cond_broadcast(&stream->changed);
    pthread_mutex_unlock(&stream->lock);
}

static const weir__client_ops stream_ops = {on_headers, on_message, on_writable, on_closed};

/* In the user's thread. */

static void free_stream(weir_stream *stream)
{
    while (stream->first) {
        received *node = stream->first;
        stream->first = node->next;
        free(node);
    }
    weir_arena_fini(&stream->arena);
    pthread_cond_destroy(&stream->changed);
    pthread_mutex_destroy(&stream->lock);
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
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->changed, NULL);
    weir_arena_init(&stream->arena, NULL, 0);
    stream->method = method;
    stream->high_water = channel->grpc.send_high_water;
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

/** The oldest message, which is the caller's; NULL at the end. */
static received *wait_message(weir_stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    while (!stream->first && !stream->closed)
        pthread_cond_wait(&stream->changed, &stream->lock);
    received *node = stream->first;
    bool resume = false;
    if (node) {
        stream->first = node->next;
        stream->queued_bytes -= sizeof *node + node->len;
        resume = stream->paused && stream->queued_bytes <= stream->high_water / 2;
        if (resume)
            stream->paused = false;
    }
    pthread_mutex_unlock(&stream->lock);
    if (resume && weir__call_resume_post(stream->id) == WEIR_ENOMEM)
        weir_stream_cancel(stream);
    return node;
}

weir_err weir_stream_read(weir_stream *stream, weir_arena *mem, void **message)
{
    received *node = wait_message(stream);
    if (!node)
        return WEIR_ECLOSED;
    weir_err err = weir_message_decode(stream->method->reply, message, mem,
                                       weir_str_of(node->bytes, node->len), WEIR_DECODE_COPY);
    free(node);
    return err;
}

weir_err weir_stream_write(weir_stream *stream, const void *message)
{
    if (stream->half_closed)
        return WEIR_ESTATE;
    for (;;) {
        pthread_mutex_lock(&stream->lock);
        stream->writable = false;
        pthread_mutex_unlock(&stream->lock);
        weir_err err = weir_call_send_post(stream->id, stream->method->request, message);
        if (err != WEIR_EAGAIN)
            return err;
        pthread_mutex_lock(&stream->lock);
        while (!stream->writable && !stream->closed)
            pthread_cond_wait(&stream->changed, &stream->lock);
        pthread_mutex_unlock(&stream->lock);
    }
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
    for (received *node; (node = wait_message(stream));)
        free(node);
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
    pthread_mutex_lock(&stream->lock);
    bool have = stream->have_headers;
    pthread_mutex_unlock(&stream->lock);
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
