/**
 * @file
 * A chain of interceptors around the calls of a server or a channel. A call without one has a NULL
 * chain, which is all that it costs.
 */
#ifndef WEIR_RPC_INTERCEPT_H
#define WEIR_RPC_INTERCEPT_H

#include <weir/rpc/interceptor.h>

#include "call_impl.h"

/** One of a chain. */
typedef struct weir__interceptor {
    const weir_interceptor *ops;
    void *user;
    size_t state_at; /* in the call's block of states */
} weir__interceptor;

struct weir__chain {
    weir__interceptor items[WEIR_INTERCEPTORS_MAX];
    size_t count;
    size_t state_bytes;
    bool received; /* one at least wants to see messages */
    bool sending;
};

/** @errors WEIR_EFULL */
WEIR_MUST_CHECK weir_err weir__chain_add(weir__chain *chain, const weir_interceptor *interceptor,
                                         void *user);

/**
 * Runs `open` of those that have not run, inwards, beginning with the one that held the call.
 * @return false: the call does not go on; it has been ended, or is held
 */
bool weir__intercept_open(weir_call *call);

void weir__intercept_headers(weir_call *call);
/** @return the message to go on with; NULL: none */
const void *weir__intercept_received(weir_call *call, const void *message);
const void *weir__intercept_sending(weir_call *call, const void *message);
void weir__intercept_finish(weir_call *call, weir_status *status);
void weir__intercept_closed(weir_call *call, const weir_status *status);

static inline bool weir__call_sees_sending(const weir_call *call)
{
    return call->chain && call->chain->sending;
}

static inline bool weir__call_sees_received(const weir_call *call)
{
    return call->chain && call->chain->received;
}

/**
 * `received` for a message that is not decoded yet.
 * @param bytes  what to go on with: as they are, or those of `*other`
 * @param other  NULL, or a reference that holds them
 * @return false: there is none; the call may have been ended
 */
bool weir__intercept_bytes(weir_call *call, weir_str *bytes, weir_payload **other);

/**
 * `sending` for a message that is encoded already.
 * @param replaced  what to send instead, one reference; NULL: the message as it is
 * @param dropped   nothing is to be sent
 */
WEIR_MUST_CHECK weir_err weir__intercept_payload(weir_call *call, weir_str framed,
                                                 weir_payload **replaced, bool *dropped);

#endif
