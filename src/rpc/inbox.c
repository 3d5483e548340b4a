#include "inbox.h"

#include <stdlib.h>

void weir__inbox_init(weir__inbox *inbox, const weir_grpc_opts *limits)
{
    pthread_condattr_t attributes;
    *inbox = (weir__inbox){.high_water = limits->send_high_water,
                           .max_send_bytes = limits->max_send_bytes};
    pthread_mutex_init(&inbox->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&inbox->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void weir__inbox_fini(weir__inbox *inbox)
{
    while (inbox->first) {
        weir__received *message = inbox->first;
        inbox->first = message->next;
        free(message);
    }
    pthread_cond_destroy(&inbox->changed);
    pthread_mutex_destroy(&inbox->lock);
}

void weir__inbox_put(weir__inbox *inbox, weir_call *call, weir_str bytes)
{
    weir__received *message = malloc(sizeof *message + bytes.len);
    if (!message) {
        weir_call_cancel(call);
        return;
    }
    message->next = NULL;
    message->len = bytes.len;
    if (bytes.len > 0)
        memcpy(message->bytes, bytes.ptr, bytes.len);
    pthread_mutex_lock(&inbox->lock);
    if (inbox->first)
        inbox->last->next = message;
    else
        inbox->first = message;
    inbox->last = message;
    inbox->queued_bytes += sizeof *message + bytes.len;
    if (inbox->queued_bytes >= inbox->high_water && !inbox->paused) {
        inbox->paused = true;
        weir_call_pause(call);
    }
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

static void set(weir__inbox *inbox, bool *flag)
{
    pthread_mutex_lock(&inbox->lock);
    *flag = true;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

void weir__inbox_set_writable(weir__inbox *inbox)
{
    set(inbox, &inbox->writable);
}

void weir__inbox_end(weir__inbox *inbox)
{
    set(inbox, &inbox->ended);
}

void weir__inbox_close(weir__inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->ended = inbox->closed = true;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

/** Under the lock. @return false: `deadline` is over */
static bool wait_change(weir__inbox *inbox, weir_time deadline)
{
    if (deadline.us == WEIR_TIME_NEVER_US) {
        pthread_cond_wait(&inbox->changed, &inbox->lock);
        return true;
    }
    struct timespec until = {.tv_sec = deadline.us / 1000000,
                             .tv_nsec = deadline.us % 1000000 * 1000};
    return pthread_cond_timedwait(&inbox->changed, &inbox->lock, &until) == 0;
}

/** Under the lock. @param resume  whether the peer may go on */
static weir__received *pop(weir__inbox *inbox, bool *resume)
{
    weir__received *message = inbox->first;
    if (!message)
        return NULL;
    inbox->first = message->next;
    inbox->queued_bytes -= sizeof *message + message->len;
    *resume = inbox->paused && inbox->queued_bytes <= inbox->high_water / 2;
    inbox->paused &= !*resume;
    return message;
}

weir_err weir__inbox_take(weir__inbox *inbox, weir_call_id id, weir_time deadline,
                          weir__received **out)
{
    bool resume = false, in_time = true;
    pthread_mutex_lock(&inbox->lock);
    if (inbox->reading) {
        pthread_mutex_unlock(&inbox->lock);
        return WEIR_ESTATE;
    }
    inbox->reading = true;
    while (!inbox->first && !inbox->ended && in_time)
        in_time = wait_change(inbox, deadline);
    weir__received *message = pop(inbox, &resume);
    bool ended = inbox->ended;
    inbox->reading = false;
    pthread_mutex_unlock(&inbox->lock);
    if (resume && weir__call_resume_post(id) == WEIR_ENOMEM)
        weir_call_cancel_post(id);
    if (!message)
        return ended ? WEIR_ECLOSED : WEIR_ETIMEDOUT;
    *out = message;
    return WEIR_OK;
}

void weir__inbox_wait_closed(weir__inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    while (!inbox->closed)
        wait_change(inbox, weir_time_never());
    pthread_mutex_unlock(&inbox->lock);
}

/** Waits for "writable". @return false: `deadline` is over */
static bool wait_writable(weir__inbox *inbox, weir_time deadline)
{
    bool in_time = true;
    pthread_mutex_lock(&inbox->lock);
    while (!inbox->writable && !inbox->closed && in_time)
        in_time = wait_change(inbox, deadline);
    pthread_mutex_unlock(&inbox->lock);
    return in_time;
}

/** "Writable" counts from now on. @return false: the call is over, though its id may still be good
 */
static bool begin_try(weir__inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->writable = false;
    bool open = !inbox->closed;
    pthread_mutex_unlock(&inbox->lock);
    return open;
}

static weir_err post_until(weir__inbox *inbox, weir_call_id id, weir_payload *payload,
                           weir_time deadline)
{
    while (begin_try(inbox)) {
        weir_err err = weir_call_send_payload_post(id, payload);
        if (err != WEIR_EAGAIN)
            return err;
        if (!wait_writable(inbox, deadline))
            return WEIR_ETIMEDOUT;
    }
    return WEIR_ECLOSED;
}

/** @return false: another thread writes */
static bool begin_writing(weir__inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    bool free = !inbox->writing;
    inbox->writing = true;
    pthread_mutex_unlock(&inbox->lock);
    return free;
}

static void end_writing(weir__inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->writing = false;
    pthread_mutex_unlock(&inbox->lock);
}

weir_err weir__inbox_send(weir__inbox *inbox, weir_call_id id, const weir_message *type,
                          const void *message, weir_time deadline)
{
    if (!begin_writing(inbox))
        return WEIR_ESTATE;
    weir_payload *payload = NULL;
    weir_err err = weir_payload_new(&payload, type, message);
    if (!err && inbox->max_send_bytes && weir_payload_bytes(payload).len > inbox->max_send_bytes)
        err = WEIR_EMSGSIZE;
    if (!err) {
        weir_payload_set_compression(payload, !inbox->uncompressed);
        err = post_until(inbox, id, payload, deadline);
    }
    weir_payload_unref(payload);
    end_writing(inbox);
    return err;
}
