/* What happens to a call in its loop becomes an event in a queue. */
#include <stdlib.h>

#include "channel_impl.h"
#include "queue.h"

static weir__queue_call *call_new(weir_queue *queue, const weir_method *method, void *tag,
                                  bool server)
{
    weir__queue_call *call = calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->queue = queue;
    call->method = method;
    call->tag = tag;
    call->server = server;
    atomic_init(&call->owners, 1);
    weir_arena_init(&call->arena, NULL, 0);
    for (int i = 0; i < WEIR__RESERVED; i++)
        call->reserved[i].call = call;
    call->reserved[WEIR__RESERVED_BEGIN].kind = server ? WEIR_EVENT_CALL : WEIR_EVENT_HEADERS;
    call->reserved[WEIR__RESERVED_HALF_CLOSED].kind = WEIR_EVENT_HALF_CLOSED;
    call->reserved[WEIR__RESERVED_WRITABLE].kind = WEIR_EVENT_WRITABLE;
    call->reserved[WEIR__RESERVED_CLOSED].kind = WEIR_EVENT_CLOSED;
    return call;
}

/** @errors WEIR_ECLOSED: the queue was shut down. WEIR_EFULL: too many calls of servers */
static weir_err enter(weir__queue_call *call)
{
    weir_queue *queue = call->queue;
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&queue->lock);
    if (queue->shut)
        err = WEIR_ECLOSED;
    else if (call->server && queue->server_calls >= queue->opts.max_calls)
        err = WEIR_EFULL;
    if (!err) {
        queue->owners++;
        queue->server_calls += call->server;
        weir_list_append(&queue->calls, &call->node);
    }
    pthread_mutex_unlock(&queue->lock);
    return err;
}

static void push(weir__queue_call *call, weir__reserved which)
{
    pthread_mutex_lock(&call->queue->lock);
    weir__queue_push(call->queue, &call->reserved[which]);
    pthread_mutex_unlock(&call->queue->lock);
}

static void push_message(weir__queue_call *call, weir_call *of, weir_str bytes)
{
    weir__queued *event = malloc(sizeof *event + bytes.len);
    if (!event) {
        weir_call_cancel(of);
        return;
    }
    memset(event, 0, sizeof *event);
    event->kind = WEIR_EVENT_MESSAGE;
    event->call = call;
    event->len = bytes.len;
    if (bytes.len > 0)
        memcpy(event->bytes, bytes.ptr, bytes.len);
    pthread_mutex_lock(&call->queue->lock);
    call->queued_bytes += sizeof *event + bytes.len;
    if (call->queued_bytes >= call->queue->opts.call_bytes && !call->paused) {
        call->paused = true;
        weir_call_pause(of);
    }
    weir__queue_push(call->queue, event);
    pthread_mutex_unlock(&call->queue->lock);
}

/** The last event; without memory for its text it comes without. */
static void push_closed(weir__queue_call *call, const weir_status *status)
{
    call->status = (weir_status){status->code, weir_arena_copy(&call->arena, status->message),
                                 weir_arena_copy(&call->arena, status->details)};
    weir_queue *queue = call->queue;
    pthread_mutex_lock(&queue->lock);
    weir_list_remove(&call->node);
    queue->server_calls -= call->server;
    weir__queue_push(queue, &call->reserved[WEIR__RESERVED_CLOSED]);
    pthread_cond_broadcast(&queue->changed); /* it may be the last of all */
    weir__queue_leave(queue);
    weir__queue_call_drop(call);
}

/* Clients */

static void client_headers(weir_call *of, void *user)
{
    weir__queue_call *call = user;
    if (weir_metadata_append(&call->first, &call->arena, weir_call_metadata(of)))
        weir_call_cancel(of);
    push(call, WEIR__RESERVED_BEGIN);
}

static void client_message(weir_call *of, weir_str bytes, void *user)
{
    push_message(user, of, bytes);
}

static void client_writable(weir_call *of WEIR_UNUSED, void *user)
{
    push(user, WEIR__RESERVED_WRITABLE);
}

static void client_closed(weir_call *of, const weir_status *status, void *user)
{
    weir__queue_call *call = user;
    if (weir_metadata_append(&call->trailers, &call->arena, weir_call_trailers(of)))
        call->trailers = (weir_metadata){0}; /* rather none than half of them */
    push_closed(call, status);
}

