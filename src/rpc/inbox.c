#include "inbox.h"

#include <stdlib.h>

void weir__inbox_init(weir__inbox *inbox, size_t high_water)
{
    pthread_condattr_t attributes;
    *inbox = (weir__inbox){.high_water = high_water};
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

weir__received *weir__inbox_take(weir__inbox *inbox, weir_call_id id, weir_time deadline)
{
    pthread_mutex_lock(&inbox->lock);
    while (!inbox->first && !inbox->ended && wait_change(inbox, deadline))
        ;
    weir__received *message = inbox->first;
    bool resume = false;
    if (message) {
        inbox->first = message->next;
        inbox->queued_bytes -= sizeof *message + message->len;
        resume = inbox->paused && inbox->queued_bytes <= inbox->high_water / 2;
        if (resume)
            inbox->paused = false;
    }
    pthread_mutex_unlock(&inbox->lock);
    if (resume && weir__call_resume_post(id) == WEIR_ENOMEM)
        weir_call_cancel_post(id);
    return message;
}

static weir_err post_uncompressed(weir_call_id id, const weir_message *type, const void *message)
{
    weir_payload *payload;
    weir_err err = weir_payload_new(&payload, type, message);
    if (err)
        return err;
    weir_payload_set_compression(payload, false);
    err = weir_call_send_payload_post(id, payload);
    weir_payload_unref(payload);
    return err;
}

weir_err weir__inbox_send(weir__inbox *inbox, weir_call_id id, const weir_message *type,
                          const void *message, weir_time deadline)
{
    for (;;) {
        pthread_mutex_lock(&inbox->lock);
        inbox->writable = false;
        pthread_mutex_unlock(&inbox->lock);
        weir_err err = inbox->uncompressed ? post_uncompressed(id, type, message)
                                           : weir_call_send_post(id, type, message);
        if (err != WEIR_EAGAIN)
            return err;
        bool in_time = true;
        pthread_mutex_lock(&inbox->lock);
        while (!inbox->writable && !inbox->closed && in_time)
            in_time = wait_change(inbox, deadline);
        pthread_mutex_unlock(&inbox->lock);
        if (!in_time)
            return WEIR_ETIMEDOUT;
    }
}
