/**
 * @file
 * To end a blocking unary call from another thread: a Ctrl-C, a window that was closed, an answer
 * that came from elsewhere. Every other call has an id for that (weir_call_cancel_post()), or a
 * stream (weir_stream_cancel()).
 * @thread any, but free
 */
#ifndef WEIR_RPC_CANCELLATION_H
#define WEIR_RPC_CANCELLATION_H

#include <stdbool.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

/** For weir_call_opts: of one call at a time, as many as one likes after each other. */
typedef struct weir_cancellation weir_cancellation;

/** @return NULL when out of memory; yours until weir_cancellation_free() */
WEIR_API weir_cancellation *weir_cancellation_new(void);

/** Not while a call has it. NULL is fine. @thread one at a time */
WEIR_API void weir_cancellation_free(weir_cancellation *cancellation);

/**
 * Ends the call that has it now with CANCELLED, and each that begins later at once. Repeatable.
 * @errors WEIR_ENOMEM: a call that runs was not told; repeating helps
 */
WEIR_API weir_err weir_cancellation_cancel(weir_cancellation *cancellation);

WEIR_API bool weir_cancellation_is_cancelled(const weir_cancellation *cancellation);

WEIR_END_DECLS

#endif
