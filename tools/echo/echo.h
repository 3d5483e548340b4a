/**
 * @file
 * What weir-echo says to a connection.
 */
#ifndef WEIR_ECHO_H
#define WEIR_ECHO_H

#include <weir/net/net.h>

/** The callbacks' `user`. */
struct echo {
    bool raw;              /* no codec: the first bytes tell whether it is HTTP */
    weir_workers *workers; /* make the answers; NULL: the loop does */
};

/** What a connection is about, kept as its data; NULL: not known yet. */
extern char echo_speaks_http, echo_speaks_raw, echo_waits_for_worker;

extern const weir_conn_ops echo_ops;

/** Answers the HTTP requests that are complete in `in`. */
void echo_answer_http(weir_conn *conn, weir_buf *in);

/** Has a worker make the answer; the connection is paused until it is there. */
void echo_answer_in_worker(const struct echo *echo, weir_conn *conn, weir_buf *in);

/** Sends the answer. */
void echo_send(const struct echo *echo, weir_conn *conn, weir_str answer);

#endif
