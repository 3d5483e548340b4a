/* How the backends together are, and what the balancer knows of them. Two ways: pick_first uses one
 * connection, to the first endpoint that can be reached; every other policy connects to all and
 * has a balancer. */
#include "channel_impl.h"

#include <stdlib.h>

/* A connection that lives so short is not made again at once. */
#define STABLE_US WEIR_SECONDS(1)

static void fail(weir_channel *channel)
{
    channel->failing = true;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    weir__channel_fail_waiting(channel);
}

/* pick_first. */

static void first_is_ready(weir_channel *channel, weir__sub *sub)
{
    channel->first = sub;
    channel->failing = false;
    channel->trying = 0;
    for (size_t i = 0; i < channel->sub_count; i++)
        if (channel->subs[i] != sub)
            weir__sub_stop(channel->subs[i]);
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_READY);
}

/** The one that was used is gone; the next call begins with the first endpoint. */
static void first_is_lost(weir_channel *channel)
{
    channel->first = NULL;
    channel->trying = 0;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_IDLE);
    if (!weir_list_empty(&channel->waiting))
        weir__channel_connect(channel);
}

/** One endpoint cannot be reached: the next one, or none can. */
static void try_next(weir_channel *channel, weir__sub *failed)
{
    for (size_t i = channel->trying; i < channel->sub_count; i++) {
        if (!channel->subs[i]->failing) {
            channel->trying = i;
            weir__sub_connect(channel->subs[i]);
            return;
        }
    }
    if (channel->sub_count == 1)
        channel->why = failed->why;
    else
        weir_why_set(&channel->why, WEIR_EUNREACH, "none of %zu endpoints can be reached: %s",
                     channel->sub_count, failed->why.text);
    fail(channel);
}

static void first_changed(weir_channel *channel, weir__sub *sub)
{
    if (channel->first && sub != channel->first)
        return;
    if (sub->state == WEIR_CONNECTIVITY_READY)
        first_is_ready(channel, sub);
    else if (sub == channel->first)
        first_is_lost(channel);
    else if (sub->state == WEIR_CONNECTIVITY_CONNECTING &&
             (!channel->failing || channel->sub_count == 1))
        weir__channel_set_state(channel, WEIR_CONNECTIVITY_CONNECTING);
    else if (sub->state == WEIR_CONNECTIVITY_TRANSIENT_FAILURE)
        try_next(channel, sub);
}

/* Policies with a balancer. */

static void show_all(weir_channel *channel, const weir__sub *changed)
{
    if (channel->ready_count > 0) {
        channel->failing = false;
        weir__channel_set_state(channel, WEIR_CONNECTIVITY_READY);
        weir__channel_place_waiting(channel);
    } else if (channel->failing_count == channel->sub_count) {
        if (changed)
            weir_why_set(&channel->why, WEIR_EUNREACH, "none of %zu backends can be reached: %s",
                         channel->sub_count,
                         changed->state == WEIR_CONNECTIVITY_READY ? "not healthy"
                                                                   : changed->why.text);
        fail(channel);
    } else if (!channel->failing) {
        weir__channel_set_state(channel, channel->wanted ? WEIR_CONNECTIVITY_CONNECTING
                                                         : WEIR_CONNECTIVITY_IDLE);
    }
}

static void one_of_all_changed(weir_channel *channel, weir__sub *sub)
{
    if (sub->state == WEIR_CONNECTIVITY_IDLE && channel->wanted && !channel->closing) {
        if (weir_time_diff(weir_loop_now(channel->loop), sub->ready_at) < STABLE_US)
            weir_connector_back_off(sub->connector);
        weir__sub_connect(sub);
    }
    show_all(channel, sub);
}

/** Both kinds of policies count. */
static void recount(weir_channel *channel, weir__sub *sub)
{
    bool ready = weir__sub_is_ready(sub);
    bool failing = sub->failing || (sub->state == WEIR_CONNECTIVITY_READY && !ready);
    channel->ready_count += (size_t)ready - (size_t)sub->counted_ready;
    channel->failing_count += (size_t)failing - (size_t)sub->counted_failing;
    sub->counted_ready = ready;
    sub->counted_failing = failing;
}

void weir__channel_sub_changed(weir_channel *channel, weir__sub *sub)
{
    recount(channel, sub);
    channel->stale = true;
    if (channel->closing)
        return;
    if (channel->balancer)
        one_of_all_changed(channel, sub);
    else
        first_changed(channel, sub);
    if (sub->state == WEIR_CONNECTIVITY_TRANSIENT_FAILURE && channel->resolver &&
        channel->resolver->type->refresh)
        channel->resolver->type->refresh(channel->resolver);
}

/* Connecting. */

bool weir__channel_is_ring(const weir_channel *channel)
{
    return channel->balance->policy == WEIR_BALANCE_CONSISTENT_HASH;
}

bool weir__channel_is_ready(const weir_channel *channel)
{
    return channel->balancer ? channel->ready_count > 0 : channel->first != NULL;
}

static void connect_all(weir_channel *channel)
{
    for (size_t i = 0; i < channel->sub_count; i++)
        weir__sub_connect(channel->subs[i]);
}

