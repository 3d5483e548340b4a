/* weir-chatd: the chat and notification server. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "app.h"

enum {
    STORED_MESSAGES = 10000
};

/* Subscriptions have no end of their own: waiting longer for them would only delay the stop. */
#define DRAIN_US WEIR_SECONDS(1)

typedef struct options {
    const char *listen;
    unsigned threads;
    int64_t run_us;    /* stop by itself after so long; 0: never */
    int64_t system_us; /* between system notifications; 0: none */
} options;

typedef struct daemon_state {
    const options *opts;
    app app;
    weir_loop *loop;
    weir_server *server;
    weir_timer stop_timer, system_timer;
    bool stopping;
} daemon_state;

/* Options. */

static const char usage[] =
    "usage: weir-chatd [options]\n"
    "\n"
    "Chat rooms and notification topics over gRPC (weir.chat.v1).\n"
    "\n"
    "  --listen ADDR:PORT   default 127.0.0.1:50051; port 0 takes any free one\n"
    "  --port N             the same as --listen 127.0.0.1:N\n"
    "  --store memory       where messages are kept (default, and the only one in this build)\n"
    "  --bus local          how nodes reach each other (default, and the only one in this build)\n"
    "  --threads N          serving threads; default one per CPU\n"
    "  --system-interval S  seconds between system notifications; default 30, 0 for none\n"
    "  --for Ns             stop by itself after N seconds\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM or SIGINT stops gracefully; a second one at once.\n";

enum {
    OPT_LISTEN = 1,
    OPT_PORT,
    OPT_STORE,
    OPT_BUS,
    OPT_REGISTRY,
    OPT_THREADS,
    OPT_SYSTEM,
    OPT_FOR,
    OPT_HELP,
    OPT_VERSION
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"port", required_argument, NULL, OPT_PORT},
    {"store", required_argument, NULL, OPT_STORE},
    {"bus", required_argument, NULL, OPT_BUS},
    {"registry", required_argument, NULL, OPT_REGISTRY},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"system-interval", required_argument, NULL, OPT_SYSTEM},
    {"for", required_argument, NULL, OPT_FOR},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {0},
};

static WEIR_NORETURN void bad_usage(const char *what, const char *value)
{
    fprintf(stderr, "weir-chatd: %s: %s (see --help)\n", what, value);
    exit(2);
}

/** A number from 0 to `max`, with an optional "s" for seconds. */
static long number(const char *name, const char *text, long max)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end != text && *end == 's' && strcmp(name, "--threads") != 0 && strcmp(name, "--port") != 0)
        end++;
    if (end == text || *end || errno || value < 0 || value > max)
        bad_usage(name, text);
    return value;
}

static void only(const char *name, const char *value, const char *supported)
{
    if (strcmp(value, supported) == 0)
        return;
    fprintf(stderr, "weir-chatd: %s %s is not supported by this build; use %s\n", name, value,
            supported);
    exit(2);
}

static void read_option(int option, options *opts, char *port_listen, size_t size,
                        const char *argument)
{
    switch (option) {
    case OPT_LISTEN:
        opts->listen = optarg;
        break;
    case OPT_PORT:
        snprintf(port_listen, size, "127.0.0.1:%ld", number("--port", optarg, 65535));
        opts->listen = port_listen;
        break;
    case OPT_STORE:
        only("--store", optarg, "memory");
        break;
    case OPT_BUS:
        only("--bus", optarg, "local");
        break;
    case OPT_REGISTRY:
        bad_usage("--registry is not supported by this build", optarg);
    case OPT_THREADS:
        opts->threads = (unsigned)number("--threads", optarg, 1024);
        break;
    case OPT_SYSTEM:
        opts->system_us = WEIR_SECONDS(number("--system-interval", optarg, 86400));
        break;
    case OPT_FOR:
        opts->run_us = WEIR_SECONDS(number("--for", optarg, 86400));
        break;
    case OPT_HELP:
        fputs(usage, stdout);
        exit(0);
    case OPT_VERSION:
        puts("weir-chatd " CHAT_VERSION);
        exit(0);
    default:
        bad_usage("unknown option, or its value is missing", argument);
    }
}

