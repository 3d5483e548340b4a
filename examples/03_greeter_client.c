/* A gRPC client that waits for its answer. 03-greeter-client ADDR:PORT NAME */
#include <stdio.h>
#include <weir/weir.h>

#include "greeter.weir.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    weir_channel *channel = weir_channel_new(argv[1], NULL);
    weir_arena *mem = weir_arena_new();
    if (!channel || !mem)
        return 1;
    greeter_hello_request request = {.name = weir_str_from(argv[2])};
    greeter_hello_reply *reply;
    weir_status status = greeter_greeter_say_hello(
        channel, mem, &request, &reply, &(weir_call_opts){.timeout_us = WEIR_SECONDS(1)});
    if (status.code == WEIR_STATUS_OK)
        printf("%.*s\n", WEIR_STR_ARGS(reply->message));
    else
        fprintf(stderr, "%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
    weir_arena_free(mem);
    weir_channel_free(channel);
    return status.code != WEIR_STATUS_OK;
}
