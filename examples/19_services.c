/* A gRPC server with the standard services: health, for load balancers, reflection, for tools such
 * as grpcurl, and channelz, for tools such as grpcdebug. Who greets it as "flu" makes it ill,
 * "doctor" makes it well again. 19-services [ADDR:PORT] */
#include <weir/weir.h>

#include "greeter.weir.h"

static weir_err change_health(weir_health *health, weir_str name)
{
    if (weir_str_eq(name, WEIR_STR("flu")))
        return weir_health_set(health, "greeter.Greeter", WEIR_HEALTH_NOT_SERVING);
    if (weir_str_eq(name, WEIR_STR("doctor")))
        return weir_health_set(health, "greeter.Greeter", WEIR_HEALTH_SERVING);
    return WEIR_OK;
}

static void say_hello(weir_call *call, const greeter_hello_request *request, void *user)
{
    weir_health **health = user;
    greeter_hello_reply reply = {
        .message = weir_call_printf(call, "Hello, %.*s!", WEIR_STR_ARGS(request->name)),
    };
    if (change_health(*health, request->name) || greeter_greeter_say_hello_reply(call, &reply))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static const greeter_greeter_methods methods = {.say_hello = say_hello};

int main(int argc, char **argv)
{
    weir_health *health = NULL;
    weir_server *server = weir_server_new(NULL);
    if (!server || greeter_greeter_serve(server, &methods, &health) ||
        weir_health_serve(server, &health) || weir_reflection_serve(server) ||
        weir_channelz_serve(server) ||
        weir_health_set(health, "greeter.Greeter", WEIR_HEALTH_SERVING))
        return 1;
    return weir_server_run(server, argc > 1 ? argv[1] : "127.0.0.1:50052");
}
