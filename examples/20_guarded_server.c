/* A gRPC server that knows its callers: bearer tokens, rules per method, a limit on calls, an
 * access log, and an interceptor of its own. 20-guarded-server [ADDR:PORT] */
#include <weir/weir.h>

#include "greeter.weir.h"

static void say_hello(weir_call *call, const greeter_hello_request *request, void *user)
{
    (void)user;
    greeter_hello_reply reply = {
        .message =
            weir_call_printf(call, "Hello, %.*s! I am talking to %.*s.",
                             WEIR_STR_ARGS(request->name), WEIR_STR_ARGS(weir_call_identity(call))),
    };
    if (greeter_greeter_say_hello_reply(call, &reply))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static const greeter_greeter_methods methods = {.say_hello = say_hello};

/* Who is who: a service of your own would look them up (weir_bearer_auth_opts.check). */
static const weir_bearer_token tokens[] = {{"token-of-ann", "ann"}, {"token-of-bob", "bob"}};
static weir_bearer_auth_opts known = {.tokens = tokens, .token_count = 2};

static bool not_bob(weir_call *call, void *user)
{
    (void)user;
    return !weir_str_eq(weir_call_identity(call), WEIR_STR("bob"));
}

static const weir_authorize_rule rules[] = {{"/greeter.Greeter/", not_bob, NULL}};
static weir_authorize_opts who_may = {rules, 1};

/* Our own: every answer says how much time its call had left. */
static void add_time_left(weir_call *call, weir_status *status, void *state, void *user)
{
    (void)state, (void)user;
    weir_str left = weir_call_printf(call, "%lld", (long long)weir_call_time_left_us(call));
    if (weir_call_add_trailer(call, WEIR_STR("time-left-us"), left))
        status->code = WEIR_STATUS_RESOURCE_EXHAUSTED;
}

static const weir_interceptor timing = {.name = "timing", .finish = add_time_left};

static weir_err guard(weir_server *server, weir_rate_limiter *limiter)
{
    weir_err err = weir_server_intercept(server, &weir_access_log, NULL); /* sees refusals too */
    if (!err)
        err = weir_server_intercept(server, &weir_bearer_auth, &known);
    if (!err)
        err = weir_server_intercept(server, &weir_authorize, &who_may);
    if (!err)
        err = weir_server_intercept(server, &weir_rate_limit, limiter);
    return err ? err : weir_server_intercept(server, &timing, NULL);
}

int main(int argc, char **argv)
{
    weir_server *server = weir_server_new(NULL);
    weir_rate_limiter *limiter;
    weir_rate_limit_opts limit = {.per_second = 1, .burst = 3, .key = WEIR_RATE_PER_IDENTITY};
    if (!server || weir_rate_limiter_new(&limiter, &limit) || guard(server, limiter) ||
        greeter_greeter_serve(server, &methods, NULL))
        return 1;
    int status = weir_server_run(server, argc > 1 ? argv[1] : "127.0.0.1:50052");
    weir_rate_limiter_free(limiter);
    return status;
}
