/**
 * @file
 * Connections with TLS: a client and a server in one loop, and the wire between them in the test's
 * hands.
 */
#ifndef WEIR_NET_CONN_TLS_TEST_H
#define WEIR_NET_CONN_TLS_TEST_H

#include "conn_test.h"

#include "certs.h"

struct wire {
    weir_loop *loop;
    weir_tls *server_tls, *client_tls;
    struct peer client, server;
    size_t at_once;   /* bytes that go through a turn, at most; 0: all */
    size_t to_client; /* bytes that went through */
    bool hold;        /* nothing goes through */
};

static inline weir_tls *new_server(const weir_tls_opts *opts)
{
    static const weir_tls_opts plain = {.cert_file = CERT("server"), .key_file = KEY("server")};
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_server_new(&tls, opts ? opts : &plain, &why))
        fail_msg("%s", why.text);
    return tls;
}

static inline weir_tls *new_client(const weir_tls_opts *opts)
{
    static const weir_tls_opts plain = {.ca_file = CERT("ca")};
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_client_new(&tls, opts ? opts : &plain, &why))
        fail_msg("%s", why.text);
    return tls;
}

/* The wire */

/** @return bytes that went through */
static inline size_t carry(struct wire *w, int from, int to)
{
    static char bytes[65536];
    size_t len = w->at_once ? w->at_once : sizeof bytes;
    ssize_t n = recv(from, bytes, len, MSG_PEEK | MSG_DONTWAIT);
    if (n == 0)
        (void)shutdown(to, SHUT_WR);
    if (n > 0)
        n = send(to, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        assert_int_equal(recv(from, bytes, (size_t)n, 0), n);
    return n > 0 ? (size_t)n : 0;
}

static inline void turn(struct wire *w)
{
    if (!w->hold) {
        carry(w, w->client.fd, w->server.fd);
        w->to_client += carry(w, w->server.fd, w->client.fd);
    }
    assert_ok(weir_loop_run_once(w->loop, 0));
}

#define carry_until(w, condition)                                                                  \
    do {                                                                                           \
        weir_time limit_ = weir_time_add(weir_time_now(), WEIR_SECONDS(60));                       \
        while (!(condition)) {                                                                     \
            if (!weir_time_before(weir_time_now(), limit_))                                        \
                fail_msg("did not happen: %s", #condition);                                        \
            turn(w);                                                                               \
        }                                                                                          \
    } while (0)

static inline void open_end(struct wire *w, struct peer *p, const weir_conn_opts *opts)
{
    int fds[2];
    socket_pair(SOCK_STREAM, fds);
    p->fd = fds[1];
    p->loop = w->loop;
    assert_ok(weir_conn_open_take(&p->conn, w->loop, fds[0], NULL, &peer_ops, p, opts));
}

/** @param opts  of both, but only the server throttles; NULL is all defaults */
static inline void open_wire(struct wire *w, const weir_tls_opts *server,
                             const weir_tls_opts *client, const weir_conn_opts *opts)
{
    weir_conn_opts own = opts ? *opts : (weir_conn_opts){0};
    w->loop = new_loop();
    w->server_tls = new_server(server);
    w->client_tls = new_client(client);
    own.tls = w->server_tls;
    open_end(w, &w->server, &own);
    own.tls = w->client_tls;
    own.tls_name = "localhost";
    own.throttle = false;
    open_end(w, &w->client, &own);
}

static inline bool is_up(const struct peer *p)
{
    return strncmp(p->calls, "up ", 3) == 0;
}

static inline void open_up(struct wire *w, const weir_conn_opts *opts)
{
    open_wire(w, NULL, NULL, opts);
    carry_until(w, is_up(&w->client) && is_up(&w->server));
}

static inline void close_wire(struct wire *w)
{
    if (w->client.conn)
        weir_conn_abort(w->client.conn, WEIR_OK);
    if (w->server.conn)
        weir_conn_abort(w->server.conn, WEIR_OK);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_loop_run_once(w->loop, 0));
    weir_loop_free(w->loop);
    weir_tls_unref(w->server_tls);
    weir_tls_unref(w->client_tls);
    close(w->client.fd);
    close(w->server.fd);
}

/* What peers do */

static inline void echo(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
}

struct heard {
    char text[256];
    size_t len; /* all that came, also what has no room in `text` */
};

static inline void hear_all(struct peer *p, const char *call)
{
    struct heard *heard = p->user;
    if (strcmp(call, "message") != 0)
        return;
    size_t len = weir_buf_len(p->in);
    if (heard->len + len < sizeof heard->text)
        weir_buf_peek(p->in, heard->text + heard->len, len);
    heard->len += len;
    weir_buf_clear(p->in);
    p->calls[0] = '\0';
}

static const char block[64 * 1024];

#endif
