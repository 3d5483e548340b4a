/* weir-echo: answers every message with itself, and an HTTP request with a greeting. */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/net/net.h>

enum {
    HTTP_HEAD_MAX = 16384,
    MESSAGE_MAX = 1 << 20,
    GRACE_S = 10
};

struct echo {
    bool raw; /* no codec: the first bytes tell whether it is HTTP */
    weir_loop *loop;
    weir_tcp_server *server;
    bool stopping;
};

/* What a connection speaks, kept as its data; NULL is not known yet. */
static char speaks_http, speaks_echo;

/* HTTP: just enough for a browser, curl and load generators */

/** HTTP/1.0, or the client said so. */
static bool wants_close(weir_str head)
{
    const char *line_end = memchr(head.ptr, '\r', head.len);
    return (line_end > head.ptr && line_end[-1] == '0') ||
           memmem(head.ptr, head.len, "onnection: close", 16) != NULL;
}

static void answer_http(weir_conn *conn, weir_buf *in)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                "Content-Length: 13\r\n\r\nHello, World!";
    int64_t end;
    while ((end = weir_buf_find(in, 0, WEIR_STR("\r\n\r\n"))) >= 0) {
        size_t len = (size_t)end + 4;
        const char *head = len <= HTTP_HEAD_MAX ? weir_buf_pullup(in, len) : NULL;
        if (!head || weir_conn_send(conn, hello, sizeof hello - 1)) {
            weir_conn_abort(conn, WEIR_ENOMEM);
            return;
        }
        bool last = wants_close(weir_str_of(head, len));
        weir_buf_retrieve(in, len);
        if (last) {
            weir_conn_close(conn);
            return;
        }
    }
    if (weir_buf_len(in) > HTTP_HEAD_MAX)
        weir_conn_abort(conn, WEIR_EMSGSIZE);
}

/* Echo */

static void answer(const struct echo *echo, weir_conn *conn, weir_buf *in)
{
    size_t len = weir_buf_len(in);
    const char *message = echo->raw ? NULL : weir_buf_pullup(in, len);
    weir_err err = echo->raw ? weir_conn_send_buf(conn, in)
                   : message ? weir_conn_send_message(conn, weir_str_of(message, len))
                             : WEIR_ENOMEM;
    if (err && err != WEIR_ECLOSED)
        weir_conn_abort(conn, err);
}

static void on_message(weir_conn *conn, weir_buf *in, void *user)
{
    const struct echo *echo = user;
    if (!weir_conn_data(conn)) {
        char first[4];
        bool http = echo->raw && weir_buf_peek(in, first, sizeof first) &&
                    memcmp(first, "GET ", sizeof first) == 0;
        weir_conn_set_data(conn, http ? &speaks_http : &speaks_echo);
    }
    if (weir_conn_data(conn) == &speaks_http)
        answer_http(conn, in);
    else
        answer(echo, conn, in);
}

/** A peer that does not read its answers is not read from either. */
static void on_high_water(weir_conn *conn, size_t unsent_bytes WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_conn_pause(conn);
}

static void on_low_water(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir_conn_resume(conn);
}

/* The program */

static void on_stopped(void *user)
{
    weir_loop_quit(((struct echo *)user)->loop);
}

static void on_signal(int number WEIR_UNUSED, void *user)
{
    struct echo *echo = user;
    weir_tcp_server_stop(echo->server, echo->stopping ? 0 : WEIR_SECONDS(GRACE_S), on_stopped,
                         echo);
    echo->stopping = true;
}

static weir_err run(struct echo *echo, const char *addr, const weir_tcp_server_opts *opts,
                    weir_why *why)
{
    static const weir_conn_ops ops = {
        .on_message = on_message, .on_high_water = on_high_water, .on_low_water = on_low_water};
    char text[WEIR_ADDR_TEXT_MAX];
    weir_err err = weir_tcp_server_start(&echo->server, echo->loop, addr, &ops, echo, opts, why);
    if (err)
        return err;
    printf("listening on %s\n", weir_addr_text(weir_tcp_server_addr(echo->server), text));
    fflush(stdout);
    return weir_loop_run(echo->loop);
}

