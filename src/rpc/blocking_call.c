/* What a handler that blocks does with its call, from the worker's thread. */
#include "blocking.h"

#include <stdlib.h>

/* Sending */

/** Metadata that the loop adds to the call before whatever is posted next. */
typedef struct additions {
    const weir_metadata *headers; /* lie in the blocking call, which outlives this: `owner` */
    const weir_metadata *trailers;
    weir_blocking_call *owner;
    weir_compression compression; /* WEIR_COMPRESSION_DEFAULT: as it is */
    bool send;
} additions;

static void add_all(weir_call *call, const weir_metadata *metadata,
                    weir_err (*add)(weir_call *call, weir_str key, weir_str value))
{
    for (size_t i = 0; metadata && i < metadata->len; i++) {
        weir_err err = add(call, metadata->items[i].key, metadata->items[i].value);
        if (err == WEIR_ENOMEM)
            weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory for metadata");
    }
}

/** Too late, because an interceptor has sent the headers, is the same as a client that does not
 * take it: messages go as they are. */
static void choose_compression(weir_call *call, weir_compression compression)
{
    weir_err late = weir_call_set_compression(call, compression);
    (void)late;
}

static void run_additions(weir_call *call, void *user)
{
    additions *a = user;
    if (call) {
        if (a->compression)
            choose_compression(call, a->compression);
        add_all(call, a->headers, weir_call_add_header);
        add_all(call, a->trailers, weir_call_add_trailer);
        if (a->send)
            weir_call_send_headers(call);
    }
    weir__blocking_drop(a->owner);
    free(a);
}

weir_err weir__blocking_post_metadata(weir_blocking_call *call, const weir_metadata *headers,
                                      const weir_metadata *trailers, bool send)
{
    additions *a = malloc(sizeof *a);
    if (!a)
        return WEIR_ENOMEM;
    *a = (additions){headers, trailers, call, headers ? call->compression : 0, send};
    atomic_fetch_add(&call->owners, 1);
    weir_err err = weir_call_run_post(call->id, run_additions, a);
    if (err) {
        weir__blocking_drop(call);
        free(a);
    }
    return err;
}

/** The initial metadata goes before the first message. */
weir_err weir__blocking_headers(weir_blocking_call *call, bool send)
{
    if (call->headers_sent)
        return WEIR_OK;
    call->headers_sent = true;
    return call->headers.len > 0 || call->compression || send
               ? weir__blocking_post_metadata(call, &call->headers, NULL, send)
               : WEIR_OK;
}

weir_err weir__blocking_send(weir_blocking_call *call, const void *message)
{
    weir_err err = weir__blocking_headers(call, false);
    if (!err)
        err = weir__inbox_send(&call->inbox, call->id, call->method->reply, message,
                               weir_time_never());
    return err;
}

/* What handlers use */

weir_status weir_blocking_fail(weir_blocking_call *call, weir_status_code code, const char *fmt,
                               ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(&call->arena, fmt, args);
    va_end(args);
    return (weir_status){code, text, {"", 0}};
}

weir_arena *weir_blocking_arena(weir_blocking_call *call)
{
    return &call->arena;
}

weir_str weir_blocking_printf(weir_blocking_call *call, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    weir_str text = weir_arena_vprintf(&call->arena, fmt, args);
    va_end(args);
    return text;
}

weir_call_id weir_blocking_id(const weir_blocking_call *call)
{
    return call->id;
}

const weir_method *weir_blocking_method(const weir_blocking_call *call)
{
    return call->method;
}

const weir_metadata *weir_blocking_metadata(const weir_blocking_call *call)
{
    return &call->metadata;
}

weir_addr weir_blocking_peer(const weir_blocking_call *call)
{
    return call->peer;
}

const weir_tls_info *weir_blocking_tls(const weir_blocking_call *call)
{
    return call->tls;
}

weir_str weir_blocking_authority(const weir_blocking_call *call)
{
    return call->authority;
}

weir_str weir_blocking_identity(const weir_blocking_call *call)
{
    return call->identity;
}

weir_time weir_blocking_deadline(const weir_blocking_call *call)
{
    return call->deadline;
}

int64_t weir_blocking_time_left_us(const weir_blocking_call *call)
{
    if (call->deadline.us == WEIR_TIME_NEVER_US)
        return INT64_MAX;
    int64_t left = weir_time_diff(call->deadline, weir_time_now());
    return left > 0 ? left : 0;
}

bool weir_blocking_is_over(weir_blocking_call *call)
{
    pthread_mutex_lock(&call->inbox.lock);
    bool over = call->inbox.closed;
    pthread_mutex_unlock(&call->inbox.lock);
    return over;
}

weir_err weir_blocking_add_header(weir_blocking_call *call, weir_str key, weir_str value)
{
    return call->headers_sent ? WEIR_ESTATE
                              : weir_metadata_add(&call->headers, &call->arena, key, value);
}

weir_err weir_blocking_add_trailer(weir_blocking_call *call, weir_str key, weir_str value)
{
    return weir_metadata_add(&call->trailers, &call->arena, key, value);
}

weir_err weir_blocking_set_compression(weir_blocking_call *call, weir_compression compression)
{
    if (compression == WEIR_COMPRESSION_DEFAULT || (unsigned)compression >= WEIR_COMPRESSION_COUNT)
        return WEIR_EINVAL;
    if (call->headers_sent)
        return WEIR_ESTATE;
    call->compression = compression;
    return WEIR_OK;
}

void weir_blocking_set_message_compression(weir_blocking_call *call, bool on)
{
    call->inbox.uncompressed = !on;
}

weir_err weir_blocking_send_headers(weir_blocking_call *call)
{
    return weir__blocking_headers(call, true);
}

weir_err weir_blocking_read(weir_blocking_call *call, weir_arena *mem, void **message)
{
    if (!weir__client_streams(call->method))
        return WEIR_ECLOSED;
    weir__received *next;
    weir_err err = weir__inbox_take(&call->inbox, call->id, weir_time_never(), &next);
    if (err)
        return err == WEIR_ECLOSED && weir_blocking_is_over(call) ? WEIR_ECANCELED : err;
    err = weir_message_decode(call->method->request, message, mem,
                              weir_str_of(next->bytes, next->len), WEIR_DECODE_COPY);
    free(next);
    return err;
}

weir_err weir_blocking_write(weir_blocking_call *call, const void *message)
{
    if (!weir__server_streams(call->method))
        return WEIR_ESTATE;
    weir_err err = weir__blocking_send(call, message);
    return err == WEIR_ECLOSED ? WEIR_ECANCELED : err;
}
