/* weir-bench-server: echo.Echo, for load generators and for comparison with other servers. */
#include "echo.weir.h"
#include "options.h"

#include <stdlib.h>
#include <string.h>
#include <weir/builtin/builtin.h>

static void fail_call(weir_call *call, weir_err err)
{
    weir_call_fail(call, (weir_status_code)weir_err_status(err), "%s", weir_err_text(err));
}

static void unary_echo(weir_call *call, const echo_echo_request *request, void *user WEIR_UNUSED)
{
    weir_err err =
        echo_echo_unary_echo_reply(call, &(echo_echo_response){.message = request->message});
    if (err)
        fail_call(call, err);
}

/* Streams. A client that does not read its answers is not read from either: the message that finds
 * the call full is kept, and the call paused, until it is writable again. */

struct stream {
    weir_payload *waiting; /* the message that was not taken, or NULL */
    bool half_closed;      /* finish once nothing waits */
};

static void stream_open(weir_call *call, void *user WEIR_UNUSED)
{
    struct stream *stream = weir_arena_zalloc(weir_call_arena(call), sizeof *stream);
    if (!stream)
        fail_call(call, WEIR_ENOMEM);
    weir_call_set_data(call, stream);
}

static weir_err wait_with(weir_call *call, const echo_echo_response *response)
{
    struct stream *stream = weir_call_data(call);
    weir_err err = weir_payload_new(&stream->waiting, &echo_echo_response_descriptor, response);
    if (!err)
        weir_call_pause(call);
    return err;
}

static void stream_message(weir_call *call, const echo_echo_request *request,
                           void *user WEIR_UNUSED)
{
    echo_echo_response response = {.message = request->message};
    weir_err err = echo_echo_stream_echo_send(call, &response);
    if (err == WEIR_EAGAIN)
        err = wait_with(call, &response);
    if (err)
        fail_call(call, err);
}

static void stream_half_closed(weir_call *call, void *user WEIR_UNUSED)
{
    struct stream *stream = weir_call_data(call);
    if (stream->waiting)
        stream->half_closed = true;
    else
        weir_call_finish(call);
}

/** Resuming may end the call, so nothing is touched after it. */
static void stream_writable(weir_call *call, void *user WEIR_UNUSED)
{
    struct stream *stream = weir_call_data(call);
    if (!stream->waiting)
        return;
    weir_err err = weir_call_send_payload(call, stream->waiting);
    if (err == WEIR_EAGAIN)
        return;
    weir_payload_unref(stream->waiting);
    stream->waiting = NULL;
    if (err)
        fail_call(call, err);
    else if (stream->half_closed)
        weir_call_finish(call);
    else
        weir_call_resume(call);
}

static void stream_closed(weir_call *call, const weir_status *why WEIR_UNUSED,
                          void *user WEIR_UNUSED)
{
    struct stream *stream = weir_call_data(call);
    if (stream)
        weir_payload_unref(stream->waiting);
}

static const echo_echo_methods methods = {
    .unary_echo = unary_echo,
    .stream_echo = {.open = stream_open,
                    .message = stream_message,
                    .half_closed = stream_half_closed,
                    .writable = stream_writable,
                    .closed = stream_closed},
};

/* The program */

/** Calls at a time, "auto", or NULL: no limit. */
static weir_overload *read_limit(const struct program *program, const char *limit)
{
    weir_overload *overload = NULL;
    weir_why why;
    char *end = NULL;
    if (!limit)
        return NULL;
    bool is_auto = strcmp(limit, "auto") == 0;
    unsigned long most = is_auto ? 0 : strtoul(limit, &end, 10);
    if (!is_auto && (*end != '\0' || most < 1 || most > 1000000))
        usage_error(program, "--limit is \"auto\" or a number from 1 to 1000000, not \"%s\"",
                    limit);
    weir_overload_opts opts = {.adaptive = is_auto, .max_concurrent = (uint32_t)most};
    if (weir_overload_new(&overload, &opts, &why))
        exit(failure(program, "%s", why.text));
    return overload;
}

static int serve(const struct program *program, const char *listen, const weir_server_opts *opts,
                 weir_overload *overload)
{
    weir_server *server = weir_server_new(opts);
    weir_err err = server ? echo_echo_serve(server, &methods, NULL) : WEIR_ENOMEM;
    if (!err && overload)
        err = weir_server_intercept(server, &weir_overload_limit, overload);
    if (!err)
        err = weir_health_serve(server, NULL);
    if (!err)
        err = weir_reflection_serve(server);
    if (err) {
        weir_server_free(server);
        return failure(program, "%s", weir_err_text(err));
    }
    return weir_server_run(server, listen);
}

int main(int argc, char **argv)
{
    const char *listen = "127.0.0.1:0", *poller = "epoll", *cert_file = NULL, *key_file = NULL,
               *limit = NULL;
    int64_t threads = 1, reuse_port = 0;
    const struct option_row rows[] = {
        {"listen", "ADDR:PORT", "where to listen (default 127.0.0.1:0: any free port)", OPTION_TEXT,
         &listen, 0, 0},
        {"threads", "N", "loops that serve connections (default 1)", OPTION_NUMBER, &threads, 1,
         1000},
        {"poller", "NAME", "epoll (default) or poll", OPTION_TEXT, &poller, 0, 0},
        {"reuse-port", "1", "share the port with other servers", OPTION_NUMBER, &reuse_port, 0, 1},
        {"limit", "N|auto", "calls at a time, or find out how many (default: no limit)",
         OPTION_TEXT, &limit, 0, 0},
        {"tls_cert_file", "FILE", "TLS, with this certificate (PEM)", OPTION_TEXT, &cert_file, 0,
         0},
        {"tls_key_file", "FILE", "and its key (PEM)", OPTION_TEXT, &key_file, 0, 0},
    };
    const struct program program = {.name = "weir-bench-server",
                                    .summary = "Serves echo.Echo, for benchmarks.",
                                    .rows = rows,
                                    .row_count = sizeof rows / sizeof rows[0]};
    options_read(&program, argc, argv);
    weir_addr addr;
    weir_why why;
    if (weir_addr_parse(&addr, listen, &why))
        usage_error(&program, "--listen: %s", why.text);
    bool poll = strcmp(poller, "poll") == 0;
    if (!poll && strcmp(poller, "epoll") != 0)
        usage_error(&program, "--poller knows epoll and poll, not \"%s\"", poller);
    weir_tls *tls = NULL;
    weir_tls_opts tls_opts = {.cert_file = cert_file, .key_file = key_file};
    if ((cert_file || key_file) && weir_tls_server_new(&tls, &tls_opts, &why))
        return failure(&program, "%s", why.text);
    weir_server_opts opts = {.tls = tls,
                             .loops = (unsigned)threads,
                             .single_loop = threads == 1,
                             .reuse_port = reuse_port != 0,
                             .min_ping_interval_us = -1, /* load generators measure with PINGs */
                             .poller = poll ? WEIR_POLLER_POLL : WEIR_POLLER_EPOLL};
    weir_overload *overload = read_limit(&program, limit);
    int status = serve(&program, listen, &opts, overload);
    weir_overload_free(overload);
    weir_tls_unref(tls);
    return status;
}
