/* Throws away what it is sent (RFC 863) and says every 3 seconds how much that was: try it with
 * `nc 127.0.0.1 8000 </dev/zero`. Shows a timer that repeats. */
#include <weir/net/net.h>

/** One loop serves everybody, so that nothing here needs a lock. */
typedef struct meter {
    weir_ticker ticker;
    weir_time since; /* the last report */
    size_t bytes;    /* since then */
    unsigned connections;
} meter;

static void report(weir_ticker *ticker WEIR_UNUSED, void *user)
{
    meter *m = user;
    double seconds = (double)weir_time_diff(weir_time_now(), m->since) / 1e6;
    if (m->connections > 0)
        WEIR_LOG_INFO("%.3f MiB/s from %u connections", (double)m->bytes / seconds / (1 << 20),
                      m->connections);
    m->bytes = 0;
    m->since = weir_time_now();
}

static void on_start(weir_tcp_server *server WEIR_UNUSED, weir_loop *loop, void *user)
{
    meter *m = user;
    m->since = weir_time_now();
    weir_ticker_start(&m->ticker, loop, WEIR_SECONDS(3), report, m);
}

static void on_up(weir_conn *conn WEIR_UNUSED, void *user)
{
    ((meter *)user)->connections++;
}

static void on_message(weir_conn *conn WEIR_UNUSED, weir_buf *in, void *user)
{
    ((meter *)user)->bytes += weir_buf_len(in);
    weir_buf_clear(in);
}

static void on_down(weir_conn *conn WEIR_UNUSED, weir_err why WEIR_UNUSED, void *user)
{
    ((meter *)user)->connections--;
}

static const weir_conn_ops discard = {.on_up = on_up, .on_message = on_message, .on_down = on_down};

int main(int argc, char **argv)
{
    meter m = {0};
    weir_tcp_server_opts opts = {.model = WEIR_TCP_SINGLE, .on_start = on_start};
    return weir_tcp_serve(argc > 1 ? argv[1] : "127.0.0.1:8000", &discard, &m, &opts) != WEIR_OK;
}
