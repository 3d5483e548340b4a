/* Cases of calls that end early: cancelled, or out of time. */
#include "cases.h"

static void expect_cancelled(struct run *run, const char *call, weir_stream *stream)
{
    weir_stream_cancel(stream);
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, call, &status, WEIR_STATUS_CANCELLED);
    weir_stream_free(stream);
}

void cancel_after_begin(struct run *run)
{
    weir_stream *stream;
    weir_call_opts opts = call_opts(run, NULL);
    weir_err err =
        testing_test_service_streaming_input_call_stream_open(&stream, run->channel, &opts);
    if (expect_ok(run, "StreamingInputCall", err))
        expect_cancelled(run, "StreamingInputCall", stream);
}

void cancel_after_first_response(struct run *run)
{
    weir_stream *stream = open_duplex(run, NULL);
    if (!stream)
        return;
    ask(run, stream, 31415, 27182);
    read_sized(run, stream, 31415);
    expect_cancelled(run, "FullDuplexCall", stream);
}

/* The client does not half-close, so that the server waits for more for ever. */
void timeout_on_sleeping_server(struct run *run)
{
    weir_stream *stream;
    weir_call_opts opts = {.timeout_us = WEIR_MILLISECONDS(1)};
    weir_err err = testing_test_service_full_duplex_call_stream_open(&stream, run->channel, &opts);
    if (!expect_ok(run, "FullDuplexCall", err))
        return;
    testing_payload payload = payload_of(27182);
    err = testing_test_service_full_duplex_call_stream_write(
        stream, &(testing_streaming_output_call_request){.payload = &payload});
    expect(run, err == WEIR_OK || err == WEIR_ECLOSED, "FullDuplexCall: sending: %s",
           weir_err_text(err));
    testing_streaming_output_call_response *reply = NULL;
    err = testing_test_service_full_duplex_call_stream_read(stream, run->mem, &reply);
    expect(run, err == WEIR_ECLOSED, "FullDuplexCall: a reply came that nobody asked for");
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, "FullDuplexCall", &status, WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_stream_free(stream);
}
