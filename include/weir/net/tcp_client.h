/**
 * @file
 * TCP client: keeps one connection to a target, and makes it again when it is lost.
 *
 * Attempts follow each other with backoff (connector.h) until one succeeds or the client is
 * stopped. A connection that lived for `stable_us` resets the backoff, and its successor is tried
 * at once; one that was lost earlier counts as a failed attempt.
 */
#ifndef WEIR_NET_TCP_CLIENT_H
#define WEIR_NET_TCP_CLIENT_H

#include <weir/net/conn.h>
#include <weir/net/connector.h>

WEIR_BEGIN_DECLS

typedef struct weir_tcp_client weir_tcp_client;

/** An attempt failed; the next one starts in `retry_us`. `why` is a sentence with the address,
 * valid until it returns. The client may be stopped or freed here. */
typedef void (*weir_tcp_client_failed_fn)(weir_tcp_client *client, weir_err err, const char *why,
                                          int64_t retry_us, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_tcp_client_opts {
    bool reconnect;    /**< when the connection is lost; else the client is stopped then */
    int64_t stable_us; /**< after so long a connection proved good; 0: 1 s */
    weir_tcp_client_failed_fn on_failed; /**< may be NULL */
    weir_connector_opts connector;
    weir_conn_opts conn;
} weir_tcp_client_opts;

/**
 * Nothing happens before weir_tcp_client_start().
 * @param out     yours until weir_tcp_client_free()
 * @param loop    borrowed; must outlive the client and its connection
 * @param target  as weir_lookup_start() reads it; copied
 * @param ops     of each connection; borrowed until the client and its last connection are gone
 * @param user    last argument of every callback
 * @param opts    copied; NULL is all defaults
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_tcp_client_new(weir_tcp_client **out, weir_loop *loop,
                                                      const char *target, const weir_conn_ops *ops,
                                                      void *user, const weir_tcp_client_opts *opts);

/** Connects, after what is left of the current delay, and when a connection that is ending has
 * gone. No callback comes inside this call. Repeatable. @thread the loop's, also in any callback */
WEIR_API void weir_tcp_client_start(weir_tcp_client *client);

/**
 * No more attempts; a connection is closed after its output is flushed, and its on_down follows. In
 * a hurry call weir_conn_abort() too. Repeatable.
 * @thread the loop's, also in any callback
 */
WEIR_API void weir_tcp_client_stop(weir_tcp_client *client);

/** NULL while there is none: from on_up until on_down has returned. @thread the loop's */
WEIR_API weir_conn *weir_tcp_client_conn(const weir_tcp_client *client);

/**
 * No more attempts; a connection is aborted with WEIR_ECANCELED, and its on_down, which follows
 * (not inside this call), is the last callback. `client` is gone for the caller at once. NULL is
 * fine.
 * @thread the loop's, also in any callback
 */
WEIR_API void weir_tcp_client_free(weir_tcp_client *client);

WEIR_END_DECLS

#endif
