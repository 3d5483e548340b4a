/* Calls that wait for a connection, and what happens when nobody does. */
#include "client_tries.h"

/* Idleness. */

static bool has_calls(const weir_channel *channel)
{
    return !weir_list_empty(&channel->waiting) || !weir_list_empty(&channel->running) ||
           !weir_list_empty(&channel->held);
}

static void go_idle(weir_channel *channel)
{
    channel->wanted = channel->failing = false;
    for (size_t i = 0; i < channel->sub_count; i++)
        weir__sub_stop(channel->subs[i]);
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_IDLE);
}

static void on_maybe_idle(weir_timer *timer, void *user)
{
    weir_channel *channel = user;
    int64_t limit_us = channel->opts.idle_us;
    int64_t left_us = has_calls(channel)
                          ? limit_us
                          : limit_us - weir_time_diff(weir_loop_now(channel->loop), channel->used);
    if (left_us > 0)
        weir_loop_after(channel->loop, timer, left_us, on_maybe_idle, channel);
    else
        go_idle(channel);
}

void weir__channel_watch_idle(weir_channel *channel)
{
    if (channel->opts.idle_us <= 0 || weir_timer_pending(&channel->idle))
        return;
    channel->used = weir_loop_now(channel->loop);
    weir_loop_after(channel->loop, &channel->idle, channel->opts.idle_us, on_maybe_idle, channel);
}

/* Placing calls. */

/** It has a connection, or has come to its end. */
static void attach(weir_channel *channel, weir__client_call *cc, weir__sub *sub)
{
    weir_err err = sub->link->grpc ? weir__client_call_attach(cc, sub) : WEIR_ECLOSED;
    if (err == WEIR_EFULL) {
        weir__channel_sub_is_full(channel, sub);
    } else if (err == WEIR_ECLOSED) {
        weir__sub_leave_link(sub);
    } else if (err) {
        weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED, weir_err_text(err));
    } else {
        weir_list_remove(&cc->node);
        weir_list_append(&channel->running, &cc->node);
        channel->waiting_count--;
    }
}

static weir__picked pick(weir_channel *channel, weir__client_call *cc, weir__sub **out)
{
    weir_pick wanted = {.now = weir_loop_now(channel->loop)};
    weir_backend *avoid[WEIR_ATTEMPTS_MAX];
    if (channel->balancer) {
        wanted.hash = weir__client_call_hash(cc);
        wanted.avoid = avoid;
        wanted.avoid_count = weir__tries_avoid(cc, avoid);
    }
    return weir__channel_pick(channel, &wanted, out);
}

/** @return false: it waits on */
static bool try_to_place(weir_channel *channel, weir__client_call *cc)
{
    weir__sub *sub;
    weir__picked picked = pick(channel, cc, &sub);
    if (picked == WEIR__PICK_WAIT)
        return false;
    if (picked == WEIR__PICK_OK)
        attach(channel, cc, sub);
    else
        weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE,
                              "the circuit breakers of all backends that are connected are open: "
                              "calls there failed, or too many run");
    return true;
}

/** To go through the waiting calls while callbacks make and cancel any of them: each goes back to
 * the queue just before it is looked at. */
static void take_waiting(weir_channel *channel, weir_list *out)
{
    weir_list_init(out);
    for (weir_list *node; (node = weir_list_pop(&channel->waiting));)
        weir_list_append(out, node);
}

static weir__client_call *next_waiting(weir_channel *channel, weir_list *taken)
{
    weir_list *node = weir_list_pop(taken);
    if (!node)
        return NULL;
    weir_list_append(&channel->waiting, node);
    return WEIR_CONTAINER_OF(node, weir__client_call, node);
}

/** Where each call has a place of its own, one that waits does not hold up the others. */
static void place_each(weir_channel *channel)
{
    weir_list taken;
    take_waiting(channel, &taken);
    for (weir__client_call *cc; (cc = next_waiting(channel, &taken));)
        try_to_place(channel, cc);
}

void weir__channel_place_waiting(weir_channel *channel)
{
    if (weir__channel_is_ring(channel)) {
        place_each(channel);
        return;
    }
    while (!weir_list_empty(&channel->waiting)) {
        weir_list *first = channel->waiting.next;
        if (!try_to_place(channel, WEIR_CONTAINER_OF(first, weir__client_call, node)))
            return;
    }
}

void weir__channel_place(weir_channel *channel, weir__client_call *cc)
{
    if (channel->waiting_count >= channel->opts.max_queued) {
        weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED,
                              "too many calls wait for the connection (max_queued)");
        return;
    }
    weir_list_append(&channel->waiting, &cc->node);
    channel->waiting_count++;
    if (channel->closing) {
        weir__client_call_end(cc, WEIR_STATUS_CANCELLED, "the channel is closed");
    } else if (channel->target_err) {
        weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
    } else if (weir__channel_is_ready(channel)) {
        weir__channel_place_waiting(channel);
    } else {
        bool failed = channel->failing && !cc->wait_for_ready;
        if (failed)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
        weir__channel_connect(channel);
    }
}

void weir__channel_fail_waiting(weir_channel *channel)
{
    weir_list taken;
    take_waiting(channel, &taken);
    for (weir__client_call *cc; (cc = next_waiting(channel, &taken));)
        if (!cc->wait_for_ready)
            weir__client_call_end(cc, WEIR_STATUS_UNAVAILABLE, channel->why.text);
}

void weir__channel_forget(weir_channel *channel, weir__client_call *cc)
{
    if (!weir_list_linked(&cc->node))
        return;
    if (!cc->call.wire && !cc->call.held && !weir__tries_pending(cc))
        channel->waiting_count--;
    weir_list_remove(&cc->node);
    channel->used = weir_loop_now(channel->loop);
}
