/* Cases with streams of messages. */
#include "cases.h"

enum {
    ROUNDS = 4
};

/** Bytes of a streaming client's payloads, and of the replies that are asked for. */
static const size_t sent_sizes[ROUNDS] = {27182, 8, 1828, 45904};
static const size_t reply_sizes[ROUNDS] = {31415, 9, 2653, 58979};

static void write_all(struct run *run, weir_stream *stream)
{
    for (size_t i = 0; i < ROUNDS; i++) {
        testing_payload payload = payload_of(sent_sizes[i]);
        weir_err err = testing_test_service_streaming_input_call_stream_write(
            stream, &(testing_streaming_input_call_request){.payload = &payload});
        expect_ok(run, "StreamingInputCall: sending", err);
    }
    expect_ok(run, "StreamingInputCall: half-closing", weir_stream_half_close(stream));
}

void client_streaming(struct run *run)
{
    weir_stream *stream;
    weir_call_opts opts = call_opts(run, NULL);
    weir_err err =
        testing_test_service_streaming_input_call_stream_open(&stream, run->channel, &opts);
    if (!expect_ok(run, "StreamingInputCall", err))
        return;
    write_all(run, stream);
    testing_streaming_input_call_response *reply = NULL;
    err = testing_test_service_streaming_input_call_stream_read(stream, run->mem, &reply);
    if (expect_ok(run, "StreamingInputCall: the reply", err))
        expect(run, reply->aggregated_payload_size == 74922,
               "StreamingInputCall: the server counted %d bytes instead of 74922",
               reply->aggregated_payload_size);
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, "StreamingInputCall", &status, WEIR_STATUS_OK);
    weir_stream_free(stream);
}

void server_streaming(struct run *run)
{
    testing_response_parameters wanted[ROUNDS] = {0};
    for (size_t i = 0; i < ROUNDS; i++)
        wanted[i].size = (int32_t)reply_sizes[i];
    testing_streaming_output_call_request request = {.response_parameters = {wanted, ROUNDS}};
    weir_stream *stream;
    weir_call_opts opts = call_opts(run, NULL);
    weir_err err = testing_test_service_streaming_output_call_stream_open(&stream, run->channel,
                                                                          &request, &opts);
    if (!expect_ok(run, "StreamingOutputCall", err))
        return;
    for (size_t i = 0; i < ROUNDS; i++)
        read_sized(run, stream, reply_sizes[i]);
    expect_end(run, stream);
}

void ping_pong(struct run *run)
{
    weir_stream *stream = open_duplex(run, NULL);
    if (!stream)
        return;
    for (size_t i = 0; i < ROUNDS && !run->failed; i++) {
        ask(run, stream, reply_sizes[i], sent_sizes[i]);
        read_sized(run, stream, reply_sizes[i]);
    }
    expect_ok(run, "FullDuplexCall: half-closing", weir_stream_half_close(stream));
    expect_end(run, stream);
}

void empty_stream(struct run *run)
{
    weir_stream *stream = open_duplex(run, NULL);
    if (!stream)
        return;
    expect_ok(run, "FullDuplexCall: half-closing", weir_stream_half_close(stream));
    expect_end(run, stream);
}
