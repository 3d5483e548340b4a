/* A client's call meets a connection, and perhaps another one when the first did not see it. */
#include "channel_impl.h"

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
static weir_err send_request_compressed(weir__client_call *cc)
{
    size_t size = cc->request.len - WEIR_GRPC_PREFIX;
    uint8_t *room;
    weir_err err = weir_grpc_send_begin(cc->call.wire, size, &room);
    if (err)
        return err;
    memcpy(room, cc->request.ptr + WEIR_GRPC_PREFIX, size);
    weir_grpc_send_end(cc->call.wire);
    return WEIR_OK;
}

/** It stays ours, for another try; the engine's call ends before this one. */
static weir_err send_request(weir__client_call *cc)
{
    weir_err err = cc->request.len > 0 ? show_request(cc) : WEIR_OK;
    if (err || cc->request.len == 0)
        return err;
    if (weir_grpc_call_next_compression(cc->call.wire) > WEIR_COMPRESSION_IDENTITY &&
        cc->request.len >= WEIR_GRPC_PREFIX + WEIR_COMPRESS_MIN_BYTES)
        return send_request_compressed(cc);
    return weir_grpc_send_framed(cc->call.wire, (const uint8_t *)cc->request.ptr, cc->request.len,
                                 NULL, NULL);
}

static weir_err send_posted(weir__client_call *cc)
{
    weir_err err = WEIR_OK;
    while (cc->early_first && !err) {
        weir__early *early = cc->early_first;
        cc->early_first = early->next;
        cc->sent = true;
        err = weir__call_send_payload(&cc->call, early->payload, early->release, early->user);
    }
    return err;
}

static void send_all_early(weir__client_call *cc)
{
    weir_err err = send_request(cc);
    if (!err)
        err = send_posted(cc);
    if (err)
        weir_grpc_end_call(cc->call.wire, (weir_status_code)weir_err_status(err),
                           weir_err_text(err));
    else if (cc->half_close)
        weir_grpc_half_close(cc->call.wire);
}

weir_err weir__client_call_attach(weir__client_call *cc, weir__link *link)
{
    weir_channel *channel = cc->channel;
    weir_grpc_start begin = {
        .path = weir_str_from(cc->call.method->path),
        .authority = weir_str_from(channel->authority),
        .user_agent = weir_str_from(channel->user_agent),
        .https = channel->opts.tls != NULL,
        .deadline = cc->call.deadline,
        .metadata = &cc->metadata,
        .compression = cc->call.compression,
        .owner = &cc->call,
    };
    weir_grpc_call *wire;
    weir_err err = weir_grpc_call_start(&wire, link->grpc, &begin);
    if (err)
        return err;
    weir_loop_cancel(cc->call.loop, &cc->expiry);
    cc->call.link = link;
    cc->call.wire = wire;
    weir__count_started(&channel->attempts, weir_loop_now(cc->call.loop));
    if (cc->call.uncompressed)
        weir_grpc_call_set_message_compression(wire, false);
    if (cc->expect_one)
        weir_grpc_expect_one(wire);
    send_all_early(cc);
    if (cc->wants_writable) {
        cc->wants_writable = false;
        cc->ops->writable(&cc->call, cc->user);
    }
    weir__link_wake(link);
    return WEIR_OK;
}

/* Again. */

bool weir__client_call_retry(weir__client_call *cc)
{
    weir_grpc_fate fate = weir_grpc_call_fate(cc->call.wire);
    bool again = fate == WEIR_GRPC_UNSENT || (fate == WEIR_GRPC_REFUSED && !cc->retried);
    /* A request is kept, a stream's messages are not. */
    bool messages_lost =
        cc->sent || (cc->request.len == 0 && weir_grpc_call_has_sent(cc->call.wire));
    if (!again || messages_lost || cc->channel->closing || cc->cancelled)
        return false;
    cc->retried = cc->retried || fate == WEIR_GRPC_REFUSED;
    weir_list_remove(&cc->node);
    cc->call.wire = NULL;
    cc->call.link = NULL;
    weir__client_call_arm(cc);
    weir__channel_place(cc->channel, cc);
    return true;
}
