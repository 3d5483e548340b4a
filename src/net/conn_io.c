/* Bytes between a connection's buffers and the kernel. */
#include "conn_impl.h"
#include "conn_tls.h"
#include "loop_impl.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    IOV_PER_CALL = 256,
    DISCARD_READS = 16,
    READ_SHORT = 16000 /* fits a block */
};

static weir_err socket_error(void)
{
    return errno == EPIPE ? WEIR_ECONNRESET : weir_err_from_errno(errno);
}

void weir__conn_rewatch(weir_conn *conn, unsigned events)
{
    if (conn->ended)
        return;
    weir_err err = weir_watcher_want(&conn->watcher, events);
    if (err)
        weir__conn_end(conn, err);
}

/* In */

/** Gives the owner the message that was found, without copying it. */
static weir_err deliver_message(weir_conn *conn, const weir_codec_message *found)
{
    weir_buf message;
    weir_buf_init(&message, conn->in.pool);
    weir_buf_retrieve(&conn->in, found->skip);
    weir_err err = weir_buf_move_len(&message, &conn->in, found->len);
    weir_buf_retrieve(&conn->in, found->total - found->skip - found->len);
    if (!err)
        conn->ops->on_message(conn, &message, conn->user);
    weir_buf_clear(&message);
    return err;
}

static void deliver_messages(weir_conn *conn)
{
    weir_err err = WEIR_OK;
    while (!err && !conn->ended && !conn->paused && !conn->close_asked) {
        weir_codec_message found;
        err = weir_codec_next(&conn->codec, &conn->found, &conn->in, &found);
        if (!err)
            err = deliver_message(conn, &found);
    }
    if (err == WEIR_OK || err == WEIR_EAGAIN)
        return;
    char text[WEIR_ADDR_TEXT_MAX];
    WEIR_LOG_WARN("%s: closing: the next message: %s", weir_conn_peer_text(conn, text),
                  weir_err_text(err));
    conn->why = err;
    weir_conn_close(conn);
}

static void deliver(weir_conn *conn)
{
    if (conn->close_asked || !conn->ops->on_message)
        weir_buf_clear(&conn->in);
    else if (conn->codec.kind != WEIR_CODEC_NONE)
        deliver_messages(conn);
    else
        conn->ops->on_message(conn, &conn->in, conn->user);
}

static void peer_ended(weir_conn *conn)
{
    conn->read_ended = true;
    weir__conn_watch(conn);
    if (conn->lingering)
        weir__conn_end(conn, WEIR_OK);
    if (conn->ended || conn->close_asked)
        return;
    if (conn->ops->on_eof)
        conn->ops->on_eof(conn, conn->user);
    else
        weir_conn_close(conn);
    if (!conn->ended && conn->write_ended)
        weir__conn_end(conn, WEIR_OK);
}

/** Into one block. @param full  whether there may be more */
static ssize_t read_short(weir_conn *conn, bool *full)
{
    size_t limit = conn->read_max < READ_SHORT ? conn->read_max : READ_SHORT;
    void *room = weir_buf_reserve(&conn->in, limit);
    if (!room) {
        errno = ENOMEM;
        return -1;
    }
    ssize_t n = read(conn->watcher.fd, room, limit);
    *full = n > 0 && (size_t)n == limit;
    if (n > 0)
        weir_buf_commit(&conn->in, (size_t)n);
    else if (weir_buf_len(&conn->in) == 0)
        weir_buf_clear(&conn->in);
    else
        weir_buf_shrink(&conn->in);
    return n;
}

/** After a full read the next one may be as long as read_max. */
static ssize_t read_in(weir_conn *conn)
{
    bool full = false;
    ssize_t n = conn->read_long ? weir_buf_readv(&conn->in, conn->watcher.fd, conn->read_max, &full)
                                : read_short(conn, &full);
    conn->read_long = n >= READ_SHORT;
    /* Less than there was room for is all there is, unless the end of the stream is behind it. */
    conn->readable = n > 0 && (full || conn->hangup);
    return n;
}

