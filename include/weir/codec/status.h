/**
 * @file
 * gRPC status: the 17 codes of grpc/doc/statuscodes.md, with a text.
 */
#ifndef WEIR_CODEC_STATUS_H
#define WEIR_CODEC_STATUS_H

#include <weir/base/base.h>

WEIR_BEGIN_DECLS

typedef enum weir_status_code {
    WEIR_STATUS_OK = 0,
    WEIR_STATUS_CANCELLED = 1,
    WEIR_STATUS_UNKNOWN = 2,
    WEIR_STATUS_INVALID_ARGUMENT = 3,
    WEIR_STATUS_DEADLINE_EXCEEDED = 4,
    WEIR_STATUS_NOT_FOUND = 5,
    WEIR_STATUS_ALREADY_EXISTS = 6,
    WEIR_STATUS_PERMISSION_DENIED = 7,
    WEIR_STATUS_RESOURCE_EXHAUSTED = 8,
    WEIR_STATUS_FAILED_PRECONDITION = 9,
    WEIR_STATUS_ABORTED = 10,
    WEIR_STATUS_OUT_OF_RANGE = 11,
    WEIR_STATUS_UNIMPLEMENTED = 12,
    WEIR_STATUS_INTERNAL = 13,
    WEIR_STATUS_UNAVAILABLE = 14,
    WEIR_STATUS_DATA_LOSS = 15,
    WEIR_STATUS_UNAUTHENTICATED = 16
} weir_status_code;

/**
 * How a call ended, by value. The views live as long as the call, the callback, or the arena that
 * the function which gave it names; each is NUL-terminated.
 */
typedef struct weir_status {
    weir_status_code code;
    weir_str message; /**< UTF-8, decoded; may be empty */
    weir_str details; /**< grpc-status-details-bin, decoded: a google.rpc.Status; may be empty */
} weir_status;

/** "NOT_FOUND"; "UNKNOWN" for a number outside the table. Static. @thread any */
WEIR_API const char *weir_status_name(weir_status_code code);

/** The message, or the code's name when there is none. NUL-terminated. @thread any */
WEIR_API const char *weir_status_text(const weir_status *status);

/** Code for an HTTP status without grpc-status (grpc/doc/http-grpc-status-mapping.md). */
WEIR_API weir_status_code weir_status_from_http(int http_status);

/** Code for a RST_STREAM without grpc-status (grpc/doc/PROTOCOL-HTTP2.md, "Errors"). */
WEIR_API weir_status_code weir_status_from_h2(uint32_t h2_code);

WEIR_END_DECLS

#endif
