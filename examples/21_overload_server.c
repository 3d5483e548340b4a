/* A gRPC server that stays of use when it is called more often than it can answer: a limit on calls
 * at a time, a short queue that is fair to each client, and a quick "no" for the rest.
 * 21-overload-server [ADDR:PORT [LIMIT]]; without LIMIT it finds the limit itself. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/weir.h>

#include "greeter.weir.h"

/* On a worker thread: a quarter of a second of waiting, for a database perhaps. */
static weir_status say_hello(weir_blocking_call *call, const greeter_hello_request *request,
                             greeter_hello_reply *reply, void *user)
{
    (void)user;
    nanosleep(&(struct timespec){.tv_nsec = 250 * 1000000L}, NULL);
    reply->message = weir_blocking_printf(call, "Hello, %.*s!", WEIR_STR_ARGS(request->name));
    return WEIR_BLOCKING_OK;
}

static const greeter_greeter_methods methods = {.blocking = {.say_hello = say_hello}};

static weir_err protect(weir_server *server, uint32_t limit, weir_overload **out, weir_why *why)
{
    weir_overload_opts opts = {
        .adaptive = limit == 0,
        .max_concurrent = limit,
        .queue = 4,                            /* wait, for at most */
        .queue_us = WEIR_SECONDS(2),           /* so long */
        .pushback_us = WEIR_MILLISECONDS(500), /* and who is refused may ask again after that */
        .key = WEIR_OVERLOAD_PER_METADATA,     /* a queue for each of our customers: */
        .key_metadata = "customer",
    };
    weir_err err = weir_overload_new(out, &opts, why);
    return err ? err : weir_server_intercept(server, &weir_overload_limit, *out);
}

/* For health checks, which a full server answers too. */
static weir_err serve(weir_server *server)
{
    weir_err err = greeter_greeter_serve(server, &methods, NULL);
    return err ? err : weir_health_serve(server, NULL);
}

int main(int argc, char **argv)
{
    weir_overload *overload = NULL;
    weir_why why;
    weir_server *server = weir_server_new(&(weir_server_opts){.workers = 16});
    if (!server || serve(server))
        return 1;
    if (protect(server, argc > 2 ? (uint32_t)atoi(argv[2]) : 0, &overload, &why)) {
        fprintf(stderr, "21-overload-server: %s\n", why.text);
        return 1;
    }
    int status = weir_server_run(server, argc > 1 ? argv[1] : "127.0.0.1:50052");
    weir_overload_free(overload);
    return status;
}
