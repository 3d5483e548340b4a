/* A gRPC server: one unary method. 02-greeter-server [ADDR:PORT] */
#include <weir/weir.h>

#include "greeter.weir.h"

static void say_hello(weir_call *call, const greeter_hello_request *request, void *user)
{
    (void)user;
    greeter_hello_reply reply = {
        .message = weir_call_printf(call, "Hello, %.*s!", WEIR_STR_ARGS(request->name)),
    };
    if (request->name.len == 0)
        weir_call_fail(call, WEIR_STATUS_INVALID_ARGUMENT, "who are you?");
    else if (greeter_greeter_say_hello_reply(call, &reply))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static const greeter_greeter_methods methods = {.say_hello = say_hello};

int main(int argc, char **argv)
{
    weir_server *server = weir_server_new(NULL); /* one loop per CPU, safe defaults */
    if (!server || greeter_greeter_serve(server, &methods, NULL))
        return 1;
    return weir_server_run(server, argc > 1 ? argv[1] : "127.0.0.1:50052");
}
