/**
 * @file
 * A connection's TLS: between its buffers, which hold what the owner reads and writes, and the
 * socket, which has sealed bytes. conn_io.c and conn.c come here when `conn->tls` is not NULL.
 */
#ifndef WEIR_NET_CONN_TLS_H
#define WEIR_NET_CONN_TLS_H

#include "conn_impl.h"

/** Prepares it. @errors as weir__tls_engine_new() */
WEIR_MUST_CHECK weir_err weir__conn_tls_new(weir_conn *conn, const weir_conn_opts *opts);
void weir__conn_tls_free(weir_conn *conn);

/** The handshake begins; no callback comes inside. */
void weir__conn_tls_start(weir_conn *conn, int64_t limit_us);
/** And goes on with what has come: on_up, or the end, may follow inside. */
void weir__conn_tls_handshake(weir_conn *conn);

/**
 * What has come, opened into `conn->in`: up to read_max bytes, and all of what was read of the
 * socket.
 * @errors WEIR_EAGAIN: that is all. WEIR_ECLOSED: the peer has ended its direction, as it should.
 *         Others end the connection; weir_conn_why() says why
 */
WEIR_MUST_CHECK weir_err weir__conn_tls_read(weir_conn *conn);

/** Seals some of `conn->out` for one system call. @return false: the connection has ended */
bool weir__conn_tls_seal(weir_conn *conn);

/** After the last output: lets close_notify follow. @return whether it is still to be sent */
bool weir__conn_tls_end_output(weir_conn *conn);

/** The connection ends for that reason; an alert is sent if the socket takes it. */
void weir__conn_tls_fail(weir_conn *conn, weir_err err);

#endif
