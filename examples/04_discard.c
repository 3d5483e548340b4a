/* Throws away what it is sent (RFC 863) and says every 3 seconds how much that was: try it with
 * `nc 127.0.0.1 8000 </dev/zero`. A timer that repeats while there is somebody to measure. */
#include <weir/net/net.h>

enum {
    REPORT_S = 3
};

/** One loop serves everybody, so that nothing here needs a lock. */
typedef struct meter {
    weir_timer timer;
    weir_loop *loop;
    weir_time since; /* when the timer was last set */
    size_t bytes;    /* since then */
    unsigned connections;
} meter;

static void report(weir_timer *timer, void *user);

static void measure_from_now(meter *m)
{
    m->bytes = 0;
    m->since = weir_time_now();
    weir_loop_after(m->loop, &m->timer, WEIR_SECONDS(REPORT_S), report, m);
}

static void report(weir_timer *timer WEIR_UNUSED, void *user)
{
    meter *m = user;
    double seconds = (double)weir_time_diff(weir_time_now(), m->since) / 1e6;
    WEIR_LOG_INFO("%.3f MiB/s from %u connections", (double)m->bytes / seconds / (1 << 20),
                  m->connections);
    measure_from_now(m);
}

static void on_up(weir_conn *conn, void *user)
{
    meter *m = user;
    m->loop = weir_conn_loop(conn);
    if (m->connections++ == 0)
        measure_from_now(m);
}

static void on_message(weir_conn *conn WEIR_UNUSED, weir_buf *in, void *user)
{
    ((meter *)user)->bytes += weir_buf_len(in);
    weir_buf_clear(in);
}

static void on_down(weir_conn *conn WEIR_UNUSED, weir_err why WEIR_UNUSED, void *user)
{
    meter *m = user;
    if (--m->connections == 0)
        weir_loop_cancel(m->loop, &m->timer);
}

static const weir_conn_ops discard = {.on_up = on_up, .on_message = on_message, .on_down = on_down};

int main(int argc, char **argv)
{
    meter m = {0};
    weir_tcp_server_opts opts = {.model = WEIR_TCP_SINGLE};
    return weir_tcp_serve(argc > 1 ? argv[1] : "127.0.0.1:8000", &discard, &m, &opts) != WEIR_OK;
}
