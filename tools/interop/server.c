/* weir-interop-server: grpc.testing.TestService for the interoperability tests of any gRPC client.
 */
#include "options.h"
#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <weir/builtin/builtin.h>

static int64_t port;
static bool use_tls;
static const char *tls_file;

static const struct option_row rows[] = {
    {"port", "PORT", "listen on this port of 127.0.0.1 (default 0: any free one)", OPTION_NUMBER,
     &port, 0, UINT16_MAX},
    {"use_tls", NULL, "not supported by this build", OPTION_FLAG, &use_tls, 0, 0},
    {"tls_cert_file", "FILE", "with --use_tls", OPTION_TEXT, &tls_file, 0, 0},
    {"tls_key_file", "FILE", "with --use_tls", OPTION_TEXT, &tls_file, 0, 0},
    {"tls_client_ca_file", "FILE", "with --use_tls", OPTION_TEXT, &tls_file, 0, 0},
};

static const struct program program = {
    .name = "weir-interop-server",
    .summary = "Serves grpc.testing.TestService, gRPC's interoperability service.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

int main(int argc, char **argv)
{
    options_read(&program, argc, argv);
    if (use_tls || tls_file)
        usage_error(&program, "TLS is not supported by this build");

    weir_server *server = weir_server_new(NULL);
    if (!server)
        return failure(&program, "%s", weir_err_text(WEIR_ENOMEM));
    weir_err err = testing_test_service_serve(server, &service_methods, NULL);
    if (!err)
        err = weir_health_serve(server, NULL);
    if (!err)
        err = weir_reflection_serve(server);
    if (err) {
        weir_server_free(server);
        return failure(&program, "%s", weir_err_text(err));
    }
    char addr[32];
    snprintf(addr, sizeof addr, "127.0.0.1:%" PRId64, port);
    return weir_server_run(server, addr);
}
