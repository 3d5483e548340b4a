/* Forwards each connection to a target: `10-forwarder 127.0.0.1:8000 NAME:PORT`. Bytes go both
 * ways uncopied; the slower side sets the pace of the faster one; half-close is passed on. */
#include <stdlib.h>
#include <weir/net/net.h>

typedef struct tunnel {
    weir_conn *client;
    weir_conn *target;         /* in the same loop; NULL: not there yet, or gone */
    weir_connector *connector; /* to it */
} tunnel;

static weir_conn *other(weir_conn *conn)
{
    tunnel *t = weir_conn_data(conn);
    return !t ? NULL : conn == t->client ? t->target : t->client;
}

static void pass_bytes(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    if (!other(conn) || weir_conn_send_buf(other(conn), in))
        weir_buf_clear(in); /* nobody takes them any more */
}

static void pass_eof(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir_conn_shutdown(other(conn)); /* it is there: until then the client is paused */
}

static void slow_down(weir_conn *conn, size_t unsent_bytes WEIR_UNUSED, void *user WEIR_UNUSED)
{
    if (other(conn))
        weir_conn_pause(other(conn));
}

static void go_on(weir_conn *conn, void *user WEIR_UNUSED)
{
    if (other(conn))
        weir_conn_resume(other(conn));
}

static void on_down(weir_conn *conn, weir_err why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    tunnel *t = weir_conn_data(conn);
    if (!t)
        return;
    if (conn == t->target) {
        t->target = NULL;
        weir_conn_close(t->client); /* after it got what the target has said */
        return;
    }
    if (t->target) {
        weir_conn_set_data(t->target, NULL);
        weir_conn_close(t->target); /* after it got what the client has said */
    }
    weir_connector_free(t->connector);
    free(t);
}

#define FORWARD                                                                                    \
    .on_message = pass_bytes, .on_eof = pass_eof, .on_high_water = slow_down,                      \
    .on_low_water = go_on, .on_down = on_down

static void reached(weir_connector *connector WEIR_UNUSED, int fd, void *user)
{
    static const weir_conn_ops ops = {FORWARD};
    tunnel *t = user;
    weir_conn_resume(t->client);
    if (weir_conn_open_take(&t->target, weir_conn_loop(t->client), fd, NULL, &ops, NULL, NULL))
        weir_conn_abort(t->client, WEIR_ENOMEM);
    else
        weir_conn_set_data(t->target, t);
}

static void failed(weir_connector *c WEIR_UNUSED, weir_err why, int64_t us WEIR_UNUSED, void *user)
{
    weir_conn_abort(((tunnel *)user)->client, why);
}

static void on_up(weir_conn *conn, void *user)
{
    static const weir_connector_ops ops = {.on_connected = reached, .on_failed = failed};
    tunnel *t = calloc(1, sizeof *t);
    weir_conn_set_data(conn, t);
    if (!t || weir_connector_new_name(&t->connector, weir_conn_loop(conn), user, &ops, t, NULL)) {
        weir_conn_abort(conn, WEIR_ENOMEM);
        return;
    }
    t->client = conn;
    weir_conn_pause(conn); /* until the target is there */
    weir_connector_start(t->connector);
}

int main(int argc, char **argv)
{
    static const weir_conn_ops ops = {FORWARD, .on_up = on_up};
    return argc != 3 ? 2 : weir_tcp_serve(argv[1], &ops, argv[2], NULL) != WEIR_OK;
}
