/* An echo server that says goodbye to who has been silent: `12-idle-kick 127.0.0.1:8000 SECONDS`.
 * A timer per connection, moved by every message, costs constant time: no list of connections is
 * walked. Without a goodbye, weir_conn_opts.idle_us does the same by itself. */
#include <stdlib.h>
#include <weir/net/net.h>

/** What a connection has besides its bytes. */
typedef struct session {
    weir_timer timer;
    weir_conn *conn;
} session;

static void kick(weir_timer *timer WEIR_UNUSED, void *user)
{
    static const char goodbye[] = "goodbye: you have been silent\n";
    session *s = user;
    /* Who has not even read the echo would not read this either. */
    if (weir_conn_unsent(s->conn) > 0 || weir_conn_send(s->conn, goodbye, sizeof goodbye - 1))
        weir_conn_abort(s->conn, WEIR_ETIMEDOUT);
    else
        weir_conn_close(s->conn);
}

static void restart(session *s, const int64_t *idle_us)
{
    weir_loop_after(weir_conn_loop(s->conn), &s->timer, *idle_us, kick, s);
}

static void on_up(weir_conn *conn, void *user)
{
    session *s = calloc(1, sizeof *s);
    weir_conn_set_data(conn, s);
    if (!s) {
        weir_conn_abort(conn, WEIR_ENOMEM);
        return;
    }
    s->conn = conn;
    restart(s, user);
}

static void on_message(weir_conn *conn, weir_buf *in, void *user)
{
    restart(weir_conn_data(conn), user);
    if (weir_conn_send_buf(conn, in))
        weir_conn_close(conn);
}

static void on_down(weir_conn *conn, weir_err why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    session *s = weir_conn_data(conn);
    if (s)
        weir_loop_cancel(weir_conn_loop(conn), &s->timer);
    free(s);
}

static const weir_conn_ops ops = {.on_up = on_up, .on_message = on_message, .on_down = on_down};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    int64_t idle_us = WEIR_SECONDS(argc > 2 ? atoi(argv[2]) : 10);
    weir_tcp_server_opts opts = {.conn.throttle = true};
    return weir_tcp_serve(addr, &ops, &idle_us, &opts) != WEIR_OK;
}
