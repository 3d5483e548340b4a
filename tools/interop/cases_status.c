/* Cases about what travels beside the messages: metadata and the status. */
#include "cases.h"

#define INITIAL_KEY  WEIR_STR("x-grpc-test-echo-initial")
#define INITIAL      WEIR_STR("test_initial_metadata_value")
#define TRAILING_KEY WEIR_STR("x-grpc-test-echo-trailing-bin")
#define TRAILING     WEIR_STR("\xab\xab\xab")

enum {
    REPLY_BYTES = 314159,
    SENT_BYTES = 271828
};

static void expect_value(struct run *run, const char *call, const weir_metadata *metadata,
                         weir_str key, weir_str value)
{
    const weir_str *got = metadata ? weir_metadata_get(metadata, key) : NULL;
    if (expect(run, got != NULL, "%s: %.*s did not come back", call, WEIR_STR_ARGS(key)))
        expect(run, weir_str_eq(*got, value), "%s: %.*s came back with another value", call,
               WEIR_STR_ARGS(key));
}

/** Half-closes; the call ends with OK and with both echoes. Frees the stream. */
static void expect_echoes(struct run *run, const char *call, weir_stream *stream)
{
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, call, &status, WEIR_STATUS_OK);
    expect_value(run, call, weir_stream_metadata(stream), INITIAL_KEY, INITIAL);
    expect_value(run, call, weir_stream_trailers(stream), TRAILING_KEY, TRAILING);
    weir_stream_free(stream);
}

static const weir_method *method_named(const char *name)
{
    const weir_service *service = &testing_test_service_service;
    for (size_t i = 0; i < service->method_count; i++)
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    return NULL;
}

/** As a stream of one reply, because a unary stub does not show metadata. */
static void unary_with_metadata(struct run *run, const weir_call_opts *opts)
{
    testing_payload payload = payload_of(SENT_BYTES);
    testing_simple_request request = {.response_size = REPLY_BYTES, .payload = &payload};
    weir_stream *stream;
    weir_err err =
        weir_stream_open(&stream, run->channel, method_named("UnaryCall"), &request, opts);
    if (!expect_ok(run, "UnaryCall", err))
        return;
    void *reply = NULL;
    if (expect_ok(run, "UnaryCall: the reply", weir_stream_read(stream, run->mem, &reply))) {
        const testing_simple_response *response = reply;
        expect_zeros(run, "UnaryCall", response->payload, REPLY_BYTES);
    }
    expect_echoes(run, "UnaryCall", stream);
}

static void duplex_with_metadata(struct run *run, const weir_metadata *metadata)
{
    weir_stream *stream = open_duplex(run, metadata);
    if (!stream)
        return;
    ask(run, stream, REPLY_BYTES, SENT_BYTES);
    expect_ok(run, "FullDuplexCall: half-closing", weir_stream_half_close(stream));
    read_sized(run, stream, REPLY_BYTES);
    expect_echoes(run, "FullDuplexCall", stream);
}

void custom_metadata(struct run *run)
{
    weir_metadata metadata = {0};
    expect_ok(run, "initial", weir_metadata_add(&metadata, run->mem, INITIAL_KEY, INITIAL));
    expect_ok(run, "trailing", weir_metadata_add(&metadata, run->mem, TRAILING_KEY, TRAILING));
    weir_call_opts opts = call_opts(run, &metadata);
    unary_with_metadata(run, &opts);
    duplex_with_metadata(run, &metadata);
}

static void unary_with_status(struct run *run, const testing_echo_status *wanted)
{
    testing_simple_request request = {.response_status = wanted};
    testing_simple_response *reply = NULL;
    weir_call_opts opts = call_opts(run, NULL);
    weir_status status =
        testing_test_service_unary_call(run->channel, run->mem, &request, &reply, &opts);
    expect_status(run, "UnaryCall", &status, (weir_status_code)wanted->code, wanted->message);
}

static void duplex_with_status(struct run *run, const testing_echo_status *wanted)
{
    weir_stream *stream = open_duplex(run, NULL);
    if (!stream)
        return;
    weir_err err = testing_test_service_full_duplex_call_stream_write(
        stream, &(testing_streaming_output_call_request){.response_status = wanted});
    expect_ok(run, "FullDuplexCall: sending", err);
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_status(run, "FullDuplexCall", &status, (weir_status_code)wanted->code, wanted->message);
    weir_stream_free(stream);
}

void status_code_and_message(struct run *run)
{
    static const testing_echo_status wanted = {.code = WEIR_STATUS_UNKNOWN,
                                               .message = {"test status message", 19}};
    unary_with_status(run, &wanted);
    duplex_with_status(run, &wanted);
}

void special_status_message(struct run *run)
{
    testing_echo_status wanted = {
        .code = WEIR_STATUS_UNKNOWN,
        .message = WEIR_STR(
            "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"),
    };
    unary_with_status(run, &wanted);
}
