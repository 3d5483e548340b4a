/* weir-interop-server: grpc.testing.TestService for the interoperability tests of any gRPC client.
 */
#include "options.h"
#include "service.h"

#include <inttypes.h>
#include <stdio.h>
#include <weir/builtin/builtin.h>

static int64_t port;
static bool use_tls;
static const char *cert_file, *key_file, *client_ca_file;

static const struct option_row rows[] = {
    {"port", "PORT", "listen on this port of 127.0.0.1 (default 0: any free one)", OPTION_NUMBER,
     &port, 0, UINT16_MAX},
    {"use_tls", NULL, "with --tls_cert_file and --tls_key_file", OPTION_FLAG, &use_tls, 0, 0},
    {"tls_cert_file", "FILE", "its certificate and those between (PEM)", OPTION_TEXT, &cert_file, 0,
     0},
    {"tls_key_file", "FILE", "the certificate's key (PEM)", OPTION_TEXT, &key_file, 0, 0},
    {"tls_client_ca_file", "FILE", "clients must have a certificate of these authorities (PEM)",
     OPTION_TEXT, &client_ca_file, 0, 0},
};

static const struct program program = {
    .name = "weir-interop-server",
    .summary = "Serves grpc.testing.TestService, gRPC's interoperability service.",
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
};

/** @return exit status */
static int make_server(weir_server **out)
{
    weir_tls *tls = NULL;
    weir_why why;
    if (use_tls && weir_tls_server_new(&tls,
                                       &(weir_tls_opts){.cert_file = cert_file,
                                                        .key_file = key_file,
                                                        .client_ca_file = client_ca_file},
                                       &why))
        return failure(&program, "%s", why.text);
    *out = weir_server_new(&(weir_server_opts){.tls = tls});
    weir_tls_unref(tls);
    return *out ? 0 : failure(&program, "%s", weir_err_text(WEIR_ENOMEM));
}

int main(int argc, char **argv)
{
    options_read(&program, argc, argv);
    if (!use_tls && (cert_file || key_file || client_ca_file))
        usage_error(&program, "the files of TLS need --use_tls");

    weir_server *server;
    int status = make_server(&server);
    if (status)
        return status;
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
