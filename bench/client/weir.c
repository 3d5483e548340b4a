/* bench-client-weir: calls of echo.Echo/UnaryEcho, so many at once on each connection, in one
 * thread. Prints calls/s and the CPU time of a call. */
#include "echo.weir.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct load {
    weir_loop *loop;
    int64_t connections, streams, calls; /* calls in all */
    int64_t started, ended, failed;
};

/** One of the places where a call is always on its way. */
struct place {
    struct load *load;
    weir_channel *channel;
};

static const echo_echo_request request = {.message = {"twenty-three characters", 23}};

static void on_done(const weir_status *status, const echo_echo_response *reply, void *user);

static void start_call(struct place *place)
{
    struct load *load = place->load;
    if (load->started >= load->calls)
        return;
    load->started++;
    if (echo_echo_unary_echo_async(place->channel, &request, on_done, place, NULL)) {
        load->failed++;
        load->ended++;
    }
}

static void on_done(const weir_status *status, const echo_echo_response *reply, void *user)
{
    struct place *place = user;
    struct load *load = place->load;
    if (status->code || !weir_str_eq(reply->message, request.message)) {
        if (load->failed++ == 0)
            fprintf(stderr, "bench-client-weir: %s\n", weir_status_text(status));
    }
    start_call(place);
    if (++load->ended == load->calls)
        weir_loop_quit(load->loop);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static weir_err run_load(struct load *load, struct place *places)
{
    for (int64_t i = 0; i < load->connections * load->streams; i++)
        start_call(&places[i]);
    return weir_loop_run(load->loop);
}

static int run(const struct program *program, struct load *load, const char *target)
{
    size_t count = (size_t)(load->connections * load->streams);
    struct place *places = calloc(count, sizeof *places);
    if (!places || weir_loop_new(&load->loop, NULL))
        return failure(program, "out of memory");
    for (size_t i = 0; i < count; i++) {
        struct place *first = &places[i - i % (size_t)load->streams];
        places[i] = (struct place){load, first->channel};
        if (!first->channel)
            places[i].channel = weir_channel_new(target, &(weir_channel_opts){.loop = load->loop});
    }
    int64_t before = cpu_ns();
    weir_time start = weir_time_now();
    weir_err err = run_load(load, places);
    int64_t took_us = weir_time_diff(weir_time_now(), start), cpu = cpu_ns() - before;
    for (size_t i = 0; i < count; i += (size_t)load->streams)
        weir_channel_free(places[i].channel);
    err = err ? err : weir_loop_run_once(load->loop, 0);
    weir_loop_free(load->loop);
    free(places);
    if (err || load->failed)
        return failure(program, "%lld calls failed: %s", (long long)load->failed,
                       weir_err_text(err));
    printf("%.0f calls/s, %.3f us of CPU each\n", (double)load->calls * 1e6 / (double)took_us,
           (double)cpu / 1e3 / (double)load->calls);
    return 0;
}

int main(int argc, char **argv)
{
    const char *target = NULL;
    struct load load = {.connections = 1, .streams = 100, .calls = 100000};
    const struct option_row rows[] = {
        {"target", "ADDR:PORT", "the server", OPTION_TEXT, &target, 0, 0},
        {"connections", "N", "default 1", OPTION_NUMBER, &load.connections, 1, 10000},
        {"streams", "N", "calls at once on each (default 100)", OPTION_NUMBER, &load.streams, 1,
         1000},
        {"calls", "N", "in all (default 100000)", OPTION_NUMBER, &load.calls, 1, 1000000000},
    };
    const struct program program = {.name = "bench-client-weir",
                                    .summary = "Calls echo.Echo/UnaryEcho as fast as it can.",
                                    .rows = rows,
                                    .row_count = sizeof rows / sizeof rows[0]};
    options_read(&program, argc, argv);
    if (!target)
        usage_error(&program, "--target is needed");
    return run(&program, &load, target);
}
