/* Says what time it is, as text, and closes (RFC 867): try it with `nc 127.0.0.1 8000`. */
#include <weir/net/net.h>

static void on_up(weir_conn *conn, void *user WEIR_UNUSED)
{
    char text[WEIR_WALL_TEXT_MAX + 2];
    size_t len = weir_wall_text(weir_wall_now(), text);
    text[len++] = '\r';
    text[len++] = '\n';
    weir_err err = weir_conn_send(conn, text, len);
    if (err)
        weir_conn_abort(conn, err);
    else
        weir_conn_close(conn); /* after the text has gone */
}

static const weir_conn_ops daytime = {.on_up = on_up};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    weir_tcp_server_opts opts = {.loops = 1};
    return weir_tcp_serve(addr, &daytime, NULL, &opts) != WEIR_OK;
}
