/* What the cases share. */
#include "cases.h"

#include <stdarg.h>
#include <stdio.h>

bool expect(struct run *run, bool held, const char *fmt, ...)
{
    if (held)
        return true;
    run->failed = true;
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "weir-interop-client: %s: ", run->name);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return false;
}

bool expect_code(struct run *run, const char *call, const weir_status *status,
                 weir_status_code code)
{
    return expect(run, status->code == code, "%s should have ended with %s, but did with %s: %s",
                  call, weir_status_name(code), weir_status_name(status->code),
                  weir_status_text(status));
}

void expect_status(struct run *run, const char *call, const weir_status *status,
                   weir_status_code code, weir_str message)
{
    if (expect_code(run, call, status, code))
        expect(run, weir_str_eq(status->message, message),
               "%s should have the status message \"%.*s\", but has \"%.*s\"", call,
               WEIR_STR_ARGS(message), WEIR_STR_ARGS(status->message));
}

bool expect_ok(struct run *run, const char *what, weir_err err)
{
    return expect(run, err == WEIR_OK, "%s: %s", what, weir_err_text(err));
}

static bool all_zero(weir_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (bytes.ptr[i] != '\0')
            return false;
    return true;
}

void expect_zeros(struct run *run, const char *call, const testing_payload *payload, size_t size)
{
    if (expect(run, payload != NULL, "%s: the reply has no payload", call) &&
        expect(run, payload->body.len == size, "%s: %zu bytes came instead of %zu", call,
               payload->body.len, size))
        expect(run, all_zero(payload->body), "%s: the payload is not all zeros", call);
}

testing_payload payload_of(size_t size)
{
    static const char zeros[PAYLOAD_BYTES_MAX];
    return (testing_payload){.body = weir_str_of(zeros, size)};
}

weir_call_opts call_opts(const struct run *run, const weir_metadata *metadata)
{
    int64_t left = weir_time_diff(run->deadline, weir_time_now());
    return (weir_call_opts){.timeout_us = left > 0 ? left : 1, .metadata = metadata};
}

weir_stream *open_duplex(struct run *run, const weir_metadata *metadata)
{
    weir_stream *stream = NULL;
    weir_call_opts opts = call_opts(run, metadata);
    weir_err err = testing_test_service_full_duplex_call_stream_open(&stream, run->channel, &opts);
    return expect_ok(run, "FullDuplexCall", err) ? stream : NULL;
}

void ask(struct run *run, weir_stream *duplex, size_t wanted, size_t sent)
{
    testing_response_parameters reply = {.size = (int32_t)wanted};
    testing_payload payload = payload_of(sent);
    testing_streaming_output_call_request request = {.response_parameters = {&reply, 1},
                                                     .payload = &payload};
    weir_err err = testing_test_service_full_duplex_call_stream_write(duplex, &request);
    expect_ok(run, "FullDuplexCall: sending", err);
}

void read_sized(struct run *run, weir_stream *stream, size_t size)
{
    testing_streaming_output_call_response *reply = NULL;
    weir_err err = testing_test_service_full_duplex_call_stream_read(stream, run->mem, &reply);
    if (expect_ok(run, "a reply should have come", err))
        expect_zeros(run, "a streamed reply", reply->payload, size);
}

void expect_end(struct run *run, weir_stream *stream)
{
    testing_streaming_output_call_response *reply = NULL;
    weir_err err = testing_test_service_full_duplex_call_stream_read(stream, run->mem, &reply);
    expect(run, err == WEIR_ECLOSED, "a reply came, although there should be no more");
    weir_status status = weir_stream_finish(stream, run->mem);
    expect_code(run, "the stream", &status, WEIR_STATUS_OK);
    weir_stream_free(stream);
}
