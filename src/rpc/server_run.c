/* A server as a whole program. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/net/signals.h>

#include "server_impl.h"

typedef struct run {
    weir_server *server;
    weir_loop *loop;
    bool stopping;
} run;

static void on_stopped(void *user)
{
    run *r = user;
    weir_loop_quit(r->loop);
}

/** The first signal drains; the second one ends at once. */
static void on_signal(int number, void *user)
{
    run *r = user;
    if (r->stopping) {
        WEIR_LOG_WARN("second signal: stopping at once");
        weir_log_flush();
        _Exit(128 + number);
    }
    r->stopping = true;
    weir_server_stop(r->server, on_stopped, r);
}

static int serve(run *r, const char *addr)
{
    weir_why why;
    weir_signals *signals = NULL;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    weir_err err = weir_signals_open(&signals, r->loop, &set, on_signal, r);
    if (err)
        weir_why_set(&why, err, "signals: %s", weir_err_text(err));
    else
        err = weir_server_start(r->server, r->loop, addr, &why);
    if (err) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, why.text);
    } else {
        char text[WEIR_ADDR_TEXT_MAX];
        printf("listening on %s\n", weir_addr_text(weir_server_addr(r->server), text));
        fflush(stdout);
        err = weir_loop_run(r->loop);
    }
    weir_signals_close(signals);
    return err ? 1 : 0;
}

int weir_server_run(weir_server *server, const char *addr)
{
    run r = {.server = server};
    if (!server || weir_log_start(NULL)) {
        fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
        weir_server_free(server);
        return 1;
    }
    weir_log_flush_on_crash();
    int status = 1;
    weir_err err = weir_loop_new(&r.loop, &(weir_loop_opts){.poller = server->opts.poller});
    if (err) {
        fprintf(stderr, "%s: %s\n", program_invocation_short_name, weir_err_text(err));
    } else {
        status = serve(&r, addr);
        weir_loop_free(r.loop);
    }
    weir_server_free(server);
    weir_log_stop();
    return status;
}
