/**
 * @file
 * The one table of weir's errors. What can fail returns `weir_err`; zero is WEIR_OK.
 *
 * A row: name, number, text (what happened and what to do), the gRPC status code that a call ends
 * with when this error is its cause (grpc/doc/statuscodes.md), and whether trying again may help.
 * Numbers never change.
 */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdbool.h>
#include <weir/base/attr.h>

WEIR_BEGIN_DECLS

/* clang-format off */
#define WEIR_ERRORS(X) \
    X(OK,             0, "success",                                                              0, false) \
    X(EAGAIN,         1, "would block: try again when told that it is writable",                 8, true)  \
    X(EINVAL,         2, "an argument is not of the documented form",                            3, false) \
    X(ENOMEM,         3, "out of memory, or a pool or arena is at its limit",                    8, true)  \
    X(ECLOSED,        4, "the connection, call or object is gone",                              14, true)  \
    X(ECANCELED,      5, "canceled before it could run",                                         1, false) \
    X(ETIMEDOUT,      6, "no answer in the time allowed",                                        4, true)  \
    X(ECONNREFUSED,   7, "connection refused: is the server running at that address?",          14, true)  \
    X(ECONNRESET,     8, "connection reset by the peer",                                        14, true)  \
    X(EADDRINUSE,     9, "address already in use: choose another port or stop its user",         2, false) \
    X(EACCES,        10, "permission denied: ports below 1024 and some paths need privileges",   7, false) \
    X(EMFILE,        11, "out of file descriptors: raise the limit (ulimit -n)",                 8, true)  \
    X(ENOENT,        12, "no such file, name or service",                                        5, false) \
    X(EMSGSIZE,      13, "larger than the limit that was set",                                   8, false) \
    X(EPROTO,        14, "the peer broke the protocol",                                         13, false) \
    X(ESTATE,        15, "not allowed in this state: a call was made twice or too late",         9, false) \
    X(ENOTSUP,       16, "not supported",                                                       12, false) \
    X(EIO,           17, "input or output failed",                                              14, true)  \
    X(EUNREACH,      18, "network or host unreachable",                                         14, true)  \
    X(EADDRNOTAVAIL, 19, "that address is not one of this machine's",                            3, false) \
    X(EEXIST,        20, "exists already",                                                       6, false) \
    X(ELOOKUP,       21, "the name was not found: check its spelling and the name server",      14, true)  \
    X(EFULL,         22, "a queue or table is at its limit",                                     8, true)  \
    X(EMALFORMED,    23, "the bytes are not a valid message",                                   13, false) \
    X(EUTF8,         24, "a string field holds bytes that are not UTF-8",                       13, false) \
    X(EDEPTH,        25, "messages are nested deeper than the limit of 100",                    13, false) \
    X(ETLS,          26, "TLS failed: weir_conn_why() of the connection says how",              14, false) \
    X(ECERT,         27, "a certificate was not accepted: weir_conn_why() or the log says why", 14, false)
/* clang-format on */

typedef enum weir_err {
#define WEIR__ERR_ENUM(name, number, text, status, retry) WEIR_##name = number,
    WEIR_ERRORS(WEIR__ERR_ENUM)
#undef WEIR__ERR_ENUM
} weir_err;

/** "WEIR_EAGAIN"; "WEIR_E?" for a number that is not in the table. Static. @thread any */
WEIR_API const char *weir_err_name(weir_err err);

/** The table's sentence for `err`. Static. @thread any */
WEIR_API const char *weir_err_text(weir_err err);

/** The gRPC status code (0 to 16) for `err`; 2 (UNKNOWN) where the table has none. @thread any */
WEIR_API int weir_err_status(weir_err err);

/** Whether the same call may succeed later without a change by the caller. @thread any */
WEIR_API bool weir_err_retry(weir_err err);

/** The nearest weir_err to an errno value; WEIR_EIO where there is none. @thread any */
WEIR_API weir_err weir_err_from_errno(int errno_value);

/**
 * A sentence about a failure, for functions that read what people write (addresses, options).
 * The caller's memory; written only on failure, always NUL-terminated, cut to fit.
 */
typedef struct weir_why {
    char text[300];
} weir_why;

/** Fills `why` unless it is NULL, and returns `err`, so that a failing function ends with it. */
WEIR_API weir_err weir_why_set(weir_why *why, weir_err err, const char *fmt, ...) WEIR_PRINTF(3, 4);

/**
 * A bug of the caller (wrong thread, use after free): writes what was done, where, and what to do
 * instead to stderr, and aborts, in release builds too. Never for what a peer can cause.
 */
#define WEIR_BUG(...) weir_bug_at(__FILE__, __LINE__, __VA_ARGS__)

WEIR_API WEIR_NORETURN WEIR_COLD void weir_bug_at(const char *file, int line, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

WEIR_END_DECLS

#endif