static weir_err open_and_run(struct echo *echo, const char *addr, const weir_tcp_server_opts *opts,
                             weir_why *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    weir_signals *signals;
    weir_err err = weir_loop_new(&echo->loop, NULL);
    if (err)
        return err;
    err = weir_signals_open(&signals, echo->loop, &set, on_signal, echo);
    if (!err) {
        err = run(echo, addr, opts, why);
        weir_signals_close(signals);
    }
    weir_loop_free(echo->loop);
    return err;
}

struct settings {
    const char *listen, *poller, *trigger, *model, *codec;
    int64_t threads, max_connections, idle_us;
};

/** Ends the program unless `value` is one of `known`; `later` lists those of other builds. */
static void check_choice(const struct program *program, const char *option, const char *value,
                         const char *const *known, const char *const *later)
{
    for (; *known; known++)
        if (strcmp(value, *known) == 0)
            return;
    for (; *later; later++)
        if (strcmp(value, *later) == 0)
            usage_error(program, "--%s %s is not supported by this build", option, value);
    usage_error(program, "--%s does not know \"%s\"", option, value);
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

static void check_settings(const struct program *program, const struct settings *s,
                           weir_codec *codec)
{
    static const struct {
        const char *known[3], *later[4];
    } pollers = {{"epoll"}, {"poll", "uring"}}, triggers = {{"level"}, {"edge"}},
      models = {{"single", "multi"}, {"pool", "reuseport", "prefork"}};
    check_choice(program, "poller", s->poller, pollers.known, pollers.later);
    check_choice(program, "trigger", s->trigger, triggers.known, triggers.later);
    check_choice(program, "model", s->model, models.known, models.later);
    if (!read_codec(s->codec, codec))
        usage_error(program,
                    "--codec takes raw, line, length, json or fixed:N (1 to %d), not \"%s\"",
                    MESSAGE_MAX, s->codec);
    weir_addr addr;
    weir_why why;
    if (weir_addr_parse(&addr, s->listen, &why))
        usage_error(program, "--listen: %s", why.text);
}

static int serve(const struct program *program, struct echo *echo, const struct settings *s,
                 weir_codec codec)
{
    const weir_tcp_server_opts opts = {.loops = (unsigned)s->threads,
                                       .single_loop = strcmp(s->model, "single") == 0,
                                       .max_connections = (size_t)s->max_connections,
                                       .conn = {.codec = codec, .idle_us = s->idle_us}};
    weir_why why = {""};
    weir_err err = weir_log_start(NULL);
    if (err)
        return failure(program, "cannot start the log: %s", weir_err_text(err));
    err = open_and_run(echo, s->listen, &opts, &why);
    weir_log_stop();
    return err ? failure(program, "%s", why.text[0] ? why.text : weir_err_text(err)) : 0;
}

int main(int argc, char **argv)
{
    struct settings s = {"127.0.0.1:8000", "epoll", "level", "multi", "raw", 4, 0, 0};
    const struct option_row rows[] = {
        {"listen", "ADDR:PORT", "where to listen; default 127.0.0.1:8000", OPTION_TEXT, &s.listen,
         0, 0},
        {"threads", "N", "loops that serve connections; default 4", OPTION_NUMBER, &s.threads, 1,
         1000},
        {"model", "NAME", "multi (default), or single: one loop does everything", OPTION_TEXT,
         &s.model, 0, 0},
        {"codec", "NAME", "raw (default), line, length, json or fixed:N", OPTION_TEXT, &s.codec, 0,
         0},
        {"poller", "NAME", "epoll", OPTION_TEXT, &s.poller, 0, 0},
        {"trigger", "NAME", "level", OPTION_TEXT, &s.trigger, 0, 0},
        {"max-connections", "N", "more are closed at once; 0 (default): no limit", OPTION_NUMBER,
         &s.max_connections, 0, INT32_MAX},
        {"idle-timeout", "S", "close after so long without a byte; 0 (default): never",
         OPTION_DURATION, &s.idle_us, 0, 0},
    };
    const struct program program = {
        .name = "weir-echo",
        .summary = "Answers every message with itself, and an HTTP request with a greeting.",
        .rows = rows,
        .row_count = sizeof rows / sizeof rows[0]};
    struct echo echo = {0};
    weir_codec codec;
    options_read(&program, argc, argv);
    check_settings(&program, &s, &codec);
    echo.raw = codec.kind == WEIR_CODEC_NONE;
    return serve(&program, &echo, &s, codec);
}
