/* How calls are made at a client, and how they begin. */
#include <stdio.h>
#include <stdlib.h>

#include "client_tries.h"

#define DEFAULT_TIMEOUT_US WEIR_SECONDS(60)

/* Making. */

static weir_err copy_metadata(weir__client_call *cc, const weir_metadata *metadata)
{
    for (size_t i = 0; metadata && i < metadata->len; i++) {
        weir_err err = weir_metadata_add(&cc->metadata, &cc->arena, metadata->items[i].key,
                                         metadata->items[i].value);
        if (err)
            return err;
    }
    return WEIR_OK;
}

/** Encodes it behind the call. */
static weir_err add_request(weir__client_call *cc, const void *request, size_t size)
{
    uint8_t *framed = (uint8_t *)cc->room + WEIR__CALL_ROOM;
    weir_grpc_prefix(framed, false, (uint32_t)size);
    cc->request = weir_str_of(framed, WEIR_GRPC_PREFIX + size);
    cc->half_close = true;
    return weir_message_encode(cc->call.sends, request, framed + WEIR_GRPC_PREFIX, size);
}

static weir_err check_size(const weir_channel *channel, size_t size)
{
    size_t limit = channel->opts.max_send_bytes;
    return (limit && size > limit) || size > UINT32_MAX - WEIR_GRPC_PREFIX ? WEIR_EMSGSIZE
                                                                           : WEIR_OK;
}

static weir_time deadline_of(const weir__client_call *cc, const weir_call_opts *opts)
{
    int64_t timeout_us = opts && opts->timeout_us ? opts->timeout_us : cc->channel->opts.timeout_us;
    if (timeout_us == 0)
        timeout_us = DEFAULT_TIMEOUT_US;
    return timeout_us < 0 ? weir_time_never() : weir_time_add(cc->began, timeout_us);
}

static void set_call(weir__client_call *cc, const weir_method *method)
{
    weir_channel *channel = cc->channel;
    cc->expect_one =
        method->kind == WEIR_METHOD_UNARY || method->kind == WEIR_METHOD_CLIENT_STREAMING;
    cc->call.ops = &weir__client_call_ops;
    cc->call.loop = channel->loop;
    cc->call.method = method;
    cc->call.sends = method->request;
    cc->call.receives = method->reply;
    cc->call.arena = &cc->arena;
    cc->call.chain = channel->chain.count ? &channel->chain : NULL;
}

weir_err weir__client_call_new(weir__client_call **out, weir_channel *channel,
                               const weir_method *method, const void *request,
                               const weir__client_ops *ops, void *user, const weir_call_opts *opts)
{
    size_t size = request ? weir_message_size(method->request, request) : 0;
    weir_err err = check_size(channel, size);
    if (err)
        return err;
    weir__client_call *cc = malloc(sizeof *cc + WEIR__CALL_ROOM + WEIR_GRPC_PREFIX + size);
    if (!cc)
        return WEIR_ENOMEM;
    memset(cc, 0, sizeof *cc);
    weir_arena_init(&cc->arena, NULL, channel->grpc.call_bytes);
    weir_arena_lend(&cc->arena, cc->room, WEIR__CALL_ROOM);
    cc->channel = channel;
    cc->ops = ops;
    cc->user = user;
    cc->wait_for_ready = opts && opts->wait_for_ready;
    cc->began = weir_time_now();
    set_call(cc, method);
    cc->call.deadline = deadline_of(cc, opts);
    cc->call.compression =
        opts && opts->compression ? opts->compression : channel->opts.compression;
    if (opts) {
        cc->child.parent = opts->parent;
        cc->hash = opts->hash_key.len > 0 ? weir_balance_hash(opts->hash_key) : 0;
    }
    cc->join_err = WEIR_ECLOSED; /* not joined yet */
    err = copy_metadata(cc, opts ? opts->metadata : NULL);
    if (!err && request)
        err = add_request(cc, request, size);
    if (!err)
        err = weir__call_register(&cc->call, (uint32_t)channel->grpc.send_high_water);
    if (err) {
        weir__client_call_free(cc);
        return err;
    }
    *out = cc;
    return WEIR_OK;
}

