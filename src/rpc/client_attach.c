/* A client's call meets a connection, and perhaps another one when the first did not see it. */
#include "client_tries.h"

/* Sending what was there before the connection. */

/** The interceptors see the request once, however often it is sent. */
static weir_err show_request(weir__client_call *cc)
{
    weir_payload *other = NULL;
    bool dropped = false;
    if (cc->shown || !weir__call_sees_sending(&cc->call))
        return WEIR_OK;
    weir_err err = weir__intercept_payload(&cc->call, cc->request, &other, &dropped);
    if (err)
        return err;
    cc->shown = true;
    cc->payload = other;
    if (other)
        cc->request = weir__payload_framed(other);
    else if (dropped)
        cc->request = weir_str_of(NULL, 0);
    return WEIR_OK;
}

/** A copy, which the engine compresses. */
static weir_err send_request_compressed(weir__client_call *cc, weir_grpc_call *wire)
{
    size_t size = cc->request.len - WEIR_GRPC_PREFIX;
    uint8_t *room;
    weir_err err = weir_grpc_send_begin(wire, size, &room);
    if (err)
        return err;
    memcpy(room, cc->request.ptr + WEIR_GRPC_PREFIX, size);
    weir_grpc_send_end(wire);
    return WEIR_OK;
}

/** It stays ours, for another try; the engine's call ends before this one. */
static weir_err send_request(weir__client_call *cc, weir_grpc_call *wire)
{
    weir_err err = show_request(cc);
    if (err || cc->request.len == 0)
        return err;
    if (weir_grpc_call_next_compression(wire) > WEIR_COMPRESSION_IDENTITY &&
        cc->request.len >= WEIR_GRPC_PREFIX + WEIR_COMPRESS_MIN_BYTES)
        return send_request_compressed(cc, wire);
    return weir_grpc_send_framed(wire, (const uint8_t *)cc->request.ptr, cc->request.len, NULL,
                                 NULL);
}

static weir_err send_posted(weir__client_call *cc)
{
    weir_err err = weir__tries_send_kept(cc);
    while (cc->early_first && !err) {
        weir__early *early = cc->early_first;
        cc->early_first = early->next;
        err = weir__call_send_payload(&cc->call, early->payload, early->release, early->user);
    }
    return err;
}

static void end_unsent(weir_grpc_call *wire, weir_err err)
{
    weir_grpc_end_call(wire, (weir_status_code)weir_err_status(err), weir_err_text(err));
}

weir_err weir__client_call_open(weir__client_call *cc, weir__sub *sub, weir_call *owner,
                                weir_grpc_call **out)
{
    weir_channel *channel = cc->channel;
    weir_grpc_start begin = {
        .path = weir_str_from(cc->call.method->path),
        .authority = weir_str_from(sub->authority),
        .user_agent = weir_str_from(channel->user_agent),
        .https = channel->opts.tls != NULL,
        .deadline = cc->call.deadline,
        .metadata = &cc->metadata,
        .compression = cc->call.compression,
        .previous_attempts = cc->tries ? cc->tries->made : 0,
        .owner = owner,
    };
    weir_grpc_call *wire;
    weir_err err = weir_grpc_call_start(&wire, sub->link->grpc, &begin);
    if (err)
        return err;
    *out = wire;
    weir__count_started(&sub->attempts, weir_loop_now(cc->call.loop));
    if (cc->call.uncompressed)
        weir_grpc_call_set_message_compression(wire, false);
    if (cc->expect_one)
        weir_grpc_expect_one(wire);
    if (cc->request.len == 0)
        return WEIR_OK;
    err = send_request(cc, wire);
    if (err)
        end_unsent(wire, err);
    else
        weir_grpc_half_close(wire);
    return WEIR_OK;
}

/** What was sent before there was a connection. */
static void send_early(weir__client_call *cc)
{
    weir_err err = send_posted(cc);
    if (err)
        end_unsent(cc->call.wire, err);
    else if (cc->half_close && !weir_grpc_call_has_ended(cc->call.wire))
        weir_grpc_half_close(cc->call.wire);
}

weir_err weir__client_call_attach(weir__client_call *cc, weir__sub *sub)
{
    weir_grpc_call *wire;
    weir__link *link = sub->link;
    weir_err err = weir__client_call_open(cc, sub, &cc->call, &wire);
    if (err)
        return err;
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    cc->call.link = link;
    cc->call.wire = wire;
    cc->sub = sub;
    cc->picked = weir_loop_now(cc->call.loop);
    sub->backend.outstanding++;
    send_early(cc);
    if (cc->wants_writable) {
        cc->wants_writable = false;
        cc->ops->writable(&cc->call, cc->user);
    }
    weir__link_wake(link);
    weir__tries_started(cc, sub);
    return WEIR_OK;
}

void weir__client_call_leave(weir__client_call *cc, const weir_status *status)
{
    weir__sub *sub = cc->sub;
    int64_t whole_us = weir_time_diff(weir_loop_now(cc->call.loop), cc->picked);
    if (!sub)
        return;
    cc->sub = NULL;
    weir__channel_sub_done(cc->channel, sub, status->code,
                           cc->first_us && !cc->expect_one ? cc->first_us : whole_us);
}

uint64_t weir__client_call_hash(weir__client_call *cc)
{
    const weir_balance_config *config = cc->channel->balance;
    if (!cc->hash && config->hash_header) {
        const weir_str *value =
            weir_metadata_get(&cc->metadata, weir_str_from(config->hash_header));
        if (value)
            cc->hash = weir_balance_hash(*value);
    }
    if (!cc->hash) /* once per call, so that its next attempt goes there too, if it may */
        cc->hash = weir__channel_draw(cc->channel);
    return cc->hash;
}

/* Again. */

bool weir__client_call_again(weir__client_call *cc)
{
    weir_grpc_fate fate = weir_grpc_call_fate(cc->call.wire);
    bool again = fate == WEIR_GRPC_UNSENT || (fate == WEIR_GRPC_REFUSED && !cc->repeated);
    /* A request is kept, a stream's messages only where there may be retries. */
    bool messages_lost =
        cc->request.len == 0 && !cc->call.keeps && weir_grpc_call_has_sent(cc->call.wire);
    if (!again || messages_lost || cc->channel->closing || cc->cancelled || cc->answered)
        return false;
    cc->repeated = cc->repeated || fate == WEIR_GRPC_REFUSED;
    weir_list_remove(&cc->node);
    cc->call.wire = NULL;
    cc->call.link = NULL;
    weir__client_call_arm(cc);
    weir__channel_place(cc->channel, cc);
    return true;
}
