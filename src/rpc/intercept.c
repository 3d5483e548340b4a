#include "intercept.h"

weir_err weir__chain_add(weir__chain *chain, const weir_interceptor *interceptor, void *user)
{
    if (chain->count == WEIR_INTERCEPTORS_MAX)
        return WEIR_EFULL;
    chain->items[chain->count++] = (weir__interceptor){interceptor, user, chain->state_bytes};
    chain->state_bytes += (interceptor->state_bytes + 15) / 16 * 16;
    chain->received |= interceptor->received != NULL;
    chain->sending |= interceptor->sending != NULL;
    return WEIR_OK;
}

static void *state_of(const weir_call *call, const weir__interceptor *in)
{
    return in->ops->state_bytes ? call->chain_state + in->state_at : NULL;
}

static bool make_states(weir_call *call)
{
    if (call->chain->state_bytes == 0 || call->chain_state)
        return true;
    call->chain_state = weir_arena_alloc_aligned(call->arena, call->chain->state_bytes, 16);
    if (call->chain_state)
        memset(call->chain_state, 0, call->chain->state_bytes);
    return call->chain_state != NULL;
}

bool weir__intercept_open(weir_call *call)
{
    const weir__chain *chain = call->chain;
    if (!chain)
        return true;
    if (!make_states(call)) {
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return false;
    }
    size_t at = call->chain_opened - (call->again ? 1 : 0);
    call->again = false;
    for (; at < chain->count; at++) {
        const weir__interceptor *in = &chain->items[at];
        call->chain_opened = at + 1;
        call->opening = true;
        if (in->ops->open)
            in->ops->open(call, state_of(call, in), in->user);
        call->opening = false;
        if (call->held || call->ops->has_ended(call))
            return false;
    }
    return true;
}

/* Which way: a server's requests and a client's go inwards, replies outwards. */

#define EACH_INWARDS(call, in)                                                                     \
    for (const weir__interceptor *in = (call)->chain->items, *last_ = in + (call)->chain_opened;   \
         in < last_; in++)

#define EACH_OUTWARDS(call, in)                                                                    \
    for (const weir__interceptor *in = (call)->chain->items + (call)->chain_opened;                \
         in-- > (call)->chain->items;)

void weir__intercept_headers(weir_call *call)
{
    EACH_OUTWARDS(call, in)
    {
        if (in->ops->headers)
            in->ops->headers(call, state_of(call, in), in->user);
    }
}

static const void *show_received(weir_call *call, const weir__interceptor *in, const void *message)
{
    return in->ops->received ? in->ops->received(call, message, state_of(call, in), in->user)
                             : message;
}

static const void *show_sending(weir_call *call, const weir__interceptor *in, const void *message)
{
    return in->ops->sending ? in->ops->sending(call, message, state_of(call, in), in->user)
                            : message;
}

const void *weir__intercept_received(weir_call *call, const void *message)
{
    if (call->ops->is_server) {
        EACH_INWARDS(call, in)
        message = message ? show_received(call, in, message) : NULL;
    } else {
        EACH_OUTWARDS(call, in)
        message = message ? show_received(call, in, message) : NULL;
    }
    return message;
}

const void *weir__intercept_sending(weir_call *call, const void *message)
{
    if (call->ops->is_server) {
        EACH_OUTWARDS(call, in)
        message = message ? show_sending(call, in, message) : NULL;
    } else {
        EACH_INWARDS(call, in)
        message = message ? show_sending(call, in, message) : NULL;
    }
    return message;
}

void weir__intercept_finish(weir_call *call, weir_status *status)
{
    EACH_OUTWARDS(call, in)
    {
        if (in->ops->finish)
            in->ops->finish(call, status, state_of(call, in), in->user);
    }
}

void weir__intercept_closed(weir_call *call, const weir_status *status)
{
    EACH_OUTWARDS(call, in)
    {
        if (in->ops->closed)
            in->ops->closed(call, status, state_of(call, in), in->user);
    }
}

bool weir__intercept_bytes(weir_call *call, weir_str *bytes, weir_payload **other)
{
    weir_arena *scratch = &call->link->scratch;
    void *message;
    *other = NULL;
    if (!weir__call_decode(call, *bytes, scratch, 0, &message))
        return false;
    const void *shown = weir__intercept_received(call, message);
    if (shown && shown != message) {
        if (weir_payload_new(other, call->receives, shown)) {
            weir_call_cancel(call);
            shown = NULL;
        } else {
            *bytes = weir_payload_bytes(*other);
        }
    }
    weir_arena_reset(scratch);
    return shown != NULL;
}

weir_err weir__intercept_payload(weir_call *call, weir_str framed, weir_payload **replaced,
                                 bool *dropped)
{
    weir_arena scratch;
    weir_arena_init(&scratch, weir_loop_pool(call->loop), 0);
    weir_str bytes = weir_str_of(framed.ptr + WEIR_GRPC_PREFIX, framed.len - WEIR_GRPC_PREFIX);
    void *message = NULL;
    const void *other = NULL;
    weir_err err = weir_message_decode(call->sends, &message, &scratch, bytes, 0);
    if (!err) {
        other = weir__intercept_sending(call, message);
        *dropped = other == NULL;
        if (other && other != message)
            err = weir_payload_new(replaced, call->sends, other);
    }
    weir_arena_fini(&scratch);
    return err;
}

/* Holding. */

void weir_call_hold(weir_call *call)
{
    if (!call->opening || call->ops->has_ended(call))
        return;
    call->held = true;
    if (call->wire)
        weir_grpc_pause(call->wire);
}

weir_metadata *weir_call_edit_metadata(weir_call *call)
{
    return call->ops->edit_metadata(call);
}