/* Starting. */

/** It has waited for a connection, for the server to take one call more, or for another attempt. */
static void on_expiry(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(timer, weir__client_call, expiry);
    const weir_channel *channel = cc->channel;
    double waited = (double)weir_time_diff(cc->call.deadline, cc->began) / 1e6;
    char text[sizeof channel->why.text + sizeof channel->target.lookup + 100];
    if (weir__tries_pending(cc))
        snprintf(text, sizeof text, "no answer from %s within %.3f s (%u tries)",
                 channel->target.lookup, waited, weir__tries_count(cc));
    else if (weir__channel_is_ready(channel))
        snprintf(text, sizeof text, "%s had as many calls as it takes at once for %.3f s",
                 channel->target.lookup, waited);
    else
        snprintf(text, sizeof text, "no connection to %s within %.3f s: %s", channel->target.lookup,
                 waited, channel->why.text);
    weir__client_call_end(cc, WEIR_STATUS_DEADLINE_EXCEEDED, text);
}

void weir__client_call_arm(weir__client_call *cc)
{
    if (cc->call.deadline.us != WEIR_TIME_NEVER_US)
        weir_timers_add(weir_loop_timers(cc->call.loop), &cc->expiry, cc->call.deadline, on_expiry,
                        NULL);
}

/** Its parent's loop has been asked. */
static void end_unjoined(weir__client_call *cc)
{
    if (cc->join_err == WEIR_EFULL)
        weir__client_call_end(cc, WEIR_STATUS_RESOURCE_EXHAUSTED,
                              "the call that it is made for has too many calls of its own");
    else
        weir__client_call_end(cc, WEIR_STATUS_CANCELLED, "the call that it was made for has ended");
}

static void begin(weir__client_call *cc, weir_err err)
{
    cc->started = true;
    weir__count_started(&cc->channel->calls, weir_loop_now(cc->call.loop));
    if (err) {
        weir__client_call_end(cc, WEIR_STATUS_CANCELLED, "the channel's loop has ended");
    } else if (cc->cancelled) {
        weir__client_call_tell(cc, &cc->early);
    } else if (cc->child.parent.value && cc->join_err) {
        end_unjoined(cc);
    } else if (weir__tries_begin(cc)) {
        weir__client_call_arm(cc);
        weir__client_call_proceed(&cc->call);
    }
}

static void start(weir_task *task, weir_err err)
{
    begin(WEIR_CONTAINER_OF(task, weir__client_call, start), err);
}

/** As start(), for a call that a closing channel has waited for. */
static void start_joined(weir_task *task, weir_err err)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(task, weir__client_call, start);
    weir_channel *channel = cc->channel;
    begin(cc, err);
    if (atomic_fetch_sub(&channel->joining, 1) == 1 && channel->closing)
        weir__channel_check_closed(channel);
}

/** In the parent's loop. */
static void on_joined(weir__child *child, weir_err err)
{
    weir__client_call *cc = WEIR_CONTAINER_OF(child, weir__client_call, child);
    cc->join_err = err;
    if (!err && weir_time_before(child->deadline, cc->call.deadline))
        cc->call.deadline = child->deadline;
    weir_loop_post(cc->call.loop, &cc->start, start_joined);
}

void weir__client_call_go(weir__client_call *cc)
{
    if (!cc->child.parent.value) {
        weir_loop_post(cc->call.loop, &cc->start, start);
        return;
    }
    atomic_fetch_add(&cc->channel->joining, 1);
    weir__child_join(&cc->child, cc->child.parent, cc->call.id, on_joined);
}

void weir__client_call_drop(weir__client_call *cc)
{
    weir__call_unregister(&cc->call);
    weir__client_call_free(cc);
}
