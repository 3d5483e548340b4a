/* What the target's resolver finds, made into subchannels; and the service config. */
#include "channel_impl.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    DEFAULT_SUBSET = 1000
};

#define DEFAULT_EMPTY_US WEIR_SECONDS(10)

static const weir_balance_config default_balance = {.policy = WEIR_BALANCE_PICK_FIRST};

/* The service config. */

/** "weir_p2c" as a config. */
static weir_err read_policy(weir_service_config **out, const char *policy, weir_why *why)
{
    char json[200];
    int len = snprintf(json, sizeof json, "{\"loadBalancingConfig\":[{\"%s\":{}}]}", policy);
    if (len < 0 || (size_t)len >= sizeof json)
        return weir_why_set(why, WEIR_EINVAL, "the name of the balancing policy is too long");
    return weir_service_config_read(out, weir_str_of(json, (size_t)len), why);
}

static weir_err read_own_config(weir_channel *channel)
{
    const weir_channel_opts *opts = &channel->opts;
    weir_service_config *config = NULL;
    weir_why why;
    weir_err err = WEIR_OK;
    if (opts->service_config)
        err = weir_service_config_read(&config, weir_str_from(opts->service_config), &why);
    else if (opts->balance)
        err = read_policy(&config, opts->balance, &why);
    channel->own_config = opts->service_config || opts->balance;
    if (err == WEIR_ENOMEM)
        return err;
    if (err)
        channel->target_err =
            weir_why_set(&channel->why, err, "the service config is refused: %s", why.text);
    else
        channel->config = config;
    return WEIR_OK;
}

static weir_err use_config(weir_channel *channel)
{
    const weir_service_config *config = channel->config;
    channel->retry_tokens = config ? weir_service_config_throttling(config).max_tokens : 0;
    return weir__channel_set_policy(channel, config ? weir_service_config_balance(config)
                                                    : &default_balance);
}

const char *weir__channel_health_service(const weir_channel *channel)
{
    /* gRFC A17: pick_first does not ask. */
    return channel->config && channel->balancer ? weir_service_config_health(channel->config)
                                                : NULL;
}

/** @return whether there is another one now */
static bool take_config(weir_channel *channel, const char *json)
{
    weir_service_config *config, *before = channel->config;
    weir_why why;
    if (channel->own_config || !json ||
        (channel->config_text && strcmp(json, channel->config_text) == 0))
        return false;
    if (weir_service_config_read(&config, weir_str_from(json), &why)) {
        weir__entity_log(&channel->entity, WEIR_INSPECT_WARNING, 0,
                         "the name's service config is refused: %s", why.text);
        return false;
    }
    free(channel->config_text);
    channel->config_text = strdup(json);
    channel->config = config;
    if (use_config(channel)) { /* out of memory: as it was */
        channel->config = before;
        weir_service_config_unref(config);
        return false;
    }
    weir_service_config_unref(before);
    return true;
}

/* The list. */

static int by_address(const void *a, const void *b)
{
    const weir__sub *const *one = a, *const *other = b;
    return strcmp((*one)->lookup, (*other)->lookup);
}

static int is_at(const void *address, const void *sub)
{
    const weir__sub *const *one = sub;
    return strcmp(address, (*one)->lookup);
}

/** Which of the list this client uses. NULL: out of memory */
static bool *choose(weir_channel *channel, const weir_endpoints *list)
{
    size_t count = weir_endpoints_count(list);
    size_t size = channel->balance->subset ? channel->balance->subset : DEFAULT_SUBSET;
    bool *chosen = malloc(count + 1);
    uint64_t *hashes = malloc((count + 1) * sizeof *hashes);
    if (chosen && hashes) {
        for (size_t i = 0; i < count; i++)
            hashes[i] = weir_balance_hash(weir_endpoints_at(list, i)->address);
        weir_balance_subset(hashes, count, size, channel->client, chosen);
    } else {
        free(chosen);
        chosen = NULL;
    }
    free(hashes);
    return chosen;
}

/** Another order in each client: so that their first choices differ. */
static void shuffle(weir_channel *channel)
{
    for (size_t i = channel->sub_count; i > 1; i--) {
        size_t other = weir__channel_draw(channel) % i;
        weir__sub *sub = channel->subs[i - 1];
        channel->subs[i - 1] = channel->subs[other];
        channel->subs[other] = sub;
    }
}

