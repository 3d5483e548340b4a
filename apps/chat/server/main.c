/* weir-chatd: the chat and notification server. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "app.h"
#include "auth.h"
#include "tell.h"

typedef struct node {
    options opts;
    app app;
    weir_loop *loop;
    weir_server *server;
    weir_tls *tls; /* NULL: plaintext */
    weir_bearer_auth_opts auth;
    weir_task stop_task;
    atomic_bool stop_asked;
    weir_timer stop_timer, system_timer;
    bool stopping;
} node;

static void on_stopped(void *user)
{
    node *self = user;
    weir_loop_quit(self->loop);
}

static void stop(node *self)
{
    if (self->stopping)
        return;
    self->stopping = true;
    weir_loop_cancel(self->loop, &self->stop_timer);
    weir_loop_cancel(self->loop, &self->system_timer);
    app_drain(&self->app);
    weir_server_stop(self->server, on_stopped, self);
}

static void on_stop_task(weir_task *task, weir_err err)
{
    if (!err)
        stop(WEIR_CONTAINER_OF(task, node, stop_task));
}

/** From any thread: an admin wants it. */
static void stop_post(void *user)
{
    node *self = user;
    if (!atomic_exchange(&self->stop_asked, true))
        weir_loop_post(self->loop, &self->stop_task, on_stop_task);
}

static void reload_certificate(const node *self)
{
    weir_why why;
    if (!self->tls)
        return;
    if (weir_tls_reload(self->tls, &why))
        WEIR_LOG_ERROR("the certificate stays as it is: %s", why.text);
    else
        WEIR_LOG_INFO("the certificate was read anew");
}

static void on_signal(int signal_number, void *user)
{
    node *self = user;
    if (signal_number == SIGHUP) {
        reload_certificate(self);
        return;
    }
    if (!self->stopping) {
        stop(self);
        return;
    }
    weir_log_flush();
    _Exit(128 + signal_number);
}

static void on_time_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    stop(user);
}

static void on_system_time(weir_timer *timer, void *user)
{
    node *self = user;
    weir_server_stats stats;
    weir_server_get_stats(self->server, &stats);
    char text[100];
    int len = snprintf(text, sizeof text, "%llu connections, %llu calls running",
                       (unsigned long long)stats.connections, (unsigned long long)stats.calls);
    tell_system(&self->app, weir_str_of(text, (size_t)len));
    weir_loop_after(self->loop, timer, self->opts.system_us, on_system_time, self);
}

static weir_err serve(node *self, weir_why *why)
{
    weir_err err = weir_server_start(self->server, self->loop, self->opts.listen, why);
    if (err)
        return err;
    char text[WEIR_ADDR_TEXT_MAX];
    weir_addr_text(weir_server_addr(self->server), text);
    if (!self->opts.node)
        snprintf(self->app.node, sizeof self->app.node, "%s", text);
    printf("listening on %s\n", text);
    fflush(stdout);
    if (self->opts.run_us > 0)
        weir_loop_after(self->loop, &self->stop_timer, self->opts.run_us, on_time_over, self);
    if (self->opts.system_us > 0)
        weir_loop_after(self->loop, &self->system_timer, self->opts.system_us, on_system_time,
                        self);
    return weir_loop_run(self->loop);
}

static weir_err add_services(node *self)
{
    weir_err (*const services[])(weir_server *, app *) = {
        account_serve, people_serve,       conversation_serve, message_serve,
        chat_serve,    notification_serve, admin_serve,
    };
    weir_err err = weir_server_intercept(self->server, &weir_bearer_auth, &self->auth);
    for (size_t i = 0; !err && i < sizeof services / sizeof *services; i++)
        err = services[i](self->server, &self->app);
    if (!err)
        err = weir_health_serve(self->server, NULL);
    if (!err)
        err = weir_reflection_serve(self->server);
    if (!err && self->opts.registry)
        err = weir_server_register(self->server, self->opts.registry,
                                   &(weir_register_opts){.address = self->opts.advertise});
    return err;
}

static weir_err open_tls(node *self, weir_why *why)
{
    const options *opts = &self->opts;
    if (!opts->tls_cert)
        return WEIR_OK;
    return weir_tls_server_new(
        &self->tls, &(weir_tls_opts){.cert_file = opts->tls_cert, .key_file = opts->tls_key}, why);
}

/** Everything that is needed before the first connection. */
static weir_err prepare(node *self, weir_signals **signals, weir_why *why)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    weir_err err = open_tls(self, why);
    if (err)
        return err;
    err = weir_loop_new(&self->loop, NULL);
    if (!err)
        err = weir_signals_open(signals, self->loop, &set, on_signal, self);
    if (!err &&
        !(self->server = weir_server_new(&(weir_server_opts){
              .loops = self->opts.threads, .tls = self->tls, .drain_us = self->opts.drain_us})))
        err = WEIR_ENOMEM;
    self->app.server = self->server;
    self->app.stop = stop_post;
    self->app.stop_user = self;
    self->auth = auth_opts(&self->app);
    if (!err)
        err = add_services(self);
    if (err) {
        weir_why_set(why, err, "%s", weir_err_text(err));
        return err;
    }
    return app_open(&self->app, self->loop, &self->opts, why);
}

static int run(node *self)
{
    weir_signals *signals = NULL;
    weir_why why;
    weir_err err = prepare(self, &signals, &why);
    if (!err)
        err = serve(self, &why);
    if (err)
        fprintf(stderr, "weir-chatd: %s\n", why.text);
    weir_server_free(self->server);
    if (self->loop)
        app_close(&self->app);
    weir_signals_close(signals);
    weir_loop_free(self->loop);
    weir_tls_unref(self->tls);
    return err ? 1 : 0;
}

static int run_command(const options *opts)
{
    weir_why why = {""};
    bool backup = strcmp(opts->command, "backup") == 0;
    weir_err err = backup ? db_backup(opts->store, opts->file, &why)
                          : db_restore(opts->store, opts->file, &why);
    if (err)
        fprintf(stderr, "weir-chatd: %s: %s\n", opts->command, why.text);
    else
        printf("%s %s\n", backup ? "copied to" : "restored from", opts->file);
    return err ? 1 : 0;
}

/** A descriptor for each user: the soft limit is often 1,024, kept small for programs that use
 * select(), and a program may raise it to the hard one. */
static void raise_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files))
            WEIR_LOG_WARN("the limit of descriptors stays as it is");
    }
}

int main(int argc, char **argv)
{
    node *self = calloc(1, sizeof *self);
    if (!self || weir_log_start(NULL)) {
        fputs("weir-chatd: out of memory\n", stderr);
        free(self);
        return 1;
    }
    options_read(&self->opts, argc, argv);
    raise_limit();
    int status = self->opts.command ? run_command(&self->opts) : run(self);
    weir_log_stop();
    free(self);
    return status;
}
