/* A TCP server that answers every byte with itself: try it with `nc 127.0.0.1 8000`. */
#include <weir/net/net.h>

static void on_message(weir_conn *conn, weir_buf *in, void *user)
{
    (void)user;
    if (weir_conn_send_buf(conn, in)) /* no byte is copied */
        weir_conn_close(conn);
}

static const weir_conn_ops echo = {.on_message = on_message};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    weir_tcp_server_opts opts = {.loops = 4,
                                 .conn = {.idle_us = WEIR_SECONDS(60), .throttle = true}};
    return weir_tcp_serve(addr, &echo, NULL, &opts) == WEIR_OK ? 0 : 1;
}
