/* A call of a blocking handler has two owners: its loop, until it is closed, and the worker, until
 * the handler has returned. Everything between them is in the inbox, or posted by the call's id. */
#include "blocking.h"

#include <stdlib.h>

struct weir_blocking_call {
    atomic_uint owners;
    weir__inbox inbox;
    weir_job job;
    weir__blocking_pool *pool;
    weir__blocking_target target;

    /* Copies, for the call may go before the handler has returned. */
    weir_call_id id;
    const weir_method *method;
    weir_arena arena;
    weir_metadata metadata;
    weir_addr peer;
    weir_str authority, identity;
    weir_time deadline;
    void *request; /* of a client that does not stream */

    /* The handler's. */
    weir_metadata headers, trailers;
    bool headers_sent;
};

/* The pool */

static void on_idle(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir__blocking_pool *pool = WEIR_CONTAINER_OF(task, weir__blocking_pool, idle);
    pool->done(pool->user);
}

static void leave(weir__blocking_pool *pool)
{
    if (atomic_fetch_sub(&pool->running, 1) == 1)
        weir_loop_post(pool->loop, &pool->idle, on_idle);
}

weir_err weir__blocking_pool_open(weir__blocking_pool *pool, weir_loop *loop,
                                  const weir_workers_opts *opts)
{
    pool->loop = loop;
    atomic_store(&pool->running, 1);
    return weir_workers_new(&pool->workers, opts);
}

void weir__blocking_pool_leave(weir__blocking_pool *pool, void (*done)(void *user), void *user)
{
    if (!pool->workers) {
        done(user);
        return;
    }
    pool->done = done;
    pool->user = user;
    leave(pool);
}

void weir__blocking_pool_close(weir__blocking_pool *pool)
{
    weir_workers_free(pool->workers);
    pool->workers = NULL;
}

/* The loop's side */

static bool client_streams(const weir_method *method)
{
    return method->kind == WEIR_METHOD_CLIENT_STREAMING ||
           method->kind == WEIR_METHOD_BIDI_STREAMING;
}

static bool server_streams(const weir_method *method)
{
    return method->kind == WEIR_METHOD_SERVER_STREAMING ||
           method->kind == WEIR_METHOD_BIDI_STREAMING;
}

static void drop_owner(weir_blocking_call *call)
{
    if (atomic_fetch_sub(&call->owners, 1) > 1)
        return;
    weir__inbox_fini(&call->inbox);
    weir_arena_fini(&call->arena);
    free(call);
}

static bool copy_str(weir_blocking_call *call, weir_str *out, weir_str from)
{
    *out = weir_arena_copy(&call->arena, from);
    return out->ptr != NULL;
}

weir_err weir__blocking_new(weir_blocking_call **out, weir_call *of, weir__blocking_pool *pool,
                            const weir__blocking_target *target, const weir_grpc_opts *limits)
{
    weir_blocking_call *call = calloc(1, sizeof *call);
    if (!call)
        return WEIR_ENOMEM;
    atomic_init(&call->owners, 1);
    weir__inbox_init(&call->inbox, limits->send_high_water);
    weir_arena_init(&call->arena, NULL, limits->call_bytes);
    call->pool = pool;
    call->target = *target;
    call->id = of->id;
    call->method = of->method;
    call->peer = weir_call_peer(of);
    call->deadline = weir_call_deadline(of);
    if (weir_metadata_append(&call->metadata, &call->arena, weir_call_metadata(of)) ||
        !copy_str(call, &call->authority, weir_call_authority(of)) ||
        !copy_str(call, &call->identity, weir_call_identity(of))) {
        drop_owner(call);
        return WEIR_ENOMEM;
    }
    *out = call;
    return WEIR_OK;
}

weir_err weir__blocking_request(weir_blocking_call *call, weir_str bytes, const void **request)
{
    weir_err err = weir_message_decode(call->method->request, &call->request, &call->arena, bytes,
                                       WEIR_DECODE_COPY);
    *request = call->request;
    return err;
}

void weir__blocking_message(weir_blocking_call *call, weir_call *of, weir_str bytes)
{
    weir__inbox_put(&call->inbox, of, bytes);
}

void weir__blocking_half_closed(weir_blocking_call *call)
{
    weir__inbox_end(&call->inbox);
}

void weir__blocking_writable(weir_blocking_call *call)
{
    weir__inbox_set_writable(&call->inbox);
}

void weir__blocking_closed(weir_blocking_call *call)
{
    weir__inbox_close(&call->inbox);
    drop_owner(call);
}

/* The worker's side */

