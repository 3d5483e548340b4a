/* Says what time it is in four bytes, seconds since 1900 in network order, and closes (RFC 868):
 * try it with `nc 127.0.0.1 8000 | od -An -tu4 --endian=big`. */
#include <weir/net/net.h>

static const int64_t seconds_1900_to_1970 = 2208988800;

/** RFC 868 has 32 bits: they begin again at zero in 2036. */
static uint32_t rfc868_now(void)
{
    return (uint32_t)(weir_wall_now().us / WEIR_SECONDS(1) + seconds_1900_to_1970);
}

static void on_up(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir_conn_schedule(conn);
}

static void on_flush(weir_conn *conn, weir_buf *out, void *user WEIR_UNUSED)
{
    weir_err err = weir_buf_append_u32(out, rfc868_now());
    if (err)
        weir_conn_abort(conn, err);
    else
        weir_conn_close(conn); /* after the bytes have gone */
}

static const weir_conn_ops time_ops = {.on_up = on_up, .on_flush = on_flush};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    weir_tcp_server_opts opts = {.loops = 1};
    return weir_tcp_serve(addr, &time_ops, NULL, &opts) != WEIR_OK;
}
