#include "echo.h"

#include <string.h>

char echo_speaks_http, echo_speaks_raw, echo_waits_for_worker;

static void check(weir_conn *conn, weir_err err)
{
    if (err && err != WEIR_ECLOSED)
        weir_conn_abort(conn, err);
}

void echo_send(const struct echo *echo, weir_conn *conn, weir_str answer)
{
    check(conn, echo->raw ? weir_conn_send(conn, answer.ptr, answer.len)
                          : weir_conn_send_message(conn, answer));
}

static void answer(const struct echo *echo, weir_conn *conn, weir_buf *in)
{
    if (echo->workers) {
        echo_answer_in_worker(echo, conn, in);
    } else if (echo->raw) {
        check(conn, weir_conn_send_buf(conn, in)); /* no byte is copied */
    } else {
        size_t len = weir_buf_len(in);
        const char *message = weir_buf_pullup(in, len);
        check(conn,
              message ? weir_conn_send_message(conn, weir_str_of(message, len)) : WEIR_ENOMEM);
    }
}

static void on_message(weir_conn *conn, weir_buf *in, void *user)
{
    const struct echo *echo = user;
    if (!weir_conn_data(conn)) {
        char first[4];
        bool http = echo->raw && weir_buf_peek(in, first, sizeof first) &&
                    memcmp(first, "GET ", sizeof first) == 0;
        weir_conn_set_data(conn, http ? &echo_speaks_http : &echo_speaks_raw);
    }
    if (weir_conn_data(conn) == &echo_speaks_http)
        echo_answer_http(conn, in);
    else
        answer(echo, conn, in);
}

/** A peer that does not read its answers is not read from either. */
static void on_high_water(weir_conn *conn, size_t unsent_bytes WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_conn_pause(conn);
}

static void on_low_water(weir_conn *conn, void *user WEIR_UNUSED)
{
    if (weir_conn_data(conn) != &echo_waits_for_worker)
        weir_conn_resume(conn);
}

const weir_conn_ops echo_ops = {
    .on_message = on_message, .on_high_water = on_high_water, .on_low_water = on_low_water};
