/**
 * @file
 * grpc.testing.TestService at a server: what its methods share.
 */
#ifndef WEIR_INTEROP_SERVICE_H
#define WEIR_INTEROP_SERVICE_H

#include "test.weir.h"

/** Every method but UnimplementedCall. */
extern const testing_test_service_methods service_methods;

/** Sends the two metadata keys of "Echo Metadata" back. */
void echo_metadata(weir_call *call);

/**
 * Points `payload` at `size` zeros.
 * @return whether such a payload is to be had; if not, the call has been failed
 */
bool make_payload(weir_call *call, testing_payload_type type, int32_t size,
                  testing_payload *payload);

/** Ends the call with the status that the client asked for. */
void end_with(weir_call *call, const testing_echo_status *status);

/** Ends the call with the status for `err`, unless that is WEIR_OK. */
void fail_on(weir_call *call, weir_err err);

/** Whether the request came compressed, or not, against what it says itself. If so, the call has
 * been failed. */
bool breaks_expectation(weir_call *call, const testing_bool_value *expect_compressed);

/** The next reply is compressed only if that is asked for. */
void compress_as_asked(weir_call *call, const testing_bool_value *compressed);

/* Streams of replies (output.c). */

void output_call_open(weir_call *call, const testing_streaming_output_call_request *request,
                      void *user);
void duplex_open(weir_call *call, void *user);
void full_duplex_message(weir_call *call, const testing_streaming_output_call_request *request,
                         void *user);
void half_duplex_message(weir_call *call, const testing_streaming_output_call_request *request,
                         void *user);
void duplex_half_closed(weir_call *call, void *user);
void output_writable(weir_call *call, void *user);
void output_closed(weir_call *call, const weir_status *why, void *user);

#endif
