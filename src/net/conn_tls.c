#include "conn_tls.h"

#include "loop_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HANDSHAKE_S = 10,
    HANDSHAKE_READ = 64 << 10, /* bytes at a time */
    SEAL_BYTES = 64 << 10,     /* for one system call */
    PIECE_MIN = 4096,          /* so many bytes are worth a record of their own */
    OPEN_ROOM = 16000,         /* bytes that one record gives, as a rule */
    DISCARD_READS = 4
};

/* The engine's socket */

/** One read gets what has come, as a rule; a second one would only say so. */
static ssize_t read_sealed(void *user, void *out, size_t len)
{
    weir_conn *conn = user;
    weir__conn_tls *tls = conn->tls;
    if (!conn->readable || tls->budget == 0)
        return -1;
    ssize_t n = recv(conn->watcher.fd, out, len, 0);
    if (n == 0)
        return 0;
    if (n > 0) {
        tls->budget -= (size_t)n < tls->budget ? (size_t)n : tls->budget;
        conn->readable = (size_t)n == len || conn->hangup;
        weir__conn_touch(conn);
        return n;
    }
    if (errno == EINTR)
        return -1; /* and still readable */
    conn->readable = false;
    if (errno != EAGAIN)
        tls->socket_err = weir_err_from_errno(errno);
    return -1;
}

static bool write_sealed(void *user, const void *bytes, size_t len)
{
    weir_conn *conn = user;
    return weir_buf_append(&conn->tls->sealed, bytes, len) == WEIR_OK;
}

static const weir__tls_io io = {read_sealed, write_sealed};

/* Making and ending */

weir_err weir__conn_tls_new(weir_conn *conn, const weir_conn_opts *opts)
{
    weir_pool *pool = weir_loop_pool(conn->watcher.loop);
    weir__conn_tls *tls = weir_pool_get(pool, sizeof *tls);
    if (!tls)
        return WEIR_ENOMEM;
    *tls = (weir__conn_tls){.server = weir__tls_is_server(opts->tls)};
    weir_buf_init(&tls->sealed, pool);
    weir_err err =
        weir__tls_engine_new(&tls->engine, opts->tls, opts->tls_name, opts->tls_alpn, &io, conn);
    if (err) {
        weir_pool_put(pool, tls, sizeof *tls);
        return err;
    }
    conn->tls = tls;
    conn->handshaking = true;
    return WEIR_OK;
}

void weir__conn_tls_free(weir_conn *conn)
{
    weir__conn_tls *tls = conn->tls;
    weir__tls_engine_free(tls->engine);
    weir_buf_clear(&tls->sealed);
    weir_tls_info_unref(tls->info);
    free(tls->why);
    weir_pool_put(weir_loop_pool(conn->watcher.loop), tls, sizeof *tls);
}

static weir_err explain(weir_conn *conn, weir_err err, const weir_why *why)
{
    weir__conn_tls *tls = conn->tls;
    if (!tls->why)
        tls->why = malloc(sizeof *tls->why);
    if (tls->why)
        *tls->why = *why;
    return err;
}

/** What OpenSSL wants the peer to know of a failure; nobody waits for it. */
static void send_last_words(weir_conn *conn)
{
    char scrap[4096];
    int fd = conn->watcher.fd;
    weir_str words = weir_buf_front(&conn->tls->sealed);
    if (conn->write_ended || words.len == 0 || send(fd, words.ptr, words.len, MSG_NOSIGNAL) < 0)
        return;
    /* Unread input would reset the connection, and the alert would be lost. */
    (void)shutdown(fd, SHUT_WR);
    for (int i = 0; i < DISCARD_READS && recv(fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0; i++)
        ;
}

static void log_failure(const weir_conn *conn, weir_err err)
{
    char peer[WEIR_ADDR_TEXT_MAX];
    if (err == WEIR_ECONNRESET)
        WEIR_LOG_DEBUG("%s: %s", weir_conn_peer_text(conn, peer), weir_conn_why(conn));
    else
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(1), "%s: no TLS connection: %s",
                       weir_conn_peer_text(conn, peer), weir_conn_why(conn));
}

void weir__conn_tls_fail(weir_conn *conn, weir_err err)
{
    if (conn->ended)
        return;
    if (!conn->why)
        conn->why = err;
    if (conn->handshaking && conn->tls->server)
        log_failure(conn, err);
    send_last_words(conn);
    weir__conn_end(conn, err);
}

/* The handshake */

static void on_limit(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir_conn *conn = user;
    weir_why why;
    weir_why_set(&why, WEIR_ETIMEDOUT, "the TLS handshake was not over in the time allowed");
    weir__conn_tls_fail(conn, explain(conn, WEIR_ETIMEDOUT, &why));
}

