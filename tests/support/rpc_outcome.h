/**
 * @file
 * For tests that make asynchronous unary calls: how they ended, to be waited for.
 */
#ifndef WEIR_RPC_OUTCOME_H
#define WEIR_RPC_OUTCOME_H

#include "rpc_testing.h"

#include <stdio.h>

typedef struct rpc_outcome {
    weir_latch done;
    weir_status_code code;
    char message[300];
} rpc_outcome;

typedef void (*rpc_outcome_fn)(const weir_status *status, const text *reply, void *user);

static inline void rpc_outcome_thunk(weir_fn done, const weir_status *status, const void *reply,
                                     void *user)
{
    ((rpc_outcome_fn)done)(status, reply, user);
}

static inline void rpc_outcome_done(const weir_status *status, const text *reply, void *user)
{
    rpc_outcome *o = user;
    (void)reply;
    o->code = status->code;
    snprintf(o->message, sizeof o->message, "%.*s", WEIR_STR_ARGS(status->message));
    weir_latch_down(&o->done);
}

static inline void rpc_outcome_start(rpc_outcome *o, weir_channel *channel, const char *request,
                                     const weir_call_opts *opts)
{
    weir_latch_init(&o->done, 1);
    assert_ok(weir_unary_start(channel, &test_methods[UNARY],
                               &(text){.text = weir_str_from(request)}, rpc_outcome_thunk,
                               (weir_fn)rpc_outcome_done, o, opts));
}

static inline weir_status_code rpc_outcome_wait(rpc_outcome *o)
{
    weir_latch_wait(&o->done);
    weir_latch_fini(&o->done);
    return o->code;
}

static inline bool rpc_outcome_says(const rpc_outcome *o, const char *part)
{
    if (!strstr(o->message, part))
        print_error("\"%s\" does not say \"%s\"\n", o->message, part);
    return strstr(o->message, part) != NULL;
}

#endif
