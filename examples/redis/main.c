/* Calls a greeter whose address is in Redis. example-redis redis://127.0.0.1:6379/KEY NAME */
#include <stdio.h>
#include <weir/weir.h>

#include "greeter.weir.h"
#include "resolver.h"

int main(int argc, char **argv)
{
    static const weir_resolver_type *const types[] = {&redis_resolver};
    if (argc != 3)
        return 2;
    weir_channel *channel = weir_channel_new(
        argv[1],
        &(weir_channel_opts){.resolvers = types, .resolver_count = 1, .balance = "round_robin"});
    weir_arena *mem = weir_arena_new();
    greeter_hello_reply *reply;
    weir_status status = greeter_greeter_say_hello(
        channel, mem, &(greeter_hello_request){.name = weir_str_from(argv[2])}, &reply, NULL);
    if (status.code == WEIR_STATUS_OK)
        printf("%.*s\n", WEIR_STR_ARGS(reply->message));
    else
        fprintf(stderr, "%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
    weir_arena_free(mem);
    weir_channel_free(channel);
    return status.code != WEIR_STATUS_OK;
}
