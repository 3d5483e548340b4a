/* Answers made by worker threads, as a server does whose work blocks or computes. A connection has
 * one job at a time, which keeps its answers in order; when the workers' queue is full, the loop
 * does the work itself and so slows its clients down. */
#include "echo.h"

#include <stdlib.h>

enum {
    UNSENT_MAX = 1 << 20
};

typedef struct work {
    weir_job job;
    const struct echo *echo;
    weir_conn_id conn;
    size_t len;
    char bytes[];
} work;

static void finished(weir_conn *conn, void *user)
{
    work *w = user;
    if (conn) {
        weir_conn_set_data(conn, &echo_speaks_raw);
        echo_send(w->echo, conn, weir_str_of(w->bytes, w->len));
        if (weir_conn_unsent(conn) < UNSENT_MAX) /* else on_low_water will */
            weir_conn_resume(conn);
    }
    free(w);
}

/** In a worker. A real server would work here. */
static void answer(weir_job *job, weir_err err)
{
    work *w = WEIR_CONTAINER_OF(job, work, job);
    if (err || weir_conn_run_post(w->conn, finished, w))
        free(w);
}

void echo_answer_in_worker(const struct echo *echo, weir_conn *conn, weir_buf *in)
{
    size_t len = weir_buf_len(in);
    work *w = malloc(sizeof *w + len);
    if (!w) {
        weir_conn_abort(conn, WEIR_ENOMEM);
        return;
    }
    w->echo = echo;
    w->conn = weir_conn_id_of(conn);
    w->len = len;
    weir_buf_read(in, w->bytes, len);
    if (weir_workers_post(echo->workers, &w->job, answer)) {
        finished(conn, w);
        return;
    }
    weir_conn_set_data(conn, &echo_waits_for_worker);
    weir_conn_pause(conn);
}
