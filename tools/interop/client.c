/* weir-interop-client: gRPC's interoperability cases against any server that has TestService. */
#include "cases.h"
#include "options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *server_host = "127.0.0.1";
static const char *server_host_override;
static const char *test_case = "all";
static int64_t server_port;
static int64_t timeout_us = WEIR_SECONDS(30);
static bool use_tls;
static const char *ca_file, *cert_file, *key_file;
static weir_tls *tls;

static const struct option_row rows[] = {
    {"server_host", "HOST", "the server's host (default 127.0.0.1)", OPTION_TEXT, &server_host, 0,
     0},
    {"server_port", "PORT", "the server's port", OPTION_NUMBER, &server_port, 1, UINT16_MAX},
    {"server_host_override", "HOST", "the host that calls ask for, and the certificate's",
     OPTION_TEXT, &server_host_override, 0, 0},
    {"test_case", "CASE", "one of gRPC's cases, or \"all\" (default)", OPTION_TEXT, &test_case, 0,
     0},
    {"timeout", "TIME", "of a whole case (default 30s)", OPTION_DURATION, &timeout_us, 0, 0},
    {"soak_iterations", "N", "calls of a soak case (default 10)", OPTION_NUMBER, &soak.iterations,
     1, INT32_MAX},
    {"soak_max_failures", "N", "of them that may fail (default 0)", OPTION_NUMBER,
     &soak.max_failures, 0, INT32_MAX},
    {"soak_per_iteration_max_acceptable_latency_ms", "MS", "longer ones have failed (default 1000)",
     OPTION_NUMBER, &soak.latency_ms, 1, INT32_MAX},
    {"soak_overall_timeout_seconds", "S", "of the case (default: what its calls may take)",
     OPTION_NUMBER, &soak.overall_seconds, 1, INT32_MAX},
    {"soak_request_size", "BYTES", "payload of a request (default 271828)", OPTION_NUMBER,
     &soak.request_bytes, 0, PAYLOAD_BYTES_MAX},
    {"soak_response_size", "BYTES", "payload of a reply (default 314159)", OPTION_NUMBER,
     &soak.reply_bytes, 0, PAYLOAD_BYTES_MAX},
    {"use_tls", NULL, "TLS", OPTION_FLAG, &use_tls, 0, 0},
    {"ca_file", "FILE", "with --use_tls: trust these authorities (PEM), not the system's",
     OPTION_TEXT, &ca_file, 0, 0},
    {"tls_cert_file", "FILE", "with --use_tls: its own certificate (PEM)", OPTION_TEXT, &cert_file,
     0, 0},
    {"tls_key_file", "FILE", "and the key (PEM)", OPTION_TEXT, &key_file, 0, 0},
};

static const struct program program = {
    .name = "weir-interop-client",
    .summary = "Runs gRPC's interoperability cases; exit status 0 when everything held.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

static const struct test_case {
    const char *name;
    void (*run)(struct run *run);
} cases[] = {
    {"empty_unary", empty_unary},
    {"large_unary", large_unary},
    {"client_streaming", client_streaming},
    {"server_streaming", server_streaming},
    {"client_compressed_unary", client_compressed_unary},
    {"server_compressed_unary", server_compressed_unary},
    {"client_compressed_streaming", client_compressed_streaming},
    {"server_compressed_streaming", server_compressed_streaming},
    {"ping_pong", ping_pong},
    {"empty_stream", empty_stream},
    {"custom_metadata", custom_metadata},
    {"status_code_and_message", status_code_and_message},
    {"special_status_message", special_status_message},
    {"unimplemented_method", unimplemented_method},
    {"unimplemented_service", unimplemented_service},
    {"cancel_after_begin", cancel_after_begin},
    {"cancel_after_first_response", cancel_after_first_response},
    {"timeout_on_sleeping_server", timeout_on_sleeping_server},
    {"rpc_soak", rpc_soak},
    {"channel_soak", channel_soak},
};

enum {
    CASE_COUNT = sizeof cases / sizeof cases[0]
};

static weir_channel *open_with(const weir_interceptor_use *interceptors, size_t count)
{
    char target[300];
    const char *form = strchr(server_host, ':') ? "[%s]:%" PRId64 : "%s:%" PRId64;
    int len = snprintf(target, sizeof target, form, server_host, server_port);
    if (len < 0 || (size_t)len >= sizeof target)
        usage_error(&program, "--server_host is too long");
    return weir_channel_new(target, &(weir_channel_opts){.authority = server_host_override,
                                                         .tls = tls,
                                                         .interceptors = interceptors,
                                                         .interceptor_count = count});
}

weir_channel *open_channel(const struct run *run WEIR_UNUSED)
{
    return open_with(NULL, 0);
}

/** Whether the case looks at what was compressed. */
static bool is_watched(const struct test_case *c)
{
    return c->run == server_compressed_unary || c->run == server_compressed_streaming;
}

/** Each case has a channel of its own, so that none meets what another left. */
static bool run_case(const struct test_case *c)
{
    struct run run = {
        .name = c->name,
        .mem = weir_arena_new(),
        .deadline = weir_time_add(weir_time_now(), timeout_us),
    };
    run.channel = open_with(&(weir_interceptor_use){&watch_replies, &run}, is_watched(c));
    if (expect(&run, run.channel && run.mem, "out of memory"))
        c->run(&run);
    weir_channel_free(run.channel);
    weir_arena_free(run.mem);
    printf("%s: %s\n", c->name, run.failed ? "FAILED" : "ok");
    return !run.failed;
}

static const struct test_case *find_case(const char *name)
{
    for (size_t i = 0; i < CASE_COUNT; i++)
        if (strcmp(cases[i].name, name) == 0)
            return &cases[i];
    usage_error(&program, "there is no case \"%s\"", name);
}

static bool run_all(void)
{
    bool held = true;
    for (size_t i = 0; i < CASE_COUNT; i++)
        held = run_case(&cases[i]) && held;
    return held;
}

int main(int argc, char **argv)
{
    options_read(&program, argc, argv);
    if (!use_tls && (ca_file || cert_file || key_file))
        usage_error(&program, "the files of TLS need --use_tls");
    if (server_port == 0)
        usage_error(&program, "--server_port is missing");
    weir_why why;
    weir_tls_opts tls_opts = {.ca_file = ca_file, .cert_file = cert_file, .key_file = key_file};
    if (use_tls && weir_tls_client_new(&tls, &tls_opts, &why))
        return failure(&program, "%s", why.text);
    bool held = strcmp(test_case, "all") == 0 ? run_all() : run_case(find_case(test_case));
    weir_tls_unref(tls);
    return held ? EXIT_SUCCESS : EXIT_FAILED;
}
