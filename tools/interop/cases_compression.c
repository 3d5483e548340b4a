/* Cases about compressed messages. What was compressed is told by an interceptor, because the
 * stubs show messages only. */
#include "cases.h"

enum {
    REPLY_BYTES = 314159,
    SENT_BYTES = 271828
};

static const void *received(weir_call *call, const void *message, void *state WEIR_UNUSED,
                            void *user)
{
    struct run *run = user;
    if (run->reply_count < REPLIES_WATCHED)
        run->reply_compressed[run->reply_count++] = weir_call_message_was_compressed(call);
    return message;
}

const weir_interceptor watch_replies = {.name = "replies", .received = received};

static void expect_flag(struct run *run, const char *call, unsigned reply, bool compressed)
{
    expect(run, run->reply_compressed[reply] == compressed,
           "%s: the reply should %shave come "
           "compressed",
           call, compressed ? "" : "not ");
}

/* Requests. */

static weir_status ask_unary(struct run *run, bool expected, bool compressed,
                             testing_simple_response **reply)
{
    testing_payload payload = payload_of(SENT_BYTES);
    testing_bool_value expect_compressed = {.value = expected};
    testing_simple_request request = {
        .response_size = REPLY_BYTES, .payload = &payload, .expect_compressed = &expect_compressed};
    weir_call_opts opts = call_opts(run, NULL);
    opts.compression = compressed ? WEIR_COMPRESSION_GZIP : WEIR_COMPRESSION_IDENTITY;
    return testing_test_service_unary_call(run->channel, run->mem, &request, reply, &opts);
}

void client_compressed_unary(struct run *run)
{
    testing_simple_response *reply = NULL;
    weir_status status = ask_unary(run, true, false, &reply);
    expect_code(run, "UnaryCall: a request that is not compressed as it says", &status,
                WEIR_STATUS_INVALID_ARGUMENT);
    for (int compressed = 1; compressed >= 0; compressed--) {
        status = ask_unary(run, compressed, compressed, &reply);
        if (expect_code(run, "UnaryCall", &status, WEIR_STATUS_OK))
            expect_zeros(run, "UnaryCall", reply->payload, REPLY_BYTES);
    }
}

static weir_stream *open_input(struct run *run)
{
    weir_stream *stream = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    opts.compression = WEIR_COMPRESSION_GZIP;
    weir_err err =
        testing_test_service_streaming_input_call_stream_open(&stream, run->channel, &opts);
    return expect_ok(run, "StreamingInputCall", err) ? stream : NULL;
}

static void write_input(struct run *run, weir_stream *stream, size_t size, bool expected,
                        bool compressed)
{
    testing_payload payload = payload_of(size);
    testing_bool_value expect_compressed = {.value = expected};
    weir_stream_set_message_compression(stream, compressed);
    weir_err err = testing_test_service_streaming_input_call_stream_write(
        stream, &(testing_streaming_input_call_request){.payload = &payload,
                                                        .expect_compressed = &expect_compressed});
    expect_ok(run, "StreamingInputCall: sending", err);
}

void client_compressed_streaming(struct run *run)
{
    weir_stream *stream = open_input(run);
    if (!stream)
        return;
    write_input(run, stream, 27182, true, false);
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, "StreamingInputCall: a request that is not compressed as it says", &status,
                WEIR_STATUS_INVALID_ARGUMENT);
    weir_stream_free(stream);

    stream = open_input(run);
    if (!stream)
        return;
    write_input(run, stream, 27182, true, true);
    write_input(run, stream, 45904, false, false);
    expect_ok(run, "StreamingInputCall: half-closing", weir_stream_half_close(stream));
    testing_streaming_input_call_response *reply = NULL;
    weir_err err = testing_test_service_streaming_input_call_stream_read(stream, run->mem, &reply);
    if (expect_ok(run, "StreamingInputCall: the reply", err))
        expect(run, reply->aggregated_payload_size == 73086,
               "StreamingInputCall: the server counted %d bytes instead of 73086",
               reply->aggregated_payload_size);
    status = weir_stream_finish(stream, run->mem);
    expect_code(run, "StreamingInputCall", &status, WEIR_STATUS_OK);
    weir_stream_free(stream);
}

/* Replies. */

void server_compressed_unary(struct run *run)
{
    testing_payload payload = payload_of(SENT_BYTES);
    for (unsigned i = 0; i < 2; i++) {
        testing_bool_value compressed = {.value = i == 0};
        testing_simple_request request = {
            .response_size = REPLY_BYTES, .payload = &payload, .response_compressed = &compressed};
        testing_simple_response *reply = NULL;
        weir_call_opts opts = call_opts(run, NULL);
        weir_status status =
            testing_test_service_unary_call(run->channel, run->mem, &request, &reply, &opts);
        if (!expect_code(run, "UnaryCall", &status, WEIR_STATUS_OK))
            return;
        expect_zeros(run, "UnaryCall", reply->payload, REPLY_BYTES);
        expect_flag(run, "UnaryCall", i, compressed.value);
    }
}

void server_compressed_streaming(struct run *run)
{
    testing_bool_value yes = {.value = true}, no = {.value = false};
    testing_response_parameters wanted[] = {{.size = 31415, .compressed = &yes},
                                            {.size = 92653, .compressed = &no}};
    testing_streaming_output_call_request request = {.response_parameters = {wanted, 2}};
    weir_stream *stream;
    weir_call_opts opts = call_opts(run, NULL);
    weir_err err = testing_test_service_streaming_output_call_stream_open(&stream, run->channel,
                                                                          &request, &opts);
    if (!expect_ok(run, "StreamingOutputCall", err))
        return;
    for (unsigned i = 0; i < 2; i++) {
        read_sized(run, stream, (size_t)wanted[i].size);
        expect_flag(run, "StreamingOutputCall", i, wanted[i].compressed->value);
    }
    expect_end(run, stream);
}