static const weir__client_ops client_ops = {client_headers, client_message, client_writable,
                                            client_closed};

weir_err weir_queue_start(weir_queue *queue, weir_channel *channel, const weir_method *method,
                          const void *request, void *tag, const weir_call_opts *opts,
                          weir_call_id *id)
{
    weir__queue_call *call = call_new(queue, method, tag, false);
    if (!call)
        return WEIR_ENOMEM;
    weir__client_call *cc;
    weir_err err = weir__client_call_new(&cc, channel, method, request, &client_ops, call, opts);
    if (err) {
        weir__queue_call_drop(call);
        return err;
    }
    call->id = cc->call.id;
    call->deadline = cc->call.deadline;
    err = enter(call);
    if (err) {
        weir__client_call_drop(cc);
        weir__queue_call_drop(call);
        return err;
    }
    if (id)
        *id = call->id;
    weir__client_call_go(cc);
    return WEIR_OK;
}

/* Servers */

/** A service in a queue; lives with the server. */
typedef struct binding {
    weir_server_part part;
    weir_queue *queue;
    void *tag;
    weir_handler handlers[]; /* one a method, all the same */
} binding;

static bool is_present(const void *methods WEIR_UNUSED)
{
    return true;
}

static void refuse(weir_call *of, weir_err err)
{
    if (err == WEIR_ECLOSED)
        weir_call_fail(of, WEIR_STATUS_UNAVAILABLE, "the server's queue is shut down");
    else if (err == WEIR_EFULL)
        weir_call_fail(of, WEIR_STATUS_RESOURCE_EXHAUSTED, "too many calls at once (max_calls)");
    else
        weir_call_fail(of, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static void server_open(weir_call *of, const void *request WEIR_UNUSED,
                        const void *methods WEIR_UNUSED, void *user)
{
    const binding *b = user;
    weir__queue_call *call = call_new(b->queue, weir_call_method(of), b->tag, true);
    weir_err err = call ? WEIR_OK : WEIR_ENOMEM;
    if (!err) {
        call->id = weir_call_id_of(of);
        call->deadline = weir_call_deadline(of);
        err = weir_metadata_append(&call->first, &call->arena, weir_call_metadata(of));
    }
    if (!err)
        err = enter(call);
    if (err) {
        refuse(of, err);
        if (call)
            weir__queue_call_drop(call);
        return;
    }
    of->half = call;
    push(call, WEIR__RESERVED_BEGIN);
}

static void server_bytes(weir_call *of, weir_str bytes, const void *methods WEIR_UNUSED,
                         void *user WEIR_UNUSED)
{
    push_message(of->half, of, bytes);
}

static void server_half_closed(weir_call *of, const void *methods WEIR_UNUSED,
                               void *user WEIR_UNUSED)
{
    if (weir__client_streams(weir_call_method(of)))
        push(of->half, WEIR__RESERVED_HALF_CLOSED);
}

static void server_writable(weir_call *of, const void *methods WEIR_UNUSED, void *user WEIR_UNUSED)
{
    if (of->half)
        push(of->half, WEIR__RESERVED_WRITABLE);
}

static void server_closed(weir_call *of, const weir_status *why, const void *methods WEIR_UNUSED,
                          void *user WEIR_UNUSED)
{
    if (of->half)
        push_closed(of->half, why);
}

static const weir_handler server_handler = {
    .present = is_present,
    .open = server_open,
    .bytes = server_bytes,
    .half_closed = server_half_closed,
    .writable = server_writable,
    .closed = server_closed,
};

static void on_free(weir_server_part *part)
{
    free(WEIR_CONTAINER_OF(part, binding, part));
}

weir_err weir_queue_serve(weir_queue *queue, weir_server *server, const weir_service *service,
                          void *tag)
{
    binding *b = calloc(1, sizeof *b + service->method_count * sizeof *b->handlers);
    if (!b)
        return WEIR_ENOMEM;
    b->part.on_free = on_free;
    b->queue = queue;
    b->tag = tag;
    for (size_t i = 0; i < service->method_count; i++)
        b->handlers[i] = server_handler;
    weir_err err = weir_server_add(server, service, b->handlers, NULL, b);
    if (err)
        free(b);
    else
        weir_server_attach(server, &b->part);
    return err;
}
