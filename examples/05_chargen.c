/* Sends lines of characters as fast as the peer reads (RFC 864): try it with
 * `nc 127.0.0.1 8000 </dev/null | head`. A producer without end needs no memory: it is asked for
 * the next bytes when the last ones have gone. */
#include <weir/net/net.h>

enum {
    FIRST = ' ',
    CHARACTERS = '~' - FIRST + 1,
    LINE = 72,
    REPEATS = 8 /* of the whole pattern, to hand over more at once */
};

/** Each line begins one character later than the one before it. */
static char pattern[REPEATS * CHARACTERS * (LINE + 2)];

static void draw_pattern(void)
{
    char *at = pattern;
    for (int line = 0; line < REPEATS * CHARACTERS; line++) {
        for (int column = 0; column < LINE; column++)
            *at++ = (char)(FIRST + (line + column) % CHARACTERS);
        *at++ = '\r';
        *at++ = '\n';
    }
}

static void on_up(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir_conn_schedule(conn);
}

static void on_flush(weir_conn *conn, weir_buf *out, void *user WEIR_UNUSED)
{
    weir_err err = weir_buf_append_ref(out, pattern, sizeof pattern, NULL, NULL);
    if (err)
        weir_conn_abort(conn, err);
}

/** All of it is with the kernel, which takes more only as fast as the peer reads. */
static void on_written(weir_conn *conn, void *user WEIR_UNUSED)
{
    weir_conn_schedule(conn);
}

static const weir_conn_ops chargen = {
    .on_up = on_up, .on_flush = on_flush, .on_written = on_written};

int main(int argc, char **argv)
{
    const char *addr = argc > 1 ? argv[1] : "127.0.0.1:8000";
    draw_pattern();
    return weir_tcp_serve(addr, &chargen, NULL, NULL) != WEIR_OK;
}
