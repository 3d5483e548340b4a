/* A server or a client of ZooKeeper, as far as names go: tells each change in a line.
 *
 *     zk-node register HOSTS SERVICE ADDRESS   until SIGTERM, which withdraws
 *     zk-node resolve HOSTS PATH               until it is killed */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/net/signals.h>
#include <weir/zk/zk.h>

static weir_loop *loop;

static void on_found(weir_endpoints *list, const char *config, void *user)
{
    (void)config;
    (void)user;
    printf("found");
    for (size_t i = 0; i < weir_endpoints_count(list); i++)
        printf(" %.*s", WEIR_STR_ARGS(weir_endpoints_at(list, i)->address));
    printf("\n");
}

static void on_failed(weir_err err, const char *why, void *user)
{
    (void)user;
    printf("failed %s %s\n", weir_err_name(err), why);
}

static int resolve(const char *hosts, const char *path)
{
    static const weir_resolver_events events = {on_found, on_failed};
    weir_resolver_request request = {
        .loop = loop, .target = path, .authority = hosts, .path = path, .events = &events};
    weir_resolver *resolver;
    weir_why why = {""};
    if (weir_resolver_zk.start(&resolver, &request, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    return weir_loop_run(loop) != WEIR_OK;
}

static void on_state(weir_registration *registration, weir_registration_state state,
                     const char *why, void *user)
{
    (void)registration;
    (void)user;
    printf("%s %s\n", state == WEIR_REGISTRATION_ACTIVE ? "active" : "lost", why);
}

static void on_withdrawn(weir_err err, const char *why, void *user)
{
    (void)user;
    printf("withdrawn %s %s\n", weir_err_name(err), why);
    weir_loop_quit(loop);
}

static void on_signal(int number, void *user)
{
    (void)number;
    weir_registry_withdraw_all(user, on_withdrawn, NULL);
}

static int serve(const char *hosts, const char *service, const char *address)
{
    static const weir_registry_type *const types[] = {&weir_registry_zk};
    weir_registry *registry;
    weir_registration *registration;
    weir_signals *signals;
    weir_endpoint endpoint = {.address = weir_str_from(address)};
    weir_why why = {""};
    char target[500];
    snprintf(target, sizeof target, "zk://%s/", hosts);
    weir_registry_opts opts = {.types = types, .type_count = 1, .session_us = WEIR_SECONDS(2)};
    if (weir_registry_open(&registry, loop, target, &opts, &why) ||
        weir_registry_add(&registration, registry, service, &endpoint, on_state, NULL, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (weir_signals_open(&signals, loop, &set, on_signal, registry))
        return 1;
    weir_err err = weir_loop_run(loop);
    weir_signals_close(signals);
    weir_registry_free(registry);
    return err != WEIR_OK;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (weir_loop_new(&loop, NULL))
        return 1;
    if (argc == 4 && strcmp(argv[1], "resolve") == 0)
        return resolve(argv[2], argv[3]);
    if (argc == 5 && strcmp(argv[1], "register") == 0)
        return serve(argv[2], argv[3], argv[4]);
    fprintf(stderr, "usage: zk-node register HOSTS SERVICE ADDRESS | resolve HOSTS PATH\n");
    return 2;
}
