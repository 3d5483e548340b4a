/* A gRPC server that clients know by its certificate, and that knows them by theirs.
 *
 *     16-tls-greeter-server ADDR:PORT CERT KEY CA
 *
 * kill -HUP lets it read the files anew. SSLKEYLOGFILE=keys in the environment lets Wireshark read
 * along. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <weir/weir.h>

#include "greeter.weir.h"

static void say_hello(weir_call *call, const greeter_hello_request *request, void *user)
{
    (void)user;
    const weir_tls_info *tls = weir_call_tls(call); /* verified, for the server demands it */
    greeter_hello_reply reply = {
        .message =
            weir_call_printf(call, "Hello, %.*s! You are %s, by %s.", WEIR_STR_ARGS(request->name),
                             tls ? tls->subject : "anybody", tls ? tls->version : "plaintext"),
    };
    if (greeter_greeter_say_hello_reply(call, &reply))
        weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static const greeter_greeter_methods methods = {.say_hello = say_hello};

/** New connections get the new certificate; old ones stay. */
static void *reload_on_hup(void *tls)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1); /* main's: it is over */
    for (int number; sigwait(&signals, &number) == 0 && number == SIGHUP;) {
        weir_why why = {"the certificate was read anew"};
        if (weir_tls_reload(tls, &why))
            WEIR_LOG_WARN("the old certificate stays: %s", why.text);
        else
            WEIR_LOG_INFO("%s", why.text);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    weir_tls_opts opts = {.cert_file = argv[2], .key_file = argv[3], .client_ca_file = argv[4]};
    weir_tls *tls;
    weir_why why;
    if (weir_tls_server_new(&tls, &opts, &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    sigset_t waited_for; /* by that thread, and by weir_server_run() */
    sigemptyset(&waited_for);
    sigaddset(&waited_for, SIGHUP);
    sigaddset(&waited_for, SIGUSR1);
    sigaddset(&waited_for, SIGINT);
    sigaddset(&waited_for, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &waited_for, NULL);
    pthread_t thread;
    weir_server *server = weir_server_new(&(weir_server_opts){.tls = tls});
    if (!server || greeter_greeter_serve(server, &methods, NULL) ||
        pthread_create(&thread, NULL, reload_on_hup, tls))
        return 1;
    int status = weir_server_run(server, argv[1]);
    pthread_kill(thread, SIGUSR1);
    pthread_join(thread, NULL);
    weir_tls_unref(tls);
    return status;
}
