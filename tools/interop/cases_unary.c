/* Cases with one request and one reply. */
#include "cases.h"

void empty_unary(struct run *run)
{
    testing_empty *reply = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    weir_status status =
        testing_test_service_empty_call(run->channel, run->mem, &(testing_empty){0}, &reply, &opts);
    if (expect_code(run, "EmptyCall", &status, WEIR_STATUS_OK))
        expect(run, reply != NULL, "EmptyCall: there is no reply");
}

void large_unary(struct run *run)
{
    enum {
        REPLY_BYTES = 314159
    };
    testing_payload payload = payload_of(271828);
    testing_simple_request request = {.response_size = REPLY_BYTES, .payload = &payload};
    testing_simple_response *reply = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    weir_status status =
        testing_test_service_unary_call(run->channel, run->mem, &request, &reply, &opts);
    if (expect_code(run, "UnaryCall", &status, WEIR_STATUS_OK))
        expect_zeros(run, "UnaryCall", reply->payload, REPLY_BYTES);
}

void unimplemented_method(struct run *run)
{
    testing_empty *reply = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    weir_status status = testing_test_service_unimplemented_call(
        run->channel, run->mem, &(testing_empty){0}, &reply, &opts);
    expect_code(run, "TestService/UnimplementedCall", &status, WEIR_STATUS_UNIMPLEMENTED);
}

void unimplemented_service(struct run *run)
{
    testing_empty *reply = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    weir_status status = testing_unimplemented_service_unimplemented_call(
        run->channel, run->mem, &(testing_empty){0}, &reply, &opts);
    expect_code(run, "UnimplementedService/UnimplementedCall", &status, WEIR_STATUS_UNIMPLEMENTED);
}
