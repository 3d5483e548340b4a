/* How a TCP server ends: the accepting loop tells every serving loop to stop; each closes its
 * connections and reports when the last one has gone; then the threads are joined. */
#include "tcp_server_impl.h"

static void close_listener(weir__serving *serving)
{
    weir_listener_close(serving->listener);
    serving->listener = NULL;
}

static void pause_serving(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir__serving *serving = WEIR_CONTAINER_OF(task, weir__serving, pause);
    close_listener(serving);
    weir__tcp_server_unref(serving->server);
}

void weir_tcp_server_pause(weir_tcp_server *server)
{
    weir_loop_assert(server->loop);
    if (server->paused)
        return;
    server->paused = true;
    if (server->listener)
        weir_listener_accept_now(server->listener);
    weir_listener_close(server->listener);
    server->listener = NULL;
    if (server->opts.model != WEIR_TCP_REUSEPORT)
        return;
    atomic_fetch_add(&server->refs, server->serving_count);
    for (unsigned i = 0; i < server->serving_count; i++)
        weir_loop_post(server->servings[i].loop, &server->servings[i].pause, pause_serving);
}

/* In the accepting loop */

static void finish(weir_tcp_server *server)
{
    void (*done)(void *user) = server->done;
    void *user = server->done_user;
    weir__tcp_server_join(server);
    weir__tcp_server_unref(server);
    if (done)
        done(user);
}

static void drained(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir_tcp_server *server = WEIR_CONTAINER_OF(task, weir__serving, report)->server;
    if (--server->draining == 0)
        finish(server);
}

/* In a serving loop */

void weir__serving_check_drained(weir__serving *serving)
{
    if (!serving->stopping || serving->drained || !weir_list_empty(&serving->group.conns))
        return;
    serving->drained = true;
    weir_loop_cancel(serving->loop, &serving->grace);
    weir_loop_post(serving->server->loop, &serving->report, drained);
}

static void grace_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__serving *serving = user;
    weir_list_each (node, next, &serving->group.conns)
        weir_conn_abort(WEIR_CONTAINER_OF(node, weir_conn, node), WEIR_ETIMEDOUT);
}

static void start_grace(weir__serving *serving)
{
    weir_loop_after(serving->loop, &serving->grace, atomic_load(&serving->server->grace_us),
                    grace_over, serving);
}

/** But for those that may go on. */
static void close_conns(weir__serving *serving)
{
    if (atomic_load(&serving->server->leaving))
        return;
    weir_list_each (node, next, &serving->group.conns)
        weir_conn_close(WEIR_CONTAINER_OF(node, weir_conn, node));
}

static void stop_serving(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir__serving *serving = WEIR_CONTAINER_OF(task, weir__serving, stop);
    serving->stopping = true;
    close_listener(serving);
    close_conns(serving);
    start_grace(serving);
    weir__serving_check_drained(serving);
}

static void shorten_grace(weir_task *task, weir_err err WEIR_UNUSED)
{
    weir__serving *serving = WEIR_CONTAINER_OF(task, weir__shorter_stop, task)->serving;
    if (serving->stopping && !serving->drained) {
        close_conns(serving);
        start_grace(serving);
    }
    weir__tcp_server_unref(serving->server);
}

static void shorten(weir_tcp_server *server)
{
    unsigned which = server->shortened++;
    atomic_fetch_add(&server->refs, server->serving_count);
    for (unsigned i = 0; i < server->serving_count; i++) {
        weir__shorter_stop *shorter = &server->servings[i].shorter[which];
        shorter->serving = &server->servings[i];
        weir_loop_post(server->servings[i].loop, &shorter->task, shorten_grace);
    }
}

static void begin(weir_tcp_server *server, int64_t grace_us, void (*done)(void *user), void *user)
{
    weir_loop_assert(server->loop);
    if (server->shortened == WEIR__STOPS)
        return;
    atomic_store(&server->grace_us, grace_us);
    if (server->stopping) {
        shorten(server);
        return;
    }
    server->stopping = true;
    server->done = done;
    server->done_user = user;
    server->draining = server->serving_count;
    weir_tcp_server_pause(server);
    for (unsigned i = 0; i < server->serving_count; i++)
        weir_loop_post(server->servings[i].loop, &server->servings[i].stop, stop_serving);
}

void weir_tcp_server_stop(weir_tcp_server *server, int64_t grace_us, void (*done)(void *user),
                          void *user)
{
    atomic_store(&server->leaving, false);
    begin(server, grace_us, done, user);
}

void weir_tcp_server_leave(weir_tcp_server *server, int64_t grace_us, void (*done)(void *user),
                           void *user)
{
    weir_loop_assert(server->loop);
    if (server->stopping) /* stops may follow each other, a second leave is none */
        return;
    atomic_store(&server->leaving, true);
    begin(server, grace_us, done, user);
}
