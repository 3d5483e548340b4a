#include <weir/net/tcp_server.h>

#include <stdio.h>
#include <weir/net/signals.h>

enum {
    GRACE_S = 10
};

typedef struct program {
    weir_loop *loop;
    weir_tcp_server *server;
    bool stopping;
} program;

static void stopped(void *user)
{
    weir_loop_quit(((program *)user)->loop);
}

/** The first signal stops gracefully, the second at once. */
static void asked_to_stop(int number, void *user)
{
    program *p = user;
    WEIR_LOG_INFO("signal %d: %s", number, p->stopping ? "stopping at once" : "stopping");
    weir_tcp_server_stop(p->server, p->stopping ? 0 : WEIR_SECONDS(GRACE_S), stopped, p);
    p->stopping = true;
}

static weir_err open_signals(program *p, weir_signals **out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return weir_signals_open(out, p->loop, &set, asked_to_stop, p);
}

static weir_err run(program *p)
{
    char text[WEIR_ADDR_TEXT_MAX];
    printf("listening on %s\n", weir_addr_text(weir_tcp_server_addr(p->server), text));
    fflush(stdout);
    return weir_loop_run(p->loop);
}

static weir_err start_and_run(const char *addr, const weir_conn_ops *ops, void *user,
                              const weir_tcp_server_opts *opts, weir_why *why)
{
    program p = {0};
    weir_signals *signals = NULL;
    weir_err err = weir_loop_new(&p.loop, NULL);
    if (err)
        return weir_why_set(why, err, "no event loop: %s", weir_err_text(err));
    err = open_signals(&p, &signals);
    if (!err)
        err = weir_tcp_server_start(&p.server, p.loop, addr, ops, user, opts, why);
    if (!err)
        err = run(&p);
    weir_signals_close(signals);
    weir_loop_free(p.loop);
    return err;
}

weir_err weir_tcp_serve(const char *addr, const weir_conn_ops *ops, void *user,
                        const weir_tcp_server_opts *opts)
{
    weir_why why = {""};
    weir_err err = weir_log_start(NULL);
    if (err)
        return err;
    err = start_and_run(addr, ops, user, opts, &why);
    if (err)
        WEIR_LOG_ERROR("%s", why.text[0] ? why.text : weir_err_text(err));
    weir_log_stop();
    return err;
}
