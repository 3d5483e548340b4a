/**
 * @file
 * Details of a status: a google.rpc.Status in `grpc-status-details-bin`, as other languages' gRPC
 * read and write it. Its messages are <weir/codec/google/rpc/status.weir.h> and
 * <weir/codec/google/rpc/error_details.weir.h>; any other message may be a detail too.
 *
 *     google_rpc_retry_info retry = {.retry_delay = &delay};
 *     weir_status status = {WEIR_STATUS_UNAVAILABLE, WEIR_STR("come back later"), {0}};
 *     weir_status_detail detail = {&google_rpc_retry_info_descriptor, &retry};
 *     weir_err err = weir_status_set_details(&status, weir_call_arena(call), &detail, 1);
 *     if (!err)
 *         weir_call_finish_status(call, &status);
 *
 * Trailers are bounded by the peer's limit on headers, often 8 KiB: keep details small.
 */
#ifndef WEIR_CODEC_STATUS_DETAILS_H
#define WEIR_CODEC_STATUS_DETAILS_H

#include <weir/codec/message.h>
#include <weir/codec/status.h>

WEIR_BEGIN_DECLS

/** A message, and what it is. */
typedef struct weir_status_detail {
    const weir_message *type; /**< generated: x_descriptor */
    const void *message;
} weir_status_detail;

/**
 * Sets `status->details` from the status's code and message and from these.
 * @param status   its `details` become a view in `mem`; untouched after an error
 * @param details  in this order; nothing is kept
 * @thread the arena's
 * @errors as weir_message_encode_new()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_status_set_details(weir_status *status, weir_arena *mem,
                                                          const weir_status_detail *details,
                                                          size_t count);

/**
 * The first detail of that type.
 * @param out  the message, in `mem`; nothing in it points into `status`. Untouched after an error
 * @thread the arena's
 * @errors WEIR_ENOENT: there is none of that type, or there are no details. WEIR_EMALFORMED,
 *         WEIR_EUTF8, WEIR_EDEPTH: the peer sent something else. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_status_find_detail(const weir_status *status,
                                                          const weir_message *type, weir_arena *mem,
                                                          void **out);

WEIR_END_DECLS

#endif