/** The subchannel of that place: the old one, if there was one. NULL: out of memory */
static weir__sub *sub_at(weir_channel *channel, weir_endpoints *list, size_t index,
                         weir__sub **sorted, size_t sorted_count)
{
    const char *address = weir_endpoints_at(list, index)->address.ptr;
    weir__sub **found = sorted_count > 0
                            ? bsearch(address, sorted, sorted_count, sizeof(weir__sub *), is_at)
                            : NULL;
    weir__sub *sub = NULL;
    if (found) {
        sub = *found;
        sub->kept = true;
    } else if (weir__sub_new(&sub, channel, list, index)) {
        weir__entity_log(&channel->entity, WEIR_INSPECT_ERROR, 0, "out of memory for %s", address);
    }
    return sub;
}

static void drop_others(weir_channel *channel, weir__sub **before, size_t count)
{
    /* The balancer forgets them before they go. */
    channel->stale = true;
    if (channel->balancer)
        weir__channel_tell_balancer(channel);
    for (size_t i = 0; i < count; i++) {
        if (before[i]->kept)
            continue;
        if (channel->first == before[i])
            channel->first = NULL;
        weir__sub_remove(before[i]);
    }
}

/** Subchannels for the new list; those whose places stay are kept. */
static weir_err take_list(weir_channel *channel, weir_endpoints *list)
{
    size_t count = weir_endpoints_count(list), before_count = channel->sub_count;
    bool *chosen = choose(channel, list);
    weir__sub **subs = malloc((count + 1) * sizeof *subs), **before = channel->subs;
    if (!chosen || !subs) {
        free(chosen);
        free(subs);
        return WEIR_ENOMEM;
    }
    if (before_count > 0)
        qsort(before, before_count, sizeof *before, by_address);
    for (size_t i = 0; i < before_count; i++)
        before[i]->kept = false;
    channel->sub_count = 0;
    for (size_t i = 0; i < count; i++) {
        weir__sub *sub = chosen[i] ? sub_at(channel, list, i, before, before_count) : NULL;
        if (sub)
            subs[channel->sub_count++] = sub;
        if (sub && sub->list != list)
            sub->next_index = i;
    }
    free(chosen);
    channel->subs = subs;
    for (size_t i = 0; i < channel->sub_count; i++)
        if (subs[i]->list != list)
            weir__sub_move(subs[i], list, subs[i]->next_index);
    if (channel->balance->shuffle)
        shuffle(channel);
    drop_others(channel, before, before_count);
    free(before);
    weir_endpoints_ref(list);
    weir_endpoints_unref(channel->list);
    channel->list = list;
    return WEIR_OK;
}

/* What the resolver says. */

static void use_list(weir_channel *channel, weir_endpoints *list)
{
    if (take_list(channel, list)) {
        weir__entity_log(&channel->entity, WEIR_INSPECT_ERROR, 0, "out of memory for a list");
        return;
    }
    weir__entity_log(&channel->entity, WEIR_INSPECT_INFO, 0, "%zu endpoints, %zu of them used",
                     weir_endpoints_count(list), channel->sub_count);
    weir__channel_rebalance(channel);
}

static void on_still_empty(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_channel *channel = user;
    weir_endpoints *list;
    if (weir_endpoints_new(&list))
        return;
    use_list(channel, list);
    weir_endpoints_unref(list);
}

/** Whether an empty list has to prove itself first. */
static bool doubts(weir_channel *channel, const weir_endpoints *list)
{
    int64_t limit_us = channel->opts.empty_list_us ? channel->opts.empty_list_us : DEFAULT_EMPTY_US;
    if (weir_endpoints_count(list) > 0 || channel->sub_count == 0 || limit_us < 0) {
        weir_loop_cancel(channel->loop, &channel->empty);
        return false;
    }
    if (!weir_timer_pending(&channel->empty)) {
        WEIR_LOG_WARN("%s has no endpoints now: going on with the last ones for %.1f s",
                      channel->name, (double)limit_us / 1e6);
        weir_loop_after(channel->loop, &channel->empty, limit_us, on_still_empty, channel);
    }
    return true;
}

