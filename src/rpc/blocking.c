/* A call of a blocking handler has two owners: its loop, until it is closed, and the worker, until
 * the handler has returned. Everything between them is in the inbox, or posted by the call's id. */
#include "blocking.h"

#include <stdlib.h>

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
                                  const weir_grpc_opts *limits, const weir_workers_opts *opts)
{
    pool->loop = loop;
    pool->limits = limits;
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

void weir__blocking_drop(weir_blocking_call *call)
{
    if (atomic_fetch_sub(&call->owners, 1) > 1)
        return;
    weir__inbox_fini(&call->inbox);
    weir_arena_fini(&call->arena);
    weir_tls_info_unref(call->tls);
    free(call);
}

static bool copy_str(weir_blocking_call *call, weir_str *out, weir_str from)
{
    *out = weir_arena_copy(&call->arena, from);
    return out->ptr != NULL;
}

static weir_err new_call(weir_blocking_call **out, weir_call *of,
                         const weir__blocking_target *target)
{
    weir_blocking_call *call = calloc(1, sizeof *call);
    if (!call)
        return WEIR_ENOMEM;
    const weir_grpc_opts *limits = target->pool->limits;
    atomic_init(&call->owners, 1);
    weir__inbox_init(&call->inbox, limits);
    weir_arena_init(&call->arena, NULL, limits->call_bytes);
    call->target = target;
    call->id = of->id;
    call->method = of->method;
    call->peer = weir_call_peer(of);
    call->tls = weir_tls_info_ref(weir_call_tls(of));
    call->deadline = weir_call_deadline(of);
    if (weir_metadata_append(&call->metadata, &call->arena, weir_call_metadata(of)) ||
        !copy_str(call, &call->authority, weir_call_authority(of)) ||
        !copy_str(call, &call->identity, weir_call_identity(of))) {
        weir__blocking_drop(call);
        return WEIR_ENOMEM;
    }
    *out = call;
    return WEIR_OK;
}

static void run(weir_job *job, weir_err err);

/** The handler begins, or the call ends because it cannot. */
static void start(weir_blocking_call *call, weir_call *of)
{
    weir__blocking_pool *pool = call->target->pool;
    atomic_fetch_add(&call->owners, 1);
    atomic_fetch_add(&pool->running, 1);
    if (weir_workers_post(pool->workers, &call->job, run) == WEIR_OK)
        return;
    weir__blocking_drop(call);
    leave(pool);
    weir_call_fail(of, WEIR_STATUS_RESOURCE_EXHAUSTED,
                   "all workers are busy and their queue is full (workers_queue)");
}

static bool is_present(const void *methods WEIR_UNUSED)
{
    return true;
}

static void on_open(weir_call *of, const void *request WEIR_UNUSED, const void *methods,
                    void *user WEIR_UNUSED)
{
    weir_blocking_call *call;
    if (new_call(&call, of, methods)) {
        weir_call_fail(of, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    of->half = call;
    if (weir__client_streams(call->method))
        start(call, of);
}

static void on_bytes(weir_call *of, weir_str bytes, const void *methods WEIR_UNUSED,
                     void *user WEIR_UNUSED)
{
    weir_blocking_call *call = of->half;
    if (weir__client_streams(call->method)) {
        weir__inbox_put(&call->inbox, of, bytes);
        return;
    }
    weir_err err = weir_message_decode(call->method->request, &call->request, &call->arena, bytes,
                                       WEIR_DECODE_COPY);
    if (err)
        weir__call_malformed(of, err);
}

static void on_half_closed(weir_call *of, const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_blocking_call *call = of->half;
    if (weir__client_streams(call->method))
        weir__inbox_end(&call->inbox);
    else
        start(call, of);
}

static void on_writable(weir_call *of, const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_blocking_call *call = of->half;
    if (call)
        weir__inbox_set_writable(&call->inbox);
}

static void on_closed(weir_call *of, const weir_status *why WEIR_UNUSED,
                      const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_blocking_call *call = of->half;
    if (call)
        weir__inbox_close(&call->inbox);
}

void weir__blocking_release(weir_call *of)
{
    weir_blocking_call *call = of->half;
    if (call)
        weir__blocking_drop(call);
}

bool weir__blocking_after(weir_blocking_call *call, weir_call_after *after)
{
    pthread_mutex_lock(&call->inbox.lock);
    bool works = call->works;
    if (works && after) {
        after->next = call->after;
        call->after = after;
    }
    pthread_mutex_unlock(&call->inbox.lock);
    return works;
}

const weir_handler weir__blocking_handler = {
    .present = is_present,
    .open = on_open,
    .bytes = on_bytes,
    .half_closed = on_half_closed,
    .writable = on_writable,
    .closed = on_closed,
};

/* The worker's side */

static weir_status status_of(weir_err err)
{
    return (weir_status){
        (weir_status_code)weir_err_status(err), weir_str_from(weir_err_text(err)), {"", 0}};
}

/** What the handler has returned goes out. Errors mean that the call is over. */
static void finish(weir_blocking_call *call, weir_status status, const void *reply)
{
    weir_err err = WEIR_OK;
    if (status.code == WEIR_STATUS_OK && !weir__server_streams(call->method))
        err = weir__blocking_send(call, reply);
    if (!err)
        err = weir__blocking_headers(call, false);
    if (!err && call->trailers.len > 0)
        err = weir__blocking_post_metadata(call, NULL, &call->trailers, false);
    if (err && err != WEIR_ECLOSED)
        status = status_of(err);
    if (weir_call_finish_post(call->id, &status) == WEIR_ENOMEM)
        weir_call_cancel_post(call->id);
}

/** It may have waited long; and its loop, which ends it when its time is over, may be late.
 * @return whether the handler is to run */
static bool begin_work(weir_blocking_call *call)
{
    if (weir_blocking_time_left_us(call) == 0) {
        static const weir_status late = {
            WEIR_STATUS_DEADLINE_EXCEEDED, {"deadline exceeded", 17}, {"", 0}};
        finish(call, late, NULL);
        return false;
    }
    pthread_mutex_lock(&call->inbox.lock);
    call->works = !call->inbox.closed;
    bool works = call->works;
    pthread_mutex_unlock(&call->inbox.lock);
    return works;
}

static void end_work(weir_blocking_call *call)
{
    pthread_mutex_lock(&call->inbox.lock);
    weir_call_after *after = call->after;
    call->works = false;
    call->after = NULL;
    pthread_mutex_unlock(&call->inbox.lock);
    while (after) {
        weir_call_after *next = after->next;
        after->fn(after);
        after = next;
    }
}

static void run(weir_job *job, weir_err err)
{
    weir_blocking_call *call = WEIR_CONTAINER_OF(job, weir_blocking_call, job);
    const weir__blocking_target *target = call->target;
    void *reply = weir_arena_zalloc(&call->arena, call->method->reply->size);
    if (err || !reply) {
        finish(call, status_of(err ? err : WEIR_ENOMEM), NULL);
    } else if (begin_work(call)) {
        weir_status status =
            target->handler->run(call, call->request, reply, target->methods, target->user);
        end_work(call);
        finish(call, status, reply);
    }
    weir__blocking_drop(call);
    leave(target->pool);
}
