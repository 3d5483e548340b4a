/* A server, or many clients, of a service that is found through a registry:
 *   cluster-node serve REGISTRY NUMBER        answers with its number, 0 to 9; "-": no registry
 *   cluster-node load TARGET CLIENTS          calls; "report" and "stop" on stdin, JSON on stdout
 *   cluster-node ask TARGET [POLICY]          one call, its answer or its status
 *   cluster-node list TARGET                  how many endpoints there are, at each change */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>
#include <weir/zk/zk.h>

#include "greeter.weir.h"

enum {
    CLIENTS_MAX = 64,
    CALLS_AT_ONCE = 4
};

/* Between two calls of one caller. */
#define PACE_US 10000

static const char config[] =
    "{\"loadBalancingConfig\":[{\"round_robin\":{}}],\"methodConfig\":[{\"name\":[{}],"
    "\"waitForReady\":true,\"timeout\":\"20s\",\"retryPolicy\":{\"maxAttempts\":5,"
    "\"initialBackoff\":\"0.02s\",\"maxBackoff\":\"1s\",\"backoffMultiplier\":2,"
    "\"retryableStatusCodes\":[\"UNAVAILABLE\"]}}]}";

/* The server. */

static void say_hello(weir_call *call, const greeter_hello_request *request WEIR_UNUSED, void *user)
{
    greeter_hello_reply reply = {.message = weir_str_from(user)};
    if (greeter_greeter_say_hello_reply(call, &reply))
        weir_call_fail(call, WEIR_STATUS_INTERNAL, "cannot answer");
}

static const greeter_greeter_methods methods = {.say_hello = say_hello};

static int serve(const char *registry, char *number)
{
    weir_server *server =
        weir_server_new(&(weir_server_opts){.loops = 1, .min_ping_interval_us = -1});
    weir_register_opts opts = {.session_us = WEIR_SECONDS(2)};
    if (!server || greeter_greeter_serve(server, &methods, number))
        return 1;
    if (strcmp(registry, "-") != 0 && weir_server_register(server, registry, &opts))
        return 1;
    return weir_server_run(server, "127.0.0.1:0");
}

/* Load. */

typedef struct caller {
    weir_channel *channel;
    weir_timer pace;
} caller;

static atomic_ullong answered, failed, by[10];
static atomic_bool stopping;
static weir_latch ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char first_failure[400];

static void call_now(caller *c);

static void on_pace(weir_timer *timer, void *user WEIR_UNUSED)
{
    call_now(WEIR_CONTAINER_OF(timer, caller, pace));
}

static void note_failure(const weir_status *status)
{
    atomic_fetch_add(&failed, 1);
    pthread_mutex_lock(&lock);
    if (!first_failure[0])
        snprintf(first_failure, sizeof first_failure, "%s", weir_status_text(status));
    pthread_mutex_unlock(&lock);
}

static void on_answer(const weir_status *status, const greeter_hello_reply *reply, void *user)
{
    caller *c = user;
    if (status->code == WEIR_STATUS_OK) {
        atomic_fetch_add(&answered, 1);
        atomic_fetch_add(&by[(unsigned char)reply->message.ptr[0] % 10], 1);
    } else {
        note_failure(status);
    }
    if (atomic_load(&stopping))
        weir_latch_down(&ended);
    else
        weir_loop_after(weir_channel_loop(c->channel), &c->pace, PACE_US, on_pace, NULL);
}

static void call_now(caller *c)
{
    if (greeter_greeter_say_hello_async(c->channel, &(greeter_hello_request){.name = WEIR_STR("?")},
                                        on_answer, c, NULL))
        abort();
}

static void report(void)
{
    pthread_mutex_lock(&lock);
    printf("{\"answered\": %llu, \"failed\": %llu, \"why\": \"", (unsigned long long)answered,
           (unsigned long long)failed);
    for (const char *p = first_failure; *p; p++)
        putchar(*p == '"' || *p == '\\' || (unsigned char)*p < ' ' ? '\'' : *p);
    printf("\", \"by\": [");
    for (int i = 0; i < 10; i++) /* "0" is at 8: see on_answer() */
        printf("%s%llu", i > 0 ? ", " : "", (unsigned long long)by[('0' + i) % 10]);
    puts("]}");
    fflush(stdout);
    pthread_mutex_unlock(&lock);
}

