/* A gRPC server whose handler may block: it asks another greeter first, and has the caller's
 * deadline for it. 17-blocking-server ADDR:PORT OTHER-GREETER */
#include <weir/weir.h>

#include "greeter.weir.h"

/* On a worker thread. The request it makes ends when its own call does, however that ends. */
static weir_status say_hello(weir_blocking_call *call, const greeter_hello_request *request,
                             greeter_hello_reply *reply, void *user)
{
    weir_channel *other = user;
    greeter_hello_reply *heard;
    weir_status status =
        greeter_greeter_say_hello(other, weir_blocking_arena(call), request, &heard,
                                  &(weir_call_opts){.parent = weir_blocking_id(call)});
    if (status.code)
        return weir_blocking_fail(call, status.code, "the other greeter: %s",
                                  weir_status_text(&status));
    reply->message =
        weir_blocking_printf(call, "The other said: %.*s", WEIR_STR_ARGS(heard->message));
    return WEIR_BLOCKING_OK;
}

static const greeter_greeter_methods methods = {.blocking = {.say_hello = say_hello}};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    weir_channel *other = weir_channel_new(argv[2], NULL);
    weir_server *server = weir_server_new(NULL);
    if (!other || !server || greeter_greeter_serve(server, &methods, other))
        return 1;
    int status = weir_server_run(server, argv[1]);
    weir_channel_free(other);
    return status;
}