/** @errors WEIR_EAGAIN: it goes on */
static weir_err step(weir_conn *conn)
{
    weir__conn_tls *tls = conn->tls;
    weir_why why = {""};
    tls->budget = HANDSHAKE_READ;
    weir_err err = weir__tls_handshake(tls->engine, &why);
    if (err == WEIR_EAGAIN && tls->socket_err)
        err = weir_why_set(&why, tls->socket_err, "during the TLS handshake: %s",
                           weir_err_text(tls->socket_err));
    if (err && err != WEIR_EAGAIN)
        return explain(conn, err, &why);
    if (weir_buf_len(&tls->sealed) > 0)
        weir_loop_defer(conn->watcher.loop, &conn->turn);
    return err;
}

void weir__conn_tls_start(weir_conn *conn, int64_t limit_us)
{
    weir_loop_after(conn->watcher.loop, &conn->idle,
                    limit_us > 0 ? limit_us : WEIR_SECONDS(HANDSHAKE_S), on_limit, conn);
    weir_err err = conn->tls->server ? WEIR_EAGAIN : step(conn);
    if (err != WEIR_EAGAIN) /* without the peer it cannot be over */
        weir__conn_tls_fail(conn, err);
}

void weir__conn_tls_handshake(weir_conn *conn)
{
    weir_err err = step(conn);
    if (err == WEIR_EAGAIN) {
        weir__conn_read_on(conn);
        return;
    }
    if (err) {
        weir__conn_tls_fail(conn, err);
        return;
    }
    conn->handshaking = false;
    conn->tls->up = true;
    conn->tls->pending = true; /* the owner's first bytes may have come along */
    weir_loop_cancel(conn->watcher.loop, &conn->idle);
    weir__conn_start_idle(conn);
    weir_loop_defer(conn->watcher.loop, &conn->turn);
    if (conn->ops->on_up)
        conn->ops->on_up(conn, conn->user);
}

/* Bytes */

static weir_err open_record(weir_conn *conn, weir_why *why)
{
    size_t got = 0;
    void *room = weir_buf_reserve(&conn->in, OPEN_ROOM);
    if (!room)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    weir_err err = weir__tls_read(conn->tls->engine, room, OPEN_ROOM, &got, why);
    weir_buf_commit(&conn->in, err ? 0 : got);
    return err;
}

weir_err weir__conn_tls_read(weir_conn *conn)
{
    weir__conn_tls *tls = conn->tls;
    weir_why why = {""};
    weir_err err = WEIR_OK;
    tls->budget = conn->read_max;
    while (!err)
        err = open_record(conn, &why);
    if (err == WEIR_EAGAIN && tls->socket_err)
        err = weir_why_set(&why, tls->socket_err, "%s", weir_err_text(tls->socket_err));
    tls->pending = err == WEIR_ECLOSED;
    if (weir_buf_len(&tls->sealed) > 0)
        weir_loop_defer(conn->watcher.loop, &conn->turn);
    return err == WEIR_EAGAIN || err == WEIR_ECLOSED ? err : explain(conn, err, &why);
}

/** A long piece as it lies; short ones together. */
static weir_err seal_some(weir_conn *conn, weir_why *why)
{
    char together[WEIR__TLS_RECORD];
    weir_str piece = weir_buf_front(&conn->out);
    if (piece.len > WEIR__TLS_RECORD)
        piece.len = WEIR__TLS_RECORD;
    if (piece.len < PIECE_MIN && piece.len < weir_buf_len(&conn->out)) {
        size_t len = weir_buf_len(&conn->out);
        piece = weir_str_of(together, len < sizeof together ? len : sizeof together);
        weir_buf_peek(&conn->out, together, piece.len);
    }
    weir_err err = weir__tls_write(conn->tls->engine, piece.ptr, piece.len, why);
    if (!err)
        weir_buf_retrieve(&conn->out, piece.len);
    return err;
}

bool weir__conn_tls_seal(weir_conn *conn)
{
    weir_why why = {""};
    weir_err err = WEIR_OK;
    while (!err && weir_buf_len(&conn->out) > 0 && weir_buf_len(&conn->tls->sealed) < SEAL_BYTES) {
        err = seal_some(conn, &why);
        conn->written = true;
    }
    if (err)
        weir__conn_tls_fail(conn, explain(conn, err, &why));
    return !err;
}

bool weir__conn_tls_end_output(weir_conn *conn)
{
    weir__conn_tls *tls = conn->tls;
    if (tls->ended)
        return false;
    tls->ended = true;
    weir__tls_end(tls->engine);
    return weir_buf_len(&tls->sealed) > 0;
}

/* Looking at it */

const weir_tls_info *weir_conn_tls(weir_conn *conn)
{
    weir__conn_tls *tls = conn->tls;
    if (!tls || !tls->up)
        return NULL;
    if (!tls->info)
        tls->info = weir__tls_info_new(tls->engine);
    return tls->info;
}

const char *weir_conn_why(const weir_conn *conn)
{
    if (conn->tls && conn->tls->why && conn->why)
        return conn->tls->why->text;
    return weir_err_text(conn->why);
}