/** The end may stand behind bytes whose owner has paused; a failure does not wait. */
static void read_sealed(weir_conn *conn)
{
    size_t before = weir_buf_len(&conn->in);
    weir_err err = weir__conn_tls_read(conn);
    if (weir_buf_len(&conn->in) > before) {
        deliver(conn);
        weir_buf_shrink(&conn->in);
    }
    if (conn->ended)
        return;
    if (err == WEIR_ECLOSED && weir__conn_reads(conn))
        peer_ended(conn);
    else if (err != WEIR_EAGAIN && err != WEIR_ECLOSED)
        weir__conn_tls_fail(conn, err);
    weir__conn_read_on(conn);
}

static void read_some(weir_conn *conn)
{
    if (conn->tls && !conn->close_asked) { /* after that nobody wants to know what it is */
        read_sealed(conn);
        return;
    }
    ssize_t n = read_in(conn);
    if (n > 0) {
        if (!conn->close_asked)
            weir__conn_touch(conn);
        deliver(conn);
        weir_buf_shrink(&conn->in); /* half a message may wait for long */
        weir__conn_read_on(conn);
    } else if (n == 0) {
        peer_ended(conn);
    } else if (errno == EINTR) {
        conn->readable = true;
        weir__conn_read_on(conn);
    } else if (errno != EAGAIN) {
        weir__conn_end(conn, socket_error());
    }
}

void weir__conn_read_on(weir_conn *conn)
{
    bool more = conn->watcher.edge && conn->readable;
    if (WEIR_UNLIKELY(conn->tls) && conn->tls->pending) {
        weir__conn_watch(conn);
        more = true;
    }
    if (more && !conn->ended && weir__conn_reads(conn))
        weir__watcher_again(&conn->watcher);
}

static bool has_input(const weir_conn *conn)
{
    if (WEIR_LIKELY(!conn->tls))
        return conn->readable;
    return !conn->ended && !conn->handshaking && (conn->readable || conn->tls->pending);
}

/** What the connection's own bytes have caused leaves at once, while its socket is in the cache. If
 * others had asked for a flush before, or do later, that waits for the end of the turn. */
void weir__conn_ready(weir_watcher *watcher, unsigned events, void *user)
{
    weir_conn *conn = user;
    bool alone = !weir_list_linked(&conn->turn.node);
    if (events & WEIR_WRITABLE && conn->blocked) {
        conn->blocked = false;
        conn->unblocked = true;
        weir_loop_defer(watcher->loop, &conn->turn);
    }
    conn->hangup |= (events & WEIR__HANGUP) != 0;
    conn->readable |= (events & (WEIR_READABLE | WEIR__HANGUP)) != 0;
    if (WEIR_UNLIKELY(conn->handshaking))
        weir__conn_tls_handshake(conn);
    if (has_input(conn) && weir__conn_reads(conn))
        read_some(conn);
    if (alone && weir_list_linked(&conn->turn.node))
        weir__conn_turn_now(conn);
}

/* Out */

static ssize_t send_pieces(int fd, const weir_buf *out, size_t *offered)
{
    struct iovec iov[IOV_PER_CALL];
    int count = weir_buf_iov(out, iov, IOV_PER_CALL);
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};
    *offered = 0;
    for (int i = 0; i < count; i++)
        *offered += iov[i].iov_len;
    return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/** One system call. @param offered  bytes that the kernel could have taken */
static ssize_t send_once(int fd, const weir_buf *out, size_t *offered)
{
    weir_str front = weir_buf_front(out);
    if (front.len < weir_buf_len(out))
        return send_pieces(fd, out, offered);
    *offered = front.len;
    return send(fd, front.ptr, front.len, MSG_NOSIGNAL);
}

/** One system call, but for output of more pieces than one takes. @return false: not all is gone */
static bool write_bytes(weir_conn *conn, weir_buf *out)
{
    while (weir_buf_len(out) > 0) {
        size_t offered;
        ssize_t n = send_once(conn->watcher.fd, out, &offered);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            weir__conn_end(conn, socket_error());
            return false;
        }
        if (n > 0) {
            conn->written |= !conn->tls;
            weir__conn_touch(conn);
            weir_buf_retrieve(out, (size_t)n);
        }
        if (n < 0 || (size_t)n < offered) {
            conn->blocked = true;
            return false;
        }
    }
    return true;
}