void weir__channel_connect(weir_channel *channel)
{
    if (channel->closing || channel->target_err)
        return;
    channel->wanted = true;
    weir__channel_watch_idle(channel);
    weir__channel_resolve(channel);
    if (channel->balancer)
        connect_all(channel);
    else if (channel->sub_count > 0 && !channel->first)
        weir__sub_connect(
            channel->subs[channel->trying < channel->sub_count ? channel->trying : 0]);
}

void weir__channel_reset_backoff(weir_channel *channel)
{
    if (channel->closing || channel->target_err)
        return;
    for (size_t i = 0; i < channel->sub_count; i++)
        weir__sub_reset_backoff(channel->subs[i]);
}

/* Telling the balancer. */

/** A ring has its places also for those that are only connecting, or calls would go elsewhere for
 * that time (gRFC A42). */
static bool is_usable(const weir_channel *channel, const weir__sub *sub)
{
    bool there = weir__channel_is_ring(channel) ? !sub->counted_failing : weir__sub_is_ready(sub);
    return there && !sub->outlier.ejected;
}

static weir_err tell_balancer(weir_channel *channel)
{
    weir_backend **usable = malloc((channel->sub_count + 1) * sizeof *usable);
    size_t count = 0;
    if (!usable)
        return WEIR_ENOMEM;
    for (size_t i = 0; i < channel->sub_count; i++) {
        weir__sub *sub = channel->subs[i];
        sub->usable = is_usable(channel, sub);
        if (sub->usable)
            usable[count++] = &sub->backend;
    }
    weir_err err = weir_balancer_set(channel->balancer, usable, count);
    free(usable);
    channel->stale = err != WEIR_OK;
    return err;
}

bool weir__channel_tell_balancer(weir_channel *channel)
{
    if (!tell_balancer(channel))
        return true;
    weir__entity_log(&channel->entity, WEIR_INSPECT_ERROR, 0, "out of memory for balancing");
    return false;
}

static void on_sweep(weir_timer *timer, void *user)
{
    weir_channel *channel = user;
    const weir_outlier_config *config = &channel->balance->outlier;
    weir_outlier **all = malloc((channel->sub_count + 1) * sizeof *all);
    weir_loop_after(channel->loop, timer, config->interval_us, on_sweep, channel);
    if (!all)
        return;
    for (size_t i = 0; i < channel->sub_count; i++)
        all[i] = &channel->subs[i]->outlier;
    if (weir_outlier_sweep(all, channel->sub_count, config, weir_loop_now(channel->loop),
                           &channel->random)) {
        channel->stale = true;
        weir__channel_place_waiting(channel);
    }
    free(all);
}

static void sweep_outliers(weir_channel *channel)
{
    weir_loop_cancel(channel->loop, &channel->sweep);
    if (channel->balance->outlier.enabled && channel->balancer)
        weir_loop_after(channel->loop, &channel->sweep, channel->balance->outlier.interval_us,
                        on_sweep, channel);
}

static void count_all(weir_channel *channel)
{
    channel->ready_count = channel->failing_count = 0;
    for (size_t i = 0; i < channel->sub_count; i++) {
        channel->subs[i]->counted_ready = channel->subs[i]->counted_failing = false;
        recount(channel, channel->subs[i]);
    }
}

/** pick_first goes on with the connection that it has, wherever its endpoint is in the new list. */
static void begin_first(weir_channel *channel)
{
    weir__sub *first = NULL;
    for (size_t i = 0; i < channel->sub_count && !first; i++)
        if (channel->subs[i]->state == WEIR_CONNECTIVITY_READY)
            first = channel->subs[i];
    channel->first = NULL;
    channel->trying = 0;
    if (first)
        first_is_ready(channel, first);
    else if (!channel->wanted)
        weir__channel_set_state(channel, WEIR_CONNECTIVITY_IDLE);
}

void weir__channel_rebalance(weir_channel *channel)
{
    channel->stale = true;
    channel->failing = false;
    count_all(channel);
    sweep_outliers(channel);
    if (channel->sub_count == 0) {
        channel->first = NULL;
        weir_why_set(&channel->why, WEIR_ENOENT, "%s has no endpoints now", channel->name);
        fail(channel);
        return;
    }
    if (!channel->balancer)
        begin_first(channel);
    else if (!channel->wanted || channel->ready_count > 0)
        show_all(channel, NULL);
    if (channel->wanted)
        weir__channel_connect(channel);
    weir__channel_place_waiting(channel);
}

weir_err weir__channel_set_policy(weir_channel *channel, const weir_balance_config *config)
{
    weir_balancer *balancer = NULL;
    if (config->policy != WEIR_BALANCE_PICK_FIRST) {
        weir_err err = weir_balancer_new(&balancer, config, weir__channel_draw(channel));
        if (err)
            return err;
    }
    weir_balancer_free(channel->balancer);
    channel->balancer = balancer;
    channel->balance = config;
    for (size_t i = 0; i < channel->sub_count; i++)
        channel->subs[i]->usable = false;
    return WEIR_OK;
}
