#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "call_impl.h"

enum {
    DEFAULT_CALL_BYTES = 64 << 10,
    DEFAULT_MAX_CALLS = 10000
};

static const weir_metadata nothing;

weir_err weir_queue_new(weir_queue **out, const weir_queue_opts *opts)
{
    weir_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return WEIR_ENOMEM;
    if (opts)
        queue->opts = *opts;
    if (!queue->opts.call_bytes)
        queue->opts.call_bytes = DEFAULT_CALL_BYTES;
    if (!queue->opts.max_calls)
        queue->opts.max_calls = DEFAULT_MAX_CALLS;
    pthread_condattr_t attributes;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    weir_list_init(&queue->events);
    weir_list_init(&queue->calls);
    queue->owners = 1;
    queue->descriptor = -1;
    *out = queue;
    return WEIR_OK;
}

void weir__queue_leave(weir_queue *queue)
{
    bool last = --queue->owners == 0;
    pthread_mutex_unlock(&queue->lock);
    if (!last)
        return;
    if (queue->descriptor >= 0)
        close(queue->descriptor);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void weir__queue_call_drop(weir__queue_call *call)
{
    if (atomic_fetch_sub(&call->owners, 1) > 1)
        return;
    weir_arena_fini(&call->arena);
    free(call);
}

static void forget(weir__queued *event)
{
    weir__queue_call *call = event->call;
    if (event->kind == WEIR_EVENT_MESSAGE)
        free(event);
    weir__queue_call_drop(call);
}

void weir_queue_free(weir_queue *queue)
{
    if (!queue)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->shut = queue->freed = true;
    for (weir_list *node; (node = weir_list_pop(&queue->events));)
        forget(WEIR_CONTAINER_OF(node, weir__queued, node));
    weir_list_each (node, next, &queue->calls)
        weir_call_cancel_post(WEIR_CONTAINER_OF(node, weir__queue_call, node)->id);
    weir__queue_leave(queue);
}

/* The descriptor says whether events wait: it is written when the first one comes, and read when
 * the last one is taken. */

static void show(weir_queue *queue)
{
    uint64_t one = 1;
    if (queue->descriptor >= 0 && write(queue->descriptor, &one, sizeof one) < 0)
        WEIR_LOG_ERROR("eventfd: %s", weir_err_text(weir_err_from_errno(errno)));
}

static void hide(weir_queue *queue)
{
    uint64_t count;
    if (queue->descriptor >= 0 && read(queue->descriptor, &count, sizeof count) < 0 &&
        errno != EAGAIN)
        WEIR_LOG_ERROR("eventfd: %s", weir_err_text(weir_err_from_errno(errno)));
}

static bool is_over(const weir_queue *queue)
{
    return queue->shut && weir_list_empty(&queue->calls) && weir_list_empty(&queue->events);
}

int weir_queue_descriptor(weir_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (queue->descriptor < 0) {
        queue->descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!weir_list_empty(&queue->events) || is_over(queue))
            show(queue);
    }
    int descriptor = queue->descriptor;
    pthread_mutex_unlock(&queue->lock);
    return descriptor;
}

void weir__queue_push(weir_queue *queue, weir__queued *event)
{
    if (queue->freed || weir_list_linked(&event->node)) {
        if (event->kind == WEIR_EVENT_MESSAGE)
            free(event);
        return;
    }
    atomic_fetch_add(&event->call->owners, 1);
    if (weir_list_empty(&queue->events))
        show(queue);
    weir_list_append(&queue->events, &event->node);
    pthread_cond_signal(&queue->changed);
}

void weir_queue_shutdown(weir_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->shut = true;
    if (is_over(queue))
        show(queue); /* who polls shall hear of it */
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

/* Taking */

static struct timespec when(int64_t timeout_us)
{
    weir_time until = weir_time_add(weir_time_now(), timeout_us);
    return (struct timespec){.tv_sec = until.us / 1000000, .tv_nsec = until.us % 1000000 * 1000};
}

/** Under the lock. */
static weir_err wait_event(weir_queue *queue, int64_t timeout_us)
{
    struct timespec until = {0};
    if (timeout_us > 0)
        until = when(timeout_us);
    int rv = 0;
    while (weir_list_empty(&queue->events) && !is_over(queue)) {
        if (timeout_us == 0 || rv == ETIMEDOUT)
            return WEIR_ETIMEDOUT;
        rv = timeout_us < 0 ? pthread_cond_wait(&queue->changed, &queue->lock)
                            : pthread_cond_timedwait(&queue->changed, &queue->lock, &until);
    }
    return is_over(queue) ? WEIR_ECLOSED : WEIR_OK;
}

/** Under the lock. @return whether the peer may go on */
static bool take(weir_queue *queue, weir_event *out)
{
    weir_list *node = weir_list_pop(&queue->events);
    weir__queued *event = WEIR_CONTAINER_OF(node, weir__queued, node);
    weir__queue_call *call = event->call;
    if (weir_list_empty(&queue->events) && !is_over(queue))
        hide(queue);
    bool closed = event->kind == WEIR_EVENT_CLOSED;
    bool first = event->kind == WEIR_EVENT_CALL || event->kind == WEIR_EVENT_HEADERS;
    *out = (weir_event){.kind = event->kind,
                        .id = call->id,
                        .method = call->method,
                        .tag = call->tag,
                        .metadata = first    ? &call->first
                                    : closed ? &call->trailers
                                             : &nothing,
                        .deadline = call->deadline,
                        .queued = event};
    if (closed)
        out->status = call->status;
    if (event->kind != WEIR_EVENT_MESSAGE)
        return false;
    out->bytes = weir_str_of(event->bytes, event->len);
    call->queued_bytes -= sizeof *event + event->len;
    bool resume = call->paused && call->queued_bytes <= queue->opts.call_bytes / 2;
    call->paused &= !resume;
    return resume;
}

weir_err weir_queue_next(weir_queue *queue, int64_t timeout_us, weir_event *event)
{
    pthread_mutex_lock(&queue->lock);
    weir_err err = wait_event(queue, timeout_us);
    bool resume = !err && take(queue, event);
    pthread_mutex_unlock(&queue->lock);
    if (resume && weir__call_resume_post(event->id) == WEIR_ENOMEM)
        weir_call_cancel_post(event->id);
    return err;
}

void weir_event_fini(weir_event *event)
{
    if (event->queued)
        forget(event->queued);
    event->queued = NULL;
}

void weir_event_set_tag(const weir_event *event, void *tag)
{
    weir__queue_call *call = event->queued->call;
    pthread_mutex_lock(&call->queue->lock);
    call->tag = tag;
    pthread_mutex_unlock(&call->queue->lock);
}
