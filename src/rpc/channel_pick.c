/* Which backend a call goes to, and what its end says of the backend. */
#include "channel_impl.h"

enum {
    /* Backends that one pick may find closed to calls before all are looked at. */
    BLOCKED_MAX = 16
};

/** Whether the subchannel takes one more now; its circuit breaker counts the answer. */
static bool admits(weir_channel *channel, weir__sub *sub, bool *full)
{
    const weir_breaker_config *config = &channel->balance->breaker;
    if (sub->full) {
        *full = true;
        return false;
    }
    if (config->max_outstanding && sub->backend.outstanding >= config->max_outstanding)
        return false;
    return config->consecutive_failures == 0 ||
           weir_breaker_try(&sub->breaker, weir_loop_now(channel->loop));
}

static weir__picked pick_any(weir_channel *channel, bool full, weir__sub **out)
{
    for (size_t i = 0; i < channel->sub_count; i++) {
        weir__sub *sub = channel->subs[i];
        if (sub->usable && sub->link && admits(channel, sub, &full)) {
            *out = sub;
            return WEIR__PICK_OK;
        }
    }
    return full ? WEIR__PICK_WAIT : WEIR__PICK_NONE;
}

static bool contains(weir_backend *const *all, size_t count, const weir_backend *one)
{
    for (size_t i = 0; i < count; i++)
        if (all[i] == one)
            return true;
    return false;
}

/** Those that admit nothing are avoided, as those are where the call has failed. */
static weir__picked pick_balanced(weir_channel *channel, const weir_pick *wanted, weir__sub **out)
{
    weir_backend *avoid[WEIR_ATTEMPTS_MAX + BLOCKED_MAX], *blocked[BLOCKED_MAX];
    size_t blocked_count = 0;
    bool full = false;
    weir_pick pick = *wanted;
    pick.avoid = avoid;
    if (wanted->avoid_count > 0)
        memcpy(avoid, wanted->avoid, wanted->avoid_count * sizeof *avoid);
    while (blocked_count < BLOCKED_MAX) {
        weir_backend *backend = weir_balancer_pick(channel->balancer, &pick);
        if (!backend)
            return WEIR__PICK_WAIT;
        if (contains(blocked, blocked_count, backend))
            break;
        *out = WEIR_CONTAINER_OF(backend, weir__sub, backend);
        if (!(*out)->link)
            return WEIR__PICK_WAIT;
        if (admits(channel, *out, &full))
            return WEIR__PICK_OK;
        blocked[blocked_count++] = backend;
        avoid[pick.avoid_count++] = backend;
    }
    return pick_any(channel, full, out);
}

weir__picked weir__channel_pick(weir_channel *channel, const weir_pick *pick, weir__sub **out)
{
    if (channel->balancer) {
        if (channel->stale && !weir__channel_tell_balancer(channel))
            return WEIR__PICK_WAIT;
        return pick_balanced(channel, pick, out);
    }
    *out = channel->first;
    if (!*out)
        return WEIR__PICK_WAIT;
    bool full = false;
    return admits(channel, *out, &full) ? WEIR__PICK_OK : full ? WEIR__PICK_WAIT : WEIR__PICK_NONE;
}

void weir__channel_sub_is_full(weir_channel *channel WEIR_UNUSED, weir__sub *sub)
{
    sub->full = true;
}

void weir__channel_sub_has_room(weir_channel *channel, weir__sub *sub)
{
    sub->full = false;
    weir__channel_place_waiting(channel);
}

/** For a reason that the backend has to answer for. */
static bool is_backends(weir_status_code code)
{
    const unsigned codes = 1u << WEIR_STATUS_UNKNOWN | 1u << WEIR_STATUS_DEADLINE_EXCEEDED |
                           1u << WEIR_STATUS_RESOURCE_EXHAUSTED | 1u << WEIR_STATUS_INTERNAL |
                           1u << WEIR_STATUS_UNAVAILABLE | 1u << WEIR_STATUS_DATA_LOSS;
    return code <= WEIR_STATUS_UNAUTHENTICATED && (codes >> code & 1);
}

/** An attempt that this side gave up says nothing of the backend. */
static void tell_breaker(weir_channel *channel, weir__sub *sub, weir_status_code code, bool failed)
{
    const weir_breaker_config *config = &channel->balance->breaker;
    if (config->consecutive_failures == 0)
        return;
    if (code == WEIR_STATUS_CANCELLED)
        weir_breaker_give_back(&sub->breaker);
    else
        weir_breaker_done(&sub->breaker, config, failed, weir_loop_now(channel->loop));
}

void weir__channel_sub_done(weir_channel *channel, weir__sub *sub, weir_status_code code,
                            int64_t latency_us)
{
    weir_outcome outcome = {weir_loop_now(channel->loop), latency_us, is_backends(code)};
    sub->backend.outstanding--;
    if (sub->usable)
        weir_balancer_done(channel->balancer, &sub->backend, &outcome);
    if (code != WEIR_STATUS_CANCELLED)
        weir_outlier_count(&sub->outlier, outcome.failed);
    tell_breaker(channel, sub, code, outcome.failed);
    weir__count_ended(&sub->attempts, code);
    if (sub->removed)
        weir__sub_check_removed(sub);
}
