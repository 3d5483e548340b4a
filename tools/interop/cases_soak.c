/* Many large calls, one after the other: on one channel, or each on a channel of its own. */
#include "cases.h"

#include <inttypes.h>
#include <stdio.h>

struct soak_options soak = {
    .iterations = 10,
    .latency_ms = 1000,
    .request_bytes = 271828,
    .reply_bytes = 314159,
};

/** @return whether the call succeeded in time */
static bool iterate(struct run *run, weir_channel *channel, int64_t number)
{
    testing_payload payload = payload_of((size_t)soak.request_bytes);
    testing_simple_request request = {.response_size = (int32_t)soak.reply_bytes,
                                      .payload = &payload};
    testing_simple_response *reply = NULL;
    weir_arena *mem = weir_arena_new();
    if (!expect(run, mem != NULL, "out of memory"))
        return false;
    weir_call_opts opts = call_opts(run, NULL);
    weir_time start = weir_time_now();
    weir_status status = testing_test_service_unary_call(channel, mem, &request, &reply, &opts);
    int64_t ms = weir_time_diff(weir_time_now(), start) / 1000;
    bool held = status.code == WEIR_STATUS_OK && ms <= soak.latency_ms && reply->payload &&
                reply->payload->body.len == (size_t)soak.reply_bytes;
    if (!held)
        fprintf(stderr, "weir-interop-client: iteration %" PRId64 " took %" PRId64 " ms: %s\n",
                number, ms, weir_status_text(&status));
    weir_arena_free(mem);
    return held;
}

static void run_soak(struct run *run, bool new_channels)
{
    int64_t failures = 0, done = 0;
    int64_t overall_us = soak.overall_seconds
                             ? WEIR_SECONDS(soak.overall_seconds)
                             : soak.iterations * WEIR_MILLISECONDS(soak.latency_ms);
    run->deadline = weir_time_add(weir_time_now(), overall_us);
    for (; done < soak.iterations && weir_time_before(weir_time_now(), run->deadline); done++) {
        weir_channel *channel = new_channels ? open_channel(run) : run->channel;
        if (!expect(run, channel != NULL, "out of memory"))
            return;
        failures += !iterate(run, channel, done);
        if (new_channels)
            weir_channel_free(channel);
    }
    expect(run, done == soak.iterations, "only %" PRId64 " of %" PRId64 " calls were made in time",
           done, soak.iterations);
    expect(run, failures <= soak.max_failures,
           "%" PRId64 " calls failed or took longer than %" PRId64 " ms", failures,
           soak.latency_ms);
}

void rpc_soak(struct run *run)
{
    run_soak(run, false);
}

void channel_soak(struct run *run)
{
    run_soak(run, true);
}
