/* A greeter whose refusals have details, or a client that reads those of another:
 *   status-details serve            says "listening on ADDR:PORT"
 *   status-details call ADDR:PORT   prints the status and its details */
#include "greeter.weir.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/codec/google/rpc/error_details.weir.h>
#include <weir/codec/status_details.h>

static void say_hello(weir_call *call, const greeter_hello_request *request WEIR_UNUSED,
                      void *user WEIR_UNUSED)
{
    static const google_rpc_bad_request_field_violation violation = {
        .field = WEIR_STR("name"), .description = WEIR_STR("must not be empty \xe2\x98\xba")};
    google_protobuf_duration delay = {.seconds = 1, .nanos = 500000000};
    google_rpc_bad_request bad = {.field_violations = {&violation, 1}};
    google_rpc_retry_info retry = {.retry_delay = &delay};
    const weir_status_detail details[] = {{&google_rpc_bad_request_descriptor, &bad},
                                          {&google_rpc_retry_info_descriptor, &retry}};
    weir_status status = {WEIR_STATUS_INVALID_ARGUMENT, WEIR_STR("no name"), {0}};
    if (weir_status_set_details(&status, weir_call_arena(call), details, 2))
        status.code = WEIR_STATUS_INTERNAL;
    weir_call_finish_status(call, &status);
}

static int serve(void)
{
    static const greeter_greeter_methods methods = {.say_hello = say_hello};
    weir_server *server = weir_server_new(NULL);
    if (!server || greeter_greeter_serve(server, &methods, NULL))
        return 1;
    return weir_server_run(server, "127.0.0.1:0");
}

static void print_details(const weir_status *status, weir_arena *mem)
{
    void *found;
    if (!weir_status_find_detail(status, &google_rpc_bad_request_descriptor, mem, &found)) {
        const google_rpc_bad_request *bad = found;
        for (size_t i = 0; i < bad->field_violations.len; i++)
            printf("%.*s: %.*s\n", WEIR_STR_ARGS(bad->field_violations.items[i].field),
                   WEIR_STR_ARGS(bad->field_violations.items[i].description));
    }
    if (!weir_status_find_detail(status, &google_rpc_error_info_descriptor, mem, &found)) {
        const google_rpc_error_info *info = found;
        printf("%.*s in %.*s", WEIR_STR_ARGS(info->reason), WEIR_STR_ARGS(info->domain));
        for (size_t i = 0; i < info->metadata.len; i++)
            printf(", %.*s=%.*s", WEIR_STR_ARGS(info->metadata.items[i].key),
                   WEIR_STR_ARGS(info->metadata.items[i].value));
        putchar('\n');
    }
    if (weir_status_find_detail(status, &google_rpc_help_descriptor, mem, &found) == WEIR_ENOENT)
        puts("no help");
}

static int call(const char *target)
{
    weir_channel *channel = weir_channel_new(target, NULL);
    weir_arena *mem = weir_arena_new();
    if (!channel || !mem)
        return 1;
    greeter_hello_reply *reply;
    weir_status status =
        greeter_greeter_say_hello(channel, mem, &(greeter_hello_request){0}, &reply, NULL);
    printf("%s %s\n", weir_status_name(status.code), weir_status_text(&status));
    print_details(&status, mem);
    weir_channel_free(channel);
    weir_arena_free(mem);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0)
        return serve();
    if (argc == 3 && strcmp(argv[1], "call") == 0)
        return call(argv[2]);
    fputs("usage: status-details serve | call ADDR:PORT\n", stderr);
    return 2;
}
