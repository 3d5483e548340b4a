/**
 * @file
 * Further attempts of a client's call, as the service config asks for them (gRFC A6): one after the
 * other (client_retry.c), or several at once (client_hedge.c). In the call's loop.
 */
#ifndef WEIR_RPC_CLIENT_TRIES_H
#define WEIR_RPC_CLIENT_TRIES_H

#include "channel_impl.h"

/** An attempt beside the call's own. */
typedef struct weir__hedge {
    weir_call call; /* receives the engine's events; `wire` is NULL when it does not run */
    weir__client_call *cc;
    weir__sub *sub;
    weir_time picked;
} weir__hedge;

/** A message of a stream that may have to be sent again; in the call's arena. */
typedef struct weir__kept {
    struct weir__kept *next;
    weir_payload *payload; /* its own reference */
} weir__kept;

/** In the call's arena. */
struct weir__tries {
    weir__client_call *cc;
    weir_retry_policy retry;            /* max_attempts 0: none */
    weir_hedging_policy hedging;        /* likewise */
    unsigned made, ended;               /* attempts */
    unsigned backoffs;                  /* without the server's advice, in a row */
    uint64_t been[WEIR_ATTEMPTS_MAX];   /* hashes of the backends' addresses */
    weir_timer timer;                   /* until the next attempt */
    bool pending;                       /* the call has no attempt: the timer makes one */
    weir__kept *kept_first, *kept_last; /* of a client that streams */
    size_t kept_bytes;
    weir__hedge *hedges[WEIR_ATTEMPTS_MAX];
    unsigned hedge_count;
};

/** Follows the service config's rule for the method. @return false: the call has ended */
bool weir__tries_begin(weir__client_call *call);
/** An attempt of the call's own begins there. */
void weir__tries_started(weir__client_call *call, const weir__sub *sub);
/** The call's own attempt has ended so. @return true: the call goes on */
bool weir__tries_go_on(weir__client_call *call, const weir_status *status);
/** The call's own attempt is answered: no others. */
void weir__tries_answered(weir__client_call *call);
/** A message of the call is queued. */
void weir__tries_keep(weir__client_call *call, weir_payload *payload);
/** Sends what is kept once more. */
WEIR_MUST_CHECK weir_err weir__tries_send_kept(weir__client_call *call);
/** Whether the call has no attempt, but is to have another one. */
bool weir__tries_pending(const weir__client_call *call);
/** The call ends. Repeatable. */
void weir__tries_stop(weir__client_call *call);
/** Attempts so far. */
unsigned weir__tries_count(const weir__client_call *call);
/** The backends where it has been, as far as they are still there. @return how many */
size_t weir__tries_avoid(const weir__client_call *call, weir_backend *out[WEIR_ATTEMPTS_MAX]);

/* Shared by the two files. */

/** Counts an attempt's end for the channel's budget. */
void weir__tries_account(weir_channel *channel, uint32_t codes, const weir_status *status,
                         int64_t pushback_us);
/** Whether the budget allows more attempts. */
bool weir__tries_allowed(const weir_channel *channel);
/** What the server says in "grpc-retry-pushback-ms". @return -1: nothing; -2: do not */
int64_t weir__tries_pushback(weir_grpc_call *wire);
/** Whether an attempt that ends so may have a successor at all. */
bool weir__tries_may_repeat(const weir__client_call *call, weir_grpc_call *wire);

/** As weir__tries_go_on(). */
bool weir__hedges_go_on(weir__client_call *call, const weir_status *status);
/** The first attempt has begun: others follow. */
void weir__hedges_begin(weir__client_call *call);
/** Whether any runs. */
bool weir__hedges_run(const weir__tries *tries);
/** Those that run are given up. */
void weir__hedges_stop(weir__client_call *call);

enum {
    WEIR__NO_PUSHBACK = -1,
    WEIR__DO_NOT_RETRY = -2
};

#endif
