/* grpc.testing.TestService: the methods with one reply, and what all methods share
 * (gRPC's doc/interop-test-descriptions.md, "Server"). */
#include "service.h"

#include <inttypes.h>

/** Largest payload. Never written, so that the system backs it with one page of zeros. */
static const char *zeros(size_t size)
{
    static char bytes[16 << 20];
    return size <= sizeof bytes ? bytes : NULL;
}

bool make_payload(weir_call *call, testing_payload_type type, int32_t size,
                  testing_payload *payload)
{
    const char *body = size >= 0 ? zeros((size_t)size) : NULL;
    if (type != TESTING_PAYLOAD_TYPE_COMPRESSABLE || !body) {
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                       "no payload of type %d with %" PRId32 " bytes is to be had", (int)type,
                       size);
        return false;
    }
    *payload = (testing_payload){.type = type, .body = weir_str_of(body, (size_t)size)};
    return true;
}

void fail_on(weir_call *call, weir_err err)
{
    if (err)
        weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

void end_with(weir_call *call, const testing_echo_status *status)
{
    weir_call_finish_status(
        call, &(weir_status){(weir_status_code)status->code, status->message, {NULL, 0}});
}

void echo_metadata(weir_call *call)
{
    static const weir_str initial = {"x-grpc-test-echo-initial", 24};
    static const weir_str trailing = {"x-grpc-test-echo-trailing-bin", 29};
    const weir_metadata *sent = weir_call_metadata(call);
    const weir_str *value = weir_metadata_get(sent, initial);
    if (value)
        fail_on(call, weir_call_add_header(call, initial, *value));
    value = weir_metadata_get(sent, trailing);
    if (value)
        fail_on(call, weir_call_add_trailer(call, trailing, *value));
}

bool breaks_expectation(weir_call *call, const testing_bool_value *expect_compressed)
{
    bool compressed = weir_call_message_was_compressed(call);
    if (!expect_compressed || expect_compressed->value == compressed)
        return false;
    weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                   compressed ? "the request came compressed"
                              : "the request did not come compressed");
    return true;
}

/* Too late for the encoding is no error: the call has one already, or has to do without. */
void compress_as_asked(weir_call *call, const testing_bool_value *compressed)
{
    bool wanted = compressed && compressed->value;
    if (wanted && weir_call_compression(call) == WEIR_COMPRESSION_IDENTITY &&
        weir_call_set_compression(call, WEIR_COMPRESSION_GZIP))
        return;
    weir_call_set_message_compression(call, wanted);
}

static void empty_call(weir_call *call, const testing_empty *request, void *user WEIR_UNUSED)
{
    echo_metadata(call);
    fail_on(call, testing_test_service_empty_call_reply(call, request));
}

static void unary_call(weir_call *call, const testing_simple_request *request,
                       void *user WEIR_UNUSED)
{
    echo_metadata(call);
    if (breaks_expectation(call, request->expect_compressed))
        return;
    if (request->response_status && request->response_status->code != 0) {
        end_with(call, request->response_status);
        return;
    }
    testing_payload payload;
    if (!make_payload(call, request->response_type, request->response_size, &payload))
        return;
    compress_as_asked(call, request->response_compressed);
    fail_on(call, testing_test_service_unary_call_reply(
                      call, &(testing_simple_response){.payload = &payload}));
}

static void cacheable_unary_call(weir_call *call, const testing_simple_request *request WEIR_UNUSED,
                                 void *user WEIR_UNUSED)
{
    testing_payload now = {.body = weir_call_printf(call, "%" PRId64, weir_wall_now().us * 1000)};
    fail_on(call,
            weir_call_add_header(call, WEIR_STR("cache-control"), WEIR_STR("max-age=60, public")));
    fail_on(call, testing_test_service_cacheable_unary_call_reply(
                      call, &(testing_simple_response){.payload = &now}));
}

/* StreamingInputCall. The sum is in the call's own memory. */

static void input_open(weir_call *call, void *user WEIR_UNUSED)
{
    echo_metadata(call);
    int32_t *sum = weir_arena_zalloc(weir_call_arena(call), sizeof *sum);
    weir_call_set_data(call, sum);
    if (!sum)
        fail_on(call, WEIR_ENOMEM);
}

static void input_message(weir_call *call, const testing_streaming_input_call_request *request,
                          void *user WEIR_UNUSED)
{
    int32_t *sum = weir_call_data(call);
    if (!sum || breaks_expectation(call, request->expect_compressed) || !request->payload)
        return;
    if (request->payload->body.len > (size_t)(INT32_MAX - *sum))
        weir_call_fail(call, WEIR_STATUS_OUT_OF_RANGE, "more bytes than the reply can count");
    else
        *sum += (int32_t)request->payload->body.len;
}

static void input_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    const int32_t *sum = weir_call_data(call);
    if (sum)
        fail_on(call, testing_test_service_streaming_input_call_reply(
                          call, &(testing_streaming_input_call_response){.aggregated_payload_size =
                                                                             *sum}));
}

const testing_test_service_methods service_methods = {
    .empty_call = empty_call,
    .unary_call = unary_call,
    .cacheable_unary_call = cacheable_unary_call,
    .streaming_input_call = {.open = input_open,
                             .message = input_message,
                             .half_closed = input_half_closed},
    .streaming_output_call = {.open = output_call_open,
                              .writable = output_writable,
                              .closed = output_closed},
    .full_duplex_call = {.open = duplex_open,
                         .message = full_duplex_message,
                         .half_closed = duplex_half_closed,
                         .writable = output_writable,
                         .closed = output_closed},
    .half_duplex_call = {.open = duplex_open,
                         .message = half_duplex_message,
                         .half_closed = duplex_half_closed,
                         .writable = output_writable,
                         .closed = output_closed},
};
