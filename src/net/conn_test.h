/**
 * @file
 * A connection over a socket pair, whose other end is the test's, and a record of its callbacks.
 */
#ifndef WEIR_NET_CONN_TEST_H
#define WEIR_NET_CONN_TEST_H

#include "net_test.h"

#include <stdio.h>
#include <weir/net/conn.h>

struct peer {
    weir_loop *loop;
    weir_conn *conn; /* NULL after on_down */
    int fd;          /* the other end */
    char calls[512]; /* names of the callbacks that came, each with a space */
    weir_err why;
    void (*hook)(struct peer *peer, const char *call); /* in each callback; may be NULL */
    void *user;                                        /* the hook's */
    weir_buf *in;                                      /* in on_message */
    weir_buf *out;                                     /* in on_flush */
};

static inline void note_call(struct peer *p, const char *call)
{
    size_t len = strlen(p->calls);
    snprintf(p->calls + len, sizeof p->calls - len, "%s ", call);
    if (p->hook)
        p->hook(p, call);
}

static inline void peer_up(weir_conn *conn, void *user)
{
    ((struct peer *)user)->conn = conn;
    note_call(user, "up");
}

static inline void peer_message(weir_conn *conn WEIR_UNUSED, weir_buf *in, void *user)
{
    ((struct peer *)user)->in = in;
    note_call(user, "message");
}

static inline void peer_eof(weir_conn *conn WEIR_UNUSED, void *user)
{
    note_call(user, "eof");
}

static inline void peer_flush(weir_conn *conn WEIR_UNUSED, weir_buf *out, void *user)
{
    ((struct peer *)user)->out = out;
    note_call(user, "flush");
}

static inline void peer_written(weir_conn *conn WEIR_UNUSED, void *user)
{
    note_call(user, "written");
}

static inline void peer_high(weir_conn *conn WEIR_UNUSED, size_t unsent WEIR_UNUSED, void *user)
{
    note_call(user, "high");
}

static inline void peer_low(weir_conn *conn WEIR_UNUSED, void *user)
{
    note_call(user, "low");
}

static inline void peer_down(weir_conn *conn WEIR_UNUSED, weir_err why, void *user)
{
    struct peer *p = user;
    p->why = why;
    note_call(p, "down");
    p->conn = NULL;
}

static const weir_conn_ops peer_ops = {.on_up = peer_up,
                                       .on_message = peer_message,
                                       .on_eof = peer_eof,
                                       .on_flush = peer_flush,
                                       .on_written = peer_written,
                                       .on_high_water = peer_high,
                                       .on_low_water = peer_low,
                                       .on_down = peer_down};

/** @param type  SOCK_STREAM, or SOCK_SEQPACKET to see single writes */
static inline void open_peer(struct peer *p, int type, const weir_conn_ops *ops,
                             const weir_conn_opts *opts)
{
    int fds[2];
    weir_conn *conn;
    p->loop = new_loop();
    socket_pair(type, fds);
    p->fd = fds[1];
    assert_ok(weir_conn_open_take(&conn, p->loop, fds[0], NULL, ops, p, opts));
}

/** Ends the connection if the test has not. */
static inline void close_peer(struct peer *p)
{
    if (p->conn)
        weir_conn_abort(p->conn, WEIR_OK);
    run_until(p->loop, !p->conn);
    weir_loop_free(p->loop);
    close(p->fd);
}

static inline void peer_says(struct peer *p, const char *text)
{
    assert_int_equal(send(p->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/** Whether `text` has arrived: takes what is there. */
static inline bool hear(struct peer *p, char *got, size_t *len, const char *text)
{
    ssize_t n = recv(p->fd, got + *len, strlen(text) - *len, 0);
    *len += n > 0 ? (size_t)n : 0;
    return *len == strlen(text);
}

/** Turns the loop until so many bytes (at most 255) have come, and compares them. */
static inline void peer_hears(struct peer *p, const char *text)
{
    char got[256] = "";
    size_t len = 0;
    run_until(p->loop, hear(p, got, &len, text));
    assert_string_equal(got, text);
}

/** Everything up to the end of the stream, which must come. @return bytes */
static inline size_t peer_drains(struct peer *p)
{
    static char scrap[65536];
    size_t total = 0;
    for (ssize_t n = -1; n != 0;) {
        assert_ok(weir_loop_run_once(p->loop, 0));
        while ((n = recv(p->fd, scrap, sizeof scrap, 0)) > 0)
            total += (size_t)n;
        if (n < 0)
            assert_int_equal(errno, EAGAIN);
    }
    return total;
}

#endif