/** Metadata that the loop adds to the call before whatever is posted next. */
typedef struct additions {
    const weir_metadata *headers; /* lie in the blocking call, which outlives this: `owner` */
    const weir_metadata *trailers;
    weir_blocking_call *owner;
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

static void run_additions(weir_call *call, void *user)
{
    additions *a = user;
    if (call) {
        add_all(call, a->headers, weir_call_add_header);
        add_all(call, a->trailers, weir_call_add_trailer);
        if (a->send)
            weir_call_send_headers(call);
    }
    drop_owner(a->owner);
    free(a);
}

static weir_err post_additions(weir_blocking_call *call, const weir_metadata *headers,
                               const weir_metadata *trailers, bool send)
{
    additions *a = malloc(sizeof *a);
    if (!a)
        return WEIR_ENOMEM;
    *a = (additions){headers, trailers, call, send};
    atomic_fetch_add(&call->owners, 1);
    weir_err err = weir_call_run_post(call->id, run_additions, a);
    if (err) {
        drop_owner(call);
        free(a);
    }
    return err;
}

/** The initial metadata goes before the first message. */
static weir_err prepare_headers(weir_blocking_call *call, bool send)
{
    if (call->headers_sent)
        return WEIR_OK;
    call->headers_sent = true;
    return call->headers.len > 0 || send ? post_additions(call, &call->headers, NULL, send)
                                         : WEIR_OK;
}

static weir_err send_message(weir_blocking_call *call, const void *message)
{
    weir_err err = prepare_headers(call, false);
    if (!err)
        err = weir__inbox_send(&call->inbox, call->id, call->method->reply, message,
                               weir_time_never());
    return err;
}

static weir_status status_of(weir_err err)
{
    return (weir_status){
        (weir_status_code)weir_err_status(err), weir_str_from(weir_err_text(err)), {"", 0}};
}

/** What the handler has returned goes out. Errors mean that the call is over. */
static void finish(weir_blocking_call *call, weir_status status, const void *reply)
{
    weir_err err = WEIR_OK;
    if (status.code == WEIR_STATUS_OK && !server_streams(call->method))
        err = send_message(call, reply);
    if (!err)
        err = prepare_headers(call, false);
    if (!err && call->trailers.len > 0)
        err = post_additions(call, NULL, &call->trailers, false);
    if (err && err != WEIR_ECLOSED)
        status = status_of(err);
    if (weir_call_finish_post(call->id, &status) == WEIR_ENOMEM)
        weir_call_cancel_post(call->id);
}

static void run(weir_job *job, weir_err err)
{
    weir_blocking_call *call = WEIR_CONTAINER_OF(job, weir_blocking_call, job);
    weir__blocking_pool *pool = call->pool;
    void *reply = weir_arena_zalloc(&call->arena, call->method->reply->size);
    if (err || !reply)
        finish(call, status_of(err ? err : WEIR_ENOMEM), NULL);
    else if (!weir_blocking_is_over(call)) /* it may have waited long */
        finish(call,
               call->target.handler->run(call, call->request, reply, call->target.methods,
                                         call->target.user),
               reply);
    drop_owner(call);
    leave(pool);
}

void weir__blocking_start(weir_blocking_call *call, weir_call *of)
{
    atomic_fetch_add(&call->owners, 1);
    atomic_fetch_add(&call->pool->running, 1);
    if (weir_workers_post(call->pool->workers, &call->job, run) == WEIR_OK)
        return;
    drop_owner(call);
    leave(call->pool);
    weir_call_fail(of, WEIR_STATUS_RESOURCE_EXHAUSTED,
                   "all workers are busy and their queue is full (workers_queue)");
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

weir_err weir_blocking_send_headers(weir_blocking_call *call)
{
    return prepare_headers(call, true);
}

weir_err weir_blocking_read(weir_blocking_call *call, weir_arena *mem, void **message)
{
    if (!client_streams(call->method))
        return WEIR_ECLOSED;
    weir__received *next = weir__inbox_take(&call->inbox, call->id, weir_time_never());
    if (!next)
        return weir_blocking_is_over(call) ? WEIR_ECANCELED : WEIR_ECLOSED;
    weir_err err = weir_message_decode(call->method->request, message, mem,
                                       weir_str_of(next->bytes, next->len), WEIR_DECODE_COPY);
    free(next);
    return err;
}

weir_err weir_blocking_write(weir_blocking_call *call, const void *message)
{
    if (!server_streams(call->method))
        return WEIR_ESTATE;
    weir_err err = send_message(call, message);
    return err == WEIR_ECLOSED ? WEIR_ECANCELED : err;
}
