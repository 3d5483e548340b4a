/* weir-echo: answers every message with itself, and an HTTP request with a greeting. */
#include "echo.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>

enum {
    MESSAGE_MAX = 1 << 20
};

/* Options of a few known words */

struct choice {
    const char *name;
    int value;
};

static const struct choice models[] = {
    {"multi", WEIR_TCP_MULTI},         {"single", WEIR_TCP_SINGLE},   {"pool", WEIR_TCP_SINGLE},
    {"reuseport", WEIR_TCP_REUSEPORT}, {"prefork", WEIR_TCP_PREFORK}, {NULL, 0}};
static const struct choice handoffs[] = {{"round-robin", WEIR_HANDOFF_ROUND_ROBIN},
                                         {"least", WEIR_HANDOFF_LEAST_CONNECTIONS},
                                         {"address", WEIR_HANDOFF_BY_ADDRESS},
                                         {NULL, 0}};
static const struct choice pollers[] = {
    {"epoll", WEIR_POLLER_EPOLL}, {"poll", WEIR_POLLER_POLL}, {NULL, 0}};
static const struct choice triggers[] = {
    {"level", WEIR_POLLER_EPOLL_LEVEL}, {"edge", WEIR_POLLER_EPOLL}, {NULL, 0}};

struct settings {
    const char *listen, *poller, *trigger, *model, *handoff, *codec, *log;
    int64_t threads, max_connections, max_per_address, idle_us;
};

/** Ends the program when `name` is none of them. */
static int choose(const struct program *program, const char *option, const char *name,
                  const struct choice *choices)
{
    for (; choices->name; choices++)
        if (strcmp(name, choices->name) == 0)
            return choices->value;
    if (strcmp(name, "uring") == 0)
        usage_error(program, "--%s uring is not supported by this build", option);
    usage_error(program, "--%s does not know \"%s\"", option, name);
}

static weir_poller_kind choose_poller(const struct program *program, const struct settings *s)
{
    int poller = choose(program, "poller", s->poller, pollers);
    if (!s->trigger)
        return (weir_poller_kind)poller;
    int trigger = choose(program, "trigger", s->trigger, triggers);
    if (poller == WEIR_POLLER_POLL && trigger == WEIR_POLLER_EPOLL)
        usage_error(program, "--trigger edge needs --poller epoll: poll(2) is level-triggered");
    return (weir_poller_kind)(poller == WEIR_POLLER_POLL ? poller : trigger);
}

/** "raw", "line", "length", "json" or "fixed:N". @return false: none of these */
static bool read_codec(const char *text, weir_codec *out)
{
    const struct {
        const char *name;
        weir_codec codec;
    } named[] = {{"raw", {WEIR_CODEC_NONE, 0, 0}},
                 {"line", weir_codec_line(MESSAGE_MAX)},
                 {"length", weir_codec_prefix(4, MESSAGE_MAX)},
                 {"json", weir_codec_json(MESSAGE_MAX)}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (strcmp(text, named[i].name) == 0) {
            *out = named[i].codec;
            return true;
        }
    char *end;
    unsigned long len = strncmp(text, "fixed:", 6) == 0 ? strtoul(text + 6, &end, 10) : 0;
    if (len == 0 || len > MESSAGE_MAX || text[6] < '1' || text[6] > '9' || *end)
        return false;
    *out = weir_codec_fixed(len);
    return true;
}

/** Ends the program when a setting is wrong. */
static weir_tcp_server_opts read_settings(const struct program *program, const struct settings *s)
{
    weir_tcp_server_opts opts = {.loops = (unsigned)s->threads,
                                 .max_connections = (size_t)s->max_connections,
                                 .max_per_address = (unsigned)s->max_per_address,
                                 .conn.idle_us = s->idle_us};
    weir_addr addr;
    weir_why why;
    opts.model = (weir_tcp_model)choose(program, "model", s->model, models);
    opts.handoff = (weir_tcp_handoff)choose(program, "handoff", s->handoff, handoffs);
    opts.loop.poller = choose_poller(program, s);
    if (!read_codec(s->codec, &opts.conn.codec))
        usage_error(program,
                    "--codec takes raw, line, length, json or fixed:N (1 to %d), not \"%s\"",
                    MESSAGE_MAX, s->codec);
    if (weir_addr_parse(&addr, s->listen, &why))
        usage_error(program, "--listen: %s", why.text);
    return opts;
}

/* The program */

static int serve(const struct program *program, const struct settings *s,
                 weir_tcp_server_opts *opts)
{
    struct echo echo = {.raw = opts->conn.codec.kind == WEIR_CODEC_NONE};
    weir_workers_opts pool = {.threads = (unsigned)s->threads};
    weir_why why = {""};
    weir_err err = WEIR_OK;
    if (strcmp(s->model, "pool") == 0)
        err = weir_workers_new(&echo.workers, &pool);
    if (err)
        return failure(program, "cannot start the workers: %s", weir_err_text(err));
    weir_log_opts log = {.file = s->log, .level = WEIR_LOG_LEVEL_INFO};
    opts->log = &log;
    opts->why = &why;
    err = weir_tcp_serve(s->listen, &echo_ops, &echo, opts);
    weir_workers_free(echo.workers);
    return err ? failure(program, "%s", why.text[0] ? why.text : weir_err_text(err)) : 0;
}

int main(int argc, char **argv)
{
    struct settings s = {.listen = "127.0.0.1:8000",
                         .poller = "epoll",
                         .model = "multi",
                         .handoff = "round-robin",
                         .codec = "raw",
                         .threads = 4};
    const struct option_row rows[] = {
        {"listen", "ADDR:PORT", "where to listen; default 127.0.0.1:8000", OPTION_TEXT, &s.listen,
         0, 0},
        {"threads", "N", "loops, workers or processes that serve; default 4", OPTION_NUMBER,
         &s.threads, 1, 1000},
        {"model", "NAME", "single, pool, multi (default), reuseport or prefork", OPTION_TEXT,
         &s.model, 0, 0},
        {"handoff", "NAME", "of multi: round-robin (default), least or address", OPTION_TEXT,
         &s.handoff, 0, 0},
        {"codec", "NAME", "raw (default), line, length, json or fixed:N", OPTION_TEXT, &s.codec, 0,
         0},
        {"poller", "NAME", "epoll (default) or poll", OPTION_TEXT, &s.poller, 0, 0},
        {"trigger", "NAME", "of epoll: edge (default) or level", OPTION_TEXT, &s.trigger, 0, 0},
        {"max-connections", "N", "more are closed at once; 0 (default): no limit", OPTION_NUMBER,
         &s.max_connections, 0, INT32_MAX},
        {"max-per-address", "N", "of one client address; 0 (default): no limit", OPTION_NUMBER,
         &s.max_per_address, 0, INT32_MAX},
        {"log", "FILE", "where the log goes; default standard error", OPTION_TEXT, &s.log, 0, 0},
        {"idle-timeout", "S", "close after so long without a byte; 0 (default): never",
         OPTION_DURATION, &s.idle_us, 0, 0},
    };
    const struct program program = {
        .name = "weir-echo",
        .summary = "Answers every message with itself, and an HTTP request with a greeting.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0]};
    options_read(&program, argc, argv);
    weir_tcp_server_opts opts = read_settings(&program, &s);
    return serve(&program, &s, &opts);
}
