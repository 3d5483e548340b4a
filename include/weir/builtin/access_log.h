/**
 * @file
 * Access log: an interceptor that writes a line to the log (module "access") when a call ends. At
 * either end:
 *
 *     127.0.0.1:40312 ann /chat.Chat/Send OK 531 us
 *     127.0.0.1:40312 - /chat.Chat/Send NOT_FOUND 210 us: no such room
 */
#ifndef WEIR_BUILTIN_ACCESS_LOG_H
#define WEIR_BUILTIN_ACCESS_LOG_H

#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** A zeroed field means the default written beside it. */
typedef struct weir_access_log_opts {
    int64_t slower_us;     /**< successful calls that were faster leave no line; 0: all have one */
    bool failures_at_warn; /**< calls that did not end with OK are logged as WARN; else INFO */
} weir_access_log_opts;

/** `user` is a weir_access_log_opts, borrowed; NULL is all defaults. */
extern WEIR_API const weir_interceptor weir_access_log;

WEIR_END_DECLS

#endif