static void on_found(weir_endpoints *list, const char *config, void *user)
{
    weir_channel *channel = user;
    bool other_config = take_config(channel, config);
    bool other_list =
        !doubts(channel, list) && (!channel->list || !weir_endpoints_equal(channel->list, list));
    if (other_list)
        use_list(channel, list);
    else if (other_config && channel->list)
        use_list(channel, channel->list);
}

/** Who has a list outlives it. */
static void on_failed(weir_err err, const char *why, void *user)
{
    weir_channel *channel = user;
    weir__entity_log(&channel->entity, WEIR_INSPECT_WARNING, 0, "%s", why);
    if (channel->list) {
        WEIR_LOG_WARN("%s: %s; going on with the last list", channel->name, why);
        return;
    }
    weir_why_set(&channel->why, err, "%s cannot be resolved: %s", channel->name, why);
    channel->failing = true;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    weir__channel_fail_waiting(channel);
}

static const weir_resolver_events resolver_events = {on_found, on_failed};

void weir__channel_resolve(weir_channel *channel)
{
    weir_resolver_request request = {
        .loop = channel->loop,
        .target = channel->name,
        .authority = channel->target.servers,
        .path = channel->target.path,
        .events = &resolver_events,
        .user = channel,
    };
    weir_why why = {{0}};
    if (!channel->target.resolver || channel->resolver)
        return;
    weir_err err = channel->target.resolver->start(&channel->resolver, &request, &why);
    if (!err) {
        if (!channel->failing)
            weir__channel_set_state(channel, WEIR_CONNECTIVITY_CONNECTING);
        return;
    }
    channel->target_err = weir_why_set(&channel->why, err, "the target \"%.60s\" is refused: %s",
                                       channel->name, why.text[0] ? why.text : weir_err_text(err));
    channel->failing = true;
    weir__channel_set_state(channel, WEIR_CONNECTIVITY_TRANSIENT_FAILURE);
    weir__channel_fail_waiting(channel);
}

/* Beginning and end. */

/** A target that is one place needs no resolver; its name is looked up for each connection. */
static weir_err open_direct(weir_channel *channel)
{
    weir_endpoints *list;
    weir_err err = weir_endpoints_new(&list);
    if (err)
        return err;
    weir_endpoint one = {.address = weir_str_from(channel->target.lookup)};
    err = weir_endpoints_add(list, &one);
    if (!err)
        err = take_list(channel, list);
    weir_endpoints_unref(list);
    return err;
}

weir_err weir__channel_open(weir_channel *channel)
{
    channel->balance = &default_balance;
    weir_err err = read_own_config(channel);
    if (!err)
        err = use_config(channel);
    if (err)
        return err;
    if (channel->balancer && channel->target.is_dns)
        channel->target.resolver = &weir_resolver_dns;
    if (channel->target.resolver)
        return WEIR_OK;
    err = open_direct(channel);
    if (err == WEIR_EINVAL) { /* a target that leads nowhere: its calls are told so */
        if (!channel->target_err)
            channel->target_err = weir_why_set(&channel->why, err, "the target is refused");
        return WEIR_OK;
    }
    return err;
}

void weir__channel_drop_backends(weir_channel *channel)
{
    weir__sub **subs = channel->subs;
    size_t count = channel->sub_count;
    if (channel->resolver)
        channel->resolver->type->free(channel->resolver);
    channel->resolver = NULL;
    weir_loop_cancel(channel->loop, &channel->empty);
    weir_loop_cancel(channel->loop, &channel->sweep);
    weir_loop_cancel(channel->loop, &channel->idle);
    weir_balancer_free(channel->balancer);
    channel->balancer = NULL;
    channel->first = NULL;
    channel->subs = NULL;
    channel->sub_count = 0;
    for (size_t i = 0; i < count; i++) {
        subs[i]->usable = false;
        weir__sub_remove(subs[i]);
    }
    free(subs);
    weir_list_each (node, next, &channel->leaving)
        weir__sub_close_links(WEIR_CONTAINER_OF(node, weir__sub, node));
}

void weir__channel_backends_fini(weir_channel *channel)
{
    weir_endpoints_unref(channel->list);
    weir_service_config_unref(channel->config);
    weir_balancer_free(channel->balancer);
    free(channel->config_text);
    free(channel->subs);
}