static int load(const char *target, int clients)
{
    static caller callers[CLIENTS_MAX * CALLS_AT_ONCE];
    static weir_channel *channels[CLIENTS_MAX];
    char line[100];
    clients = clients < CLIENTS_MAX ? clients : CLIENTS_MAX;
    weir_latch_init(&ended, (unsigned)clients * CALLS_AT_ONCE);
    for (int i = 0; i < clients; i++) {
        channels[i] =
            weir_channel_new(target, &(weir_channel_opts){.service_config = config,
                                                          .backoff_us = 100000,
                                                          .backoff_max_us = 500000,
                                                          .connect_us = WEIR_SECONDS(2),
                                                          .keepalive_us = 500000,
                                                          .keepalive_floor_us = 1,
                                                          .keepalive_timeout_us = 500000});
        for (int j = 0; j < CALLS_AT_ONCE; j++) {
            caller *c = &callers[i * CALLS_AT_ONCE + j];
            c->channel = channels[i];
            call_now(c);
        }
    }
    while (fgets(line, sizeof line, stdin) && strcmp(line, "stop\n") != 0)
        report();
    atomic_store(&stopping, true);
    weir_latch_wait(&ended);
    report();
    for (int i = 0; i < clients; i++)
        weir_channel_free(channels[i]);
    return 0;
}

static int ask(const char *target, const char *policy)
{
    greeter_hello_reply *reply;
    weir_channel *channel = weir_channel_new(target, &(weir_channel_opts){.balance = policy});
    weir_arena *mem = weir_arena_new();
    weir_status status =
        greeter_greeter_say_hello(channel, mem, &(greeter_hello_request){.name = WEIR_STR("?")},
                                  &reply, &(weir_call_opts){.timeout_us = WEIR_SECONDS(30)});
    if (status.code)
        printf("%s: %s\n", weir_status_name(status.code), weir_status_text(&status));
    else
        printf("%.*s\n", WEIR_STR_ARGS(reply->message));
    weir_arena_free(mem);
    weir_channel_free(channel);
    return 0;
}

/* What is registered. */

static void on_found(weir_endpoints *list, const char *its_config WEIR_UNUSED,
                     void *user WEIR_UNUSED)
{
    printf("%zu", weir_endpoints_count(list));
    for (size_t i = 0; i < weir_endpoints_count(list); i++)
        printf(" %s", weir_endpoints_at(list, i)->address.ptr);
    puts("");
    fflush(stdout);
}

static void on_failed(weir_err err WEIR_UNUSED, const char *why, void *user WEIR_UNUSED)
{
    printf("failed: %s\n", why);
    fflush(stdout);
}

static int list(char *target)
{
    static const weir_resolver_events events = {on_found, on_failed};
    char *authority = strstr(target, "://");
    char *path = authority ? strchr(authority + 3, '/') : NULL;
    weir_resolver *resolver;
    weir_loop *loop;
    weir_why why;
    if (!path || weir_loop_new(&loop, NULL))
        return 2;
    *path = '\0';
    weir_resolver_request request = {.loop = loop,
                                     .target = target,
                                     .authority = authority + 3,
                                     .path = path + 1,
                                     .events = &events};
    const weir_resolver_type *type =
        strncmp(target, "zk:", 3) == 0 ? &weir_resolver_zk : &weir_resolver_file;
    if (type->start(&resolver, &request, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    return weir_loop_run(loop) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0)
        return serve(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "load") == 0)
        return load(argv[2], atoi(argv[3]));
    if (argc >= 3 && strcmp(argv[1], "ask") == 0)
        return ask(argv[2], argc > 3 ? argv[3] : NULL);
    if (argc == 3 && strcmp(argv[1], "list") == 0)
        return list(argv[2]);
    return 2;
}
