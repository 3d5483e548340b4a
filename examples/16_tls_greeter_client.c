/* A gRPC client that checks the server's certificate and shows its own.
 *
 *     16-tls-greeter-client HOST:PORT CERT KEY CA NAME */
#include <stdio.h>
#include <weir/weir.h>

#include "greeter.weir.h"

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    weir_tls_opts opts = {.cert_file = argv[2], .key_file = argv[3], .ca_file = argv[4]};
    weir_tls *tls;
    weir_why why;
    if (weir_tls_client_new(&tls, &opts, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    weir_channel *channel = weir_channel_new(argv[1], &(weir_channel_opts){.tls = tls});
    weir_tls_unref(tls); /* the channel has a reference */
    weir_arena *mem = weir_arena_new();
    greeter_hello_request request = {.name = weir_str_from(argv[5])};
    greeter_hello_reply *reply;
    weir_status status = greeter_greeter_say_hello(channel, mem, &request, &reply, NULL);
    if (status.code == WEIR_STATUS_OK)
        printf("%.*s\n", WEIR_STR_ARGS(reply->message));
    else
        fprintf(stderr, "%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
    weir_arena_free(mem);
    weir_channel_free(channel);
    return status.code != WEIR_STATUS_OK;
}