/** The same for what is sealed, as much at a time as a system call may take. */
static bool write_sealed(weir_conn *conn)
{
    weir_buf *sealed = &conn->tls->sealed;
    do {
        if (!conn->handshaking && !weir__conn_tls_seal(conn))
            return false;
        if (!write_bytes(conn, sealed))
            return false;
    } while (!conn->handshaking && weir_buf_len(&conn->out) > 0);
    return true;
}

static bool write_out(weir_conn *conn)
{
    return WEIR_LIKELY(!conn->tls) ? write_bytes(conn, &conn->out) : write_sealed(conn);
}

/** Tells the owner, and the other threads, how full the output is. */
static void report_level(weir_conn *conn)
{
    size_t unsent = weir__conn_unsent(conn);
    bool refused = weir__conn_publish_changes(conn);
    if (!conn->over_high && unsent > conn->high_water) {
        conn->over_high = true;
        if (conn->ops->on_high_water)
            conn->ops->on_high_water(conn, unsent, conn->user);
    } else if (unsent <= conn->high_water / 2 && (conn->over_high || refused)) {
        conn->over_high = false;
        weir__conn_read_on(conn);
        if (conn->ops->on_low_water)
            conn->ops->on_low_water(conn, conn->user);
    }
}

/** Input that came meanwhile is read, for a close with unread input would reset the connection and
 * could take our last bytes away from the peer. @return whether the peer's direction has ended */
static bool discard_input(weir_conn *conn)
{
    char scrap[4096];
    ssize_t n = 1;
    for (int i = 0; i < DISCARD_READS && n > 0 && !conn->read_ended; i++)
        n = recv(conn->watcher.fd, scrap, sizeof scrap, MSG_DONTWAIT);
    return conn->read_ended || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void close_gently(weir_conn *conn)
{
    if (conn->lingering)
        return;
    if (!conn->write_ended)
        (void)shutdown(conn->watcher.fd, SHUT_WR);
    conn->write_ended = true;
    if (discard_input(conn) || conn->linger_ms == 0)
        weir__conn_end(conn, WEIR_OK);
    else
        weir__conn_start_linger(conn);
}

/** All output is gone. */
static void after_flush(weir_conn *conn)
{
    if (conn->tls && (conn->close_asked || conn->shutdown_asked) &&
        weir__conn_tls_end_output(conn) && !write_out(conn))
        return; /* it comes here again */
    if (conn->close_asked) {
        close_gently(conn);
    } else if (conn->shutdown_asked && !conn->write_ended) {
        conn->write_ended = true;
        if (shutdown(conn->watcher.fd, SHUT_WR) != 0 && errno != ENOTCONN)
            weir__conn_end(conn, socket_error());
        else if (conn->read_ended)
            weir__conn_end(conn, WEIR_OK);
    }
}

/** @return whether all output is gone */
static bool flush(weir_conn *conn)
{
    /* What the kernel refused before goes first: on_flush is for an empty output or a new turn. */
    if (conn->unblocked) {
        conn->unblocked = false;
        if (!write_out(conn))
            return false;
    }
    if (conn->flush_asked) {
        conn->flush_asked = false;
        if (conn->ops->on_flush)
            conn->ops->on_flush(conn, &conn->out, conn->user);
    }
    return !conn->ended && write_out(conn);
}

void weir__conn_turn(weir_conn *conn)
{
    if (conn->handshaking) { /* the owner does not know of it yet */
        conn->unblocked = false;
        if (!conn->blocked)
            (void)write_out(conn);
        weir__conn_watch(conn);
        return;
    }
    if (conn->message_asked && !conn->paused) {
        conn->message_asked = false;
        deliver(conn);
    }
    bool flushed = !conn->blocked && !conn->ended && flush(conn);
    if (!conn->ended)
        report_level(conn);
    weir__conn_watch(conn);
    if (flushed && conn->written && !conn->ended) {
        conn->written = false;
        if (conn->ops->on_written)
            conn->ops->on_written(conn, conn->user);
    }
    if (flushed && !conn->ended && weir__conn_unsent(conn) == 0 && !conn->flush_asked)
        after_flush(conn);
}
