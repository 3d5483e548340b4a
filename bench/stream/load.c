/* bench-stream-load: messages on streams of echo.Echo/StreamEcho. Each stream keeps a number of
 * messages on their way and sends the next one for every answer. One thread; prints messages/s. */
#include "echo.weir.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

struct load {
    weir_loop *loop;
    int64_t connections, streams, depth, messages; /* of a stream */
    int64_t open;                                  /* streams that have not ended */
    int64_t failed;
};

struct stream {
    struct load *load;
    int64_t sent, answered;
};

static const echo_echo_request request = {.message = {"twenty-three characters", 23}};

static void send_more(weir_call *call, struct stream *s)
{
    while (s->sent < s->load->messages && s->sent - s->answered < s->load->depth) {
        weir_err err = echo_echo_stream_echo_write(call, &request);
        if (err == WEIR_EAGAIN)
            return;
        if (err) {
            weir_call_cancel(call);
            return;
        }
        s->sent++;
    }
}

static void on_message(weir_call *call, const echo_echo_response *message, void *user)
{
    struct stream *s = user;
    if (!weir_str_eq(message->message, request.message)) {
        weir_call_cancel(call);
        return;
    }
    s->answered++;
    send_more(call, s);
    if (s->answered == s->load->messages)
        weir_call_half_close(call);
}

static void on_writable(weir_call *call, void *user)
{
    send_more(call, user);
}

static void on_closed(weir_call *call WEIR_UNUSED, const weir_status *status, void *user)
{
    struct stream *s = user;
    if (status->code != WEIR_STATUS_OK || s->answered != s->load->messages) {
        if (s->load->failed++ == 0)
            fprintf(stderr, "bench-stream-load: %s\n", weir_status_text(status));
    }
    if (--s->load->open == 0)
        weir_loop_quit(s->load->loop);
}

static const echo_echo_stream_echo_events events = {
    .message = on_message, .writable = on_writable, .closed = on_closed};

/** A call has no connection yet: the first write says so, and `writable` begins it all. */
static weir_err start_stream(struct load *load, weir_channel *channel, struct stream *s)
{
    weir_call_id id;
    s->load = load;
    weir_err err =
        echo_echo_stream_echo_start(channel, &events, s, &(weir_call_opts){.timeout_us = -1}, &id);
    if (!err) {
        load->open++;
        s->sent = 1;
        err = echo_echo_stream_echo_write_post(id, &request);
    }
    return err;
}

static weir_err start_all(struct load *load, const char *target, weir_channel **channels,
                          struct stream *streams)
{
    weir_err err = WEIR_OK;
    for (int64_t c = 0; c < load->connections && !err; c++) {
        channels[c] = weir_channel_new(target, &(weir_channel_opts){.loop = load->loop});
        if (!channels[c])
            return WEIR_ENOMEM;
        for (int64_t i = 0; i < load->streams && !err; i++)
            err = start_stream(load, channels[c], &streams[c * load->streams + i]);
    }
    return err;
}

static int run(const struct program *program, struct load *load, const char *target)
{
    size_t count = (size_t)(load->connections * load->streams);
    weir_channel **channels = calloc((size_t)load->connections, sizeof(weir_channel *));
    struct stream *streams = calloc(count, sizeof *streams);
    if (!channels || !streams || weir_loop_new(&load->loop, NULL))
        return failure(program, "out of memory");
    weir_time start = weir_time_now();
    weir_err err = start_all(load, target, channels, streams);
    if (!err)
        err = weir_loop_run(load->loop);
    int64_t took_us = weir_time_diff(weir_time_now(), start);
    for (int64_t c = 0; c < load->connections; c++)
        weir_channel_free(channels[c]);
    err = err ? err : weir_loop_run_once(load->loop, 0);
    weir_loop_free(load->loop);
    free(streams);
    free(channels);
    if (err || load->failed)
        return failure(program, "%lld streams failed: %s", (long long)load->failed,
                       weir_err_text(err));
    double total = (double)load->messages * (double)count;
    printf("%.0f messages/s\n", total * 1e6 / (double)took_us);
    return 0;
}

int main(int argc, char **argv)
{
    const char *target = NULL;
    struct load load = {.connections = 1, .streams = 1, .depth = 10, .messages = 100000};
    const struct option_row rows[] = {
        {"target", "ADDR:PORT", "the server", OPTION_TEXT, &target, 0, 0},
        {"connections", "N", "default 1", OPTION_NUMBER, &load.connections, 1, 10000},
        {"streams", "N", "on each connection (default 1)", OPTION_NUMBER, &load.streams, 1, 100},
        {"depth", "N", "messages on their way on each (default 10)", OPTION_NUMBER, &load.depth, 1,
         1000},
        {"messages", "N", "on each stream (default 100000)", OPTION_NUMBER, &load.messages, 1,
         1000000000},
    };
    const struct program program = {.name = "bench-stream-load",
                                    .summary = "Sends messages on streams of echo.Echo.",
                                    .rows = rows,
                                    .row_count = sizeof rows / sizeof rows[0]};
    options_read(&program, argc, argv);
    if (!target)
        usage_error(&program, "--target is needed");
    return run(&program, &load, target);
}