/* The server's life. */

static void on_stopped(void *user)
{
    daemon_state *state = user;
    weir_loop_quit(state->loop);
}

static void stop(daemon_state *state)
{
    state->stopping = true;
    weir_loop_cancel(state->loop, &state->stop_timer);
    weir_loop_cancel(state->loop, &state->system_timer);
    weir_server_stop(state->server, on_stopped, state);
}

static void on_signal(int signal_number, void *user)
{
    daemon_state *state = user;
    if (!state->stopping) {
        stop(state);
        return;
    }
    weir_log_flush();
    _Exit(128 + signal_number);
}

static void on_time_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    daemon_state *state = user;
    if (!state->stopping)
        stop(state);
}

static void on_system_time(weir_timer *timer, void *user)
{
    daemon_state *state = user;
    weir_server_stats stats;
    weir_server_get_stats(state->server, &stats);
    char text[100];
    int len = snprintf(text, sizeof text, "%llu connections, %llu calls running",
                       (unsigned long long)stats.connections, (unsigned long long)stats.calls);
    notify_system(&state->app, weir_str_of(text, (size_t)len));
    weir_loop_after(state->loop, timer, state->opts->system_us, on_system_time, state);
}

static weir_err serve(daemon_state *state, weir_why *why)
{
    weir_err err = weir_server_start(state->server, state->loop, state->opts->listen, why);
    if (err)
        return err;
    char text[WEIR_ADDR_TEXT_MAX];
    printf("listening on %s\n", weir_addr_text(weir_server_addr(state->server), text));
    fflush(stdout);
    if (state->opts->run_us > 0)
        weir_loop_after(state->loop, &state->stop_timer, state->opts->run_us, on_time_over, state);
    if (state->opts->system_us > 0)
        weir_loop_after(state->loop, &state->system_timer, state->opts->system_us, on_system_time,
                        state);
    return weir_loop_run(state->loop);
}

/** Everything that is needed before the first connection. */
static weir_err prepare(daemon_state *state, weir_signals **signals)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    weir_err err = weir_loop_new(&state->loop, NULL);
    if (!err)
        err = weir_signals_open(signals, state->loop, &set, on_signal, state);
    if (!err)
        err = hub_new(&state->app.topics);
    if (!err)
        err = hub_new(&state->app.rooms);
    if (!err)
        err = store_memory_open(&state->app.store, STORED_MESSAGES);
    if (err)
        return err;
    state->server =
        weir_server_new(&(weir_server_opts){.loops = state->opts->threads, .drain_us = DRAIN_US});
    if (!state->server)
        return WEIR_ENOMEM;
    err = notify_serve(state->server, &state->app);
    if (!err)
        err = rooms_serve(state->server, &state->app);
    if (!err)
        err = weir_health_serve(state->server, NULL);
    return err ? err : weir_reflection_serve(state->server);
}

static int run(const options *opts)
{
    daemon_state state = {.opts = opts};
    weir_signals *signals = NULL;
    weir_why why;
    weir_err err = prepare(&state, &signals);
    if (err)
        weir_why_set(&why, err, "%s", weir_err_text(err));
    else
        err = serve(&state, &why);
    if (err)
        fprintf(stderr, "weir-chatd: %s\n", why.text);
    weir_server_free(state.server);
    weir_signals_close(signals);
    weir_loop_free(state.loop);
    store_close(state.app.store);
    hub_free(state.app.rooms);
    hub_free(state.app.topics);
    return err ? 1 : 0;
}

int main(int argc, char **argv)
{
    options opts = {.listen = "127.0.0.1:50051", .system_us = WEIR_SECONDS(30)};
    char port_listen[32];
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;)
        read_option(option, &opts, port_listen, sizeof port_listen, argv[optind - 1]);
    if (optind < argc)
        bad_usage("unexpected argument", argv[optind]);
    if (weir_log_start(NULL)) {
        fputs("weir-chatd: out of memory\n", stderr);
        return 1;
    }
    int status = run(&opts);
    weir_log_stop();
    return status;
}
