/* A whole program around a TCP server: in this process, or in several. */
#include <weir/net/prefork.h>
#include <weir/net/signals.h>
#include <weir/net/tcp_server.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    GRACE_S = 10,
    LEAVE_S = 60
};

typedef struct program {
    const char *addr;
    const weir_conn_ops *ops;
    void *user;
    weir_tcp_server_opts opts;
    weir_why why;
    const weir_prefork_worker *worker; /* NULL: the only process */
    weir_loop *loop;
    weir_tcp_server *server;
    bool stopping;
} program;

static void stopped(void *user)
{
    weir_loop_quit(((program *)user)->loop);
}

/** The first one stops gracefully, the second at once. */
static void on_signal(int number, void *user)
{
    program *p = user;
    if (number == SIGQUIT && !p->stopping) {
        WEIR_LOG_INFO("signal %d: leaving", number);
        weir_tcp_server_leave(p->server, WEIR_SECONDS(LEAVE_S), stopped, p);
        return;
    }
    if (number == SIGHUP)
        weir_log_reopen();
    if (number != SIGTERM && number != SIGINT)
        return;
    WEIR_LOG_INFO("signal %d: %s", number, p->stopping ? "stopping at once" : "stopping");
    weir_tcp_server_stop(p->server, p->stopping ? 0 : WEIR_SECONDS(GRACE_S), stopped, p);
    p->stopping = true;
}

static weir_err open_signals(program *p, weir_signals **out)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    if (!p->worker)
        sigaddset(&set, SIGINT);
    if (p->worker || (p->opts.log && p->opts.log->file)) /* else it means what it always does */
        sigaddset(&set, SIGHUP);
    return weir_signals_open(out, p->loop, &set, on_signal, p);
}

static void say_listening(const weir_addr *addr)
{
    char text[WEIR_ADDR_TEXT_MAX];
    printf("listening on %s\n", weir_addr_text(addr, text));
    fflush(stdout);
}

static weir_err run(program *p)
{
    if (p->opts.on_start)
        p->opts.on_start(p->server, p->loop, p->user);
    if (p->worker)
        weir_prefork_ready(p->worker);
    else
        say_listening(weir_tcp_server_addr(p->server));
    return weir_loop_run(p->loop);
}

static weir_err serve_here(program *p)
{
    weir_signals *signals = NULL;
    weir_err err = weir_loop_new(&p->loop, &p->opts.loop);
    if (err)
        return weir_why_set(&p->why, err, "no event loop: %s", weir_err_text(err));
    err = open_signals(p, &signals);
    if (!err)
        err =
            weir_tcp_server_start(&p->server, p->loop, p->addr, p->ops, p->user, &p->opts, &p->why);
    if (!err)
        err = run(p);
    weir_signals_close(signals);
    weir_loop_free(p->loop);
    return err;
}

static int serve_as_worker(const weir_prefork_worker *worker, void *user)
{
    program *p = user;
    p->worker = worker;
    p->opts.model = WEIR_TCP_SINGLE;
    p->opts.listener.fd = worker->fd;
    weir_err err = weir_log_start(p->opts.log);
    if (!err)
        err = serve_here(p);
    if (err)
        WEIR_LOG_ERROR("%s", p->why.text[0] ? p->why.text : weir_err_text(err));
    weir_log_stop();
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static weir_err serve_in_processes(program *p)
{
    weir_prefork *master;
    weir_prefork_opts opts = {.workers = p->opts.loops, .listener = p->opts.listener};
    weir_err err = weir_prefork_new(&master, p->addr, &opts, &p->why);
    if (err)
        return err;
    say_listening(weir_prefork_addr(master));
    err = weir_prefork_run(master, serve_as_worker, p);
    weir_prefork_free(master);
    return err;
}

static void tell_why(const program *p, weir_err err, weir_why *out)
{
    const char *text = p->why.text[0] ? p->why.text : weir_err_text(err);
    if (out)
        weir_why_set(out, err, "%s", text);
    else
        WEIR_LOG_ERROR("%s", text);
}

weir_err weir_tcp_serve(const char *addr, const weir_conn_ops *ops, void *user,
                        const weir_tcp_server_opts *opts)
{
    program p = {.addr = addr, .ops = ops, .user = user};
    if (opts)
        p.opts = *opts;
    weir_err err = weir_log_start(p.opts.log);
    if (err)
        return weir_why_set(p.opts.why, err, "cannot open the log: %s", weir_err_text(err));
    weir_log_flush_on_crash();
    err = p.opts.model == WEIR_TCP_PREFORK ? serve_in_processes(&p) : serve_here(&p);
    if (err)
        tell_why(&p, err, p.opts.why);
    weir_log_stop();
    return err;
}
