/* What a channel tells of its connection, and what it is asked for from outside of its loop. */
#include "channel_impl.h"

#include <errno.h>

const char *weir_connectivity_name(weir_connectivity state)
{
    static const char *const names[] = {"IDLE", "CONNECTING", "READY", "TRANSIENT_FAILURE",
                                        "SHUTDOWN"};
    return (size_t)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

void weir__channel_state_init(weir_channel *channel)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&channel->state_changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&channel->state_lock, NULL);
    weir_list_init(&channel->watches);
    atomic_init(&channel->state, WEIR_CONNECTIVITY_IDLE);
}

void weir__channel_state_fini(weir_channel *channel)
{
    pthread_cond_destroy(&channel->state_changed);
    pthread_mutex_destroy(&channel->state_lock);
}

static weir_connectivity state_of(weir_channel *channel)
{
    return (weir_connectivity)atomic_load_explicit(&channel->state, memory_order_acquire);
}

static void log_state(weir_channel *channel, weir_connectivity state)
{
    if (state == WEIR_CONNECTIVITY_TRANSIENT_FAILURE)
        weir__entity_log(&channel->entity, WEIR_INSPECT_WARNING, 0, "TRANSIENT_FAILURE: %s",
                         channel->why.text);
    else
        weir__entity_log(&channel->entity, WEIR_INSPECT_INFO, 0, "%s",
                         weir_connectivity_name(state));
}

void weir__channel_set_state(weir_channel *channel, weir_connectivity state)
{
    weir_connectivity before = state_of(channel);
    if (before == state || before == WEIR_CONNECTIVITY_SHUTDOWN)
        return;
    pthread_mutex_lock(&channel->state_lock);
    atomic_store_explicit(&channel->state, state, memory_order_release);
    pthread_cond_broadcast(&channel->state_changed);
    pthread_mutex_unlock(&channel->state_lock);
    log_state(channel, state);
    weir_list_each (node, next, &channel->watches) {
        weir_channel_watch *watch = WEIR_CONTAINER_OF(node, weir_channel_watch, node);
        watch->fn(watch, state, watch->user);
    }
}

void weir_channel_watch_state(weir_channel *channel, weir_channel_watch *watch)
{
    weir_loop_assert(channel->loop);
    watch->node = (weir_list){NULL, NULL};
    weir_list_append(&channel->watches, &watch->node);
}

void weir_channel_unwatch(weir_channel_watch *watch)
{
    weir_list_remove(&watch->node);
}

/* From any thread. */

static void on_asked(weir_task *task, weir_err err)
{
    weir_channel *channel = WEIR_CONTAINER_OF(task, weir_channel, asked);
    unsigned bits = atomic_exchange(&channel->asked_bits, 0);
    if (err)
        return;
    if (bits & WEIR__ASK_RESET_BACKOFF)
        weir__channel_reset_backoff(channel);
    if (bits & WEIR__ASK_CONNECT)
        weir__channel_connect(channel);
}

/** The task is queued while there are bits, and only then. */
static void ask(weir_channel *channel, unsigned bit)
{
    if (atomic_fetch_or(&channel->asked_bits, bit) == 0)
        weir_loop_post(channel->loop, &channel->asked, on_asked);
}

weir_connectivity weir_channel_state(weir_channel *channel, bool try_to_connect)
{
    weir_connectivity state = state_of(channel);
    if (try_to_connect && state == WEIR_CONNECTIVITY_IDLE)
        ask(channel, WEIR__ASK_CONNECT);
    return state;
}

void weir_channel_reset_backoff(weir_channel *channel)
{
    ask(channel, WEIR__ASK_RESET_BACKOFF);
}

bool weir_channel_wait_until(weir_channel *channel, weir_connectivity seen, weir_time until)
{
    const struct timespec limit = {.tv_sec = until.us / 1000000,
                                   .tv_nsec = until.us % 1000000 * 1000};
    int rc = 0;
    pthread_mutex_lock(&channel->state_lock);
    while (state_of(channel) == seen && rc == 0)
        rc = until.us == WEIR_TIME_NEVER_US
                 ? pthread_cond_wait(&channel->state_changed, &channel->state_lock)
                 : pthread_cond_timedwait(&channel->state_changed, &channel->state_lock, &limit);
    bool changed = state_of(channel) != seen;
    pthread_mutex_unlock(&channel->state_lock);
    return changed;
}
