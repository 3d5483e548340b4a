/* A server's connections: handshake, age, idleness, drain. */
#include "server_impl.h"

/* The spread of max_connection_age_us, so that clients do not all come back at once. */
#define AGE_JITTER_PERCENT 10

/** Of `us`, +-AGE_JITTER_PERCENT, different for each connection. */
static int64_t jittered(int64_t us, const void *salt)
{
    uint64_t z = (uint64_t)weir_time_now().us ^ (uint64_t)(uintptr_t)salt;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    int64_t spread_us = us / 100 * AGE_JITTER_PERCENT;
    return us - spread_us + (int64_t)(z % (2 * (uint64_t)spread_us + 1));
}

void weir__server_drain_link(weir__link *link, const char *reason)
{
    weir_grpc_drain(link->grpc, reason);
    weir__link_wake(link);
}

void weir__server_end_link(weir__link *link, const char *reason)
{
    weir_grpc_drain_end(link->grpc);
    weir_grpc_end_calls(link->grpc, WEIR_STATUS_UNAVAILABLE, weir_str_from(reason));
    weir__link_wake(link);
}

/* Age. */

static void on_grace_over(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__server_end_link(WEIR_CONTAINER_OF(timer, weir__link, age),
                          "the connection has reached its age (max_age)");
}

static void on_old(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__link *link = WEIR_CONTAINER_OF(timer, weir__link, age);
    const weir_server *server = link->owner;
    weir__server_drain_link(link, "max_age");
    if (server->opts.max_connection_age_grace_us > 0)
        weir_loop_after(weir_conn_loop(link->conn), timer, server->opts.max_connection_age_grace_us,
                        on_grace_over, NULL);
}

/* Idleness. */

static void on_maybe_idle(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir__link *link = WEIR_CONTAINER_OF(timer, weir__link, silence);
    const weir_server *server = link->owner;
    weir_loop *loop = weir_conn_loop(link->conn);
    int64_t limit_us = server->opts.max_connection_idle_us;
    int64_t left_us = weir_grpc_calls(link->grpc) > 0
                          ? limit_us
                          : limit_us - weir_time_diff(weir_loop_now(loop), link->used);
    if (left_us > 0)
        weir_loop_after(loop, timer, left_us, on_maybe_idle, NULL);
    else
        weir__server_drain_link(link, "max_idle");
}

/* Up and down. */

static void link_down(weir__link *link, weir_err why WEIR_UNUSED)
{
    weir_server *server = link->owner;
    atomic_fetch_sub(&server->connections, 1);
    weir__server_release(server);
}

/** Who does not send even the SETTINGS does not keep a connection. */
static void on_silence(weir_timer *timer, void *user WEIR_UNUSED)
{
    weir_conn_abort(WEIR_CONTAINER_OF(timer, weir__link, silence)->conn, WEIR_ETIMEDOUT);
}

static void link_room(weir__link *link)
{
    const weir_server *server = link->owner;
    weir_loop *loop = weir_conn_loop(link->conn);
    link->used = weir_loop_now(loop);
    if (link->greeted)
        return;
    link->greeted = true;
    weir_loop_cancel(loop, &link->silence);
    if (server->opts.max_connection_idle_us > 0)
        weir_loop_after(loop, &link->silence, server->opts.max_connection_idle_us, on_maybe_idle,
                        NULL);
}

static const weir__link_ops link_ops = {
    .request = weir__server_request, .room = link_room, .down = link_down};

static weir__counters *counters_of(weir_server *server, const weir_loop *loop)
{
    unsigned i = 0;
    while (i + 1 < server->loops && weir_tcp_server_loop(server->tcp, i) != loop)
        i++;
    return &server->counters[i].calls;
}

static void start_timers(weir__link *link)
{
    weir_server *server = link->owner;
    weir_loop *loop = weir_conn_loop(link->conn);
    int64_t age_us = server->opts.max_connection_age_us;
    link->used = weir_loop_now(loop);
    weir_loop_after(loop, &link->silence, server->opts.handshake_us, on_silence, NULL);
    if (age_us > 0)
        weir_loop_after(loop, &link->age, jittered(age_us, link), on_old, NULL);
    weir__keepalive_start(link, &server->keepalive);
}

static void conn_up(weir_conn *conn, void *user)
{
    weir_server *server = user;
    weir__link *link;
    weir_err err = weir__link_new(&link, conn, WEIR_H2_SERVER, &link_ops, server, &server->grpc);
    if (err) {
        weir_conn_abort(conn, err);
        return;
    }
    atomic_fetch_add(&server->connections, 1);
    atomic_fetch_add(&server->holds, 1);
    link->counters = counters_of(server, weir_conn_loop(conn));
    weir__socket_add(link);
    start_timers(link);
    if (atomic_load(&server->stopping))
        weir__server_drain_link(link, WEIR__SHUTTING_DOWN);
}

const weir_conn_ops weir__server_conn_ops = {
    .on_up = conn_up,
    .on_message = weir__link_on_message,
    .on_flush = weir__link_on_flush,
    .on_down = weir__link_on_down,
};
