/**
 * @file
 * A cancellation, as the call that has it sees it.
 */
#ifndef WEIR_RPC_CANCELLATION_IMPL_H
#define WEIR_RPC_CANCELLATION_IMPL_H

#include <weir/rpc/call.h>
#include <weir/rpc/cancellation.h>

/** The call has it from now on; NULL is fine. @errors WEIR_ECANCELED: cancelled already.
 * WEIR_ESTATE: another call has it */
WEIR_MUST_CHECK weir_err weir__cancellation_begin(weir_cancellation *cancellation, weir_call_id id);

/** The call is over. NULL is fine. */
void weir__cancellation_end(weir_cancellation *cancellation);

#endif
