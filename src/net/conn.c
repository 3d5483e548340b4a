#include "conn_impl.h"
#include "conn_tls.h"
#include "loop_impl.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    HIGH_WATER = 1 << 20,
    HIGH_WATER_MAX = 1 << 30,
    READ_MAX = 64 << 10,
    CLOSE_S = 60,
    PACK_MAX = 2048
};

/* With its slot an idle connection stays under half a kilobyte. */
_Static_assert(sizeof(weir_conn) <= 392, "idle connections cost memory");

/* Opening and ending */

static bool is_tcp(const weir_conn *conn)
{
    return conn->peer.sin6_family == AF_INET || conn->peer.sin6_family == AF_INET6;
}

static void set_options(const weir_conn *conn, const weir_conn_opts *opts)
{
    int on = 1, fd = conn->watcher.fd;
    if (!is_tcp(conn))
        return;
    /* Neither is worth losing the connection for. */
    if (!opts->delay)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!opts->no_keepalive)
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void check_idle(weir_timer *timer, void *user)
{
    weir_conn *conn = user;
    weir_loop *loop = conn->watcher.loop;
    int64_t left_us = conn->idle_us - weir_time_diff(weir_loop_now(loop), conn->active);
    if (left_us <= 0)
        weir__conn_end(conn, WEIR_ETIMEDOUT);
    else
        weir_loop_after(loop, timer, left_us, check_idle, conn);
}

static void linger_over(weir_timer *timer WEIR_UNUSED, void *user)
{
    weir__conn_end(user, WEIR_OK);
}

/** A peer that takes a little now and then may take its time; what it says does not count. */
static void check_close(weir_timer *timer, void *user)
{
    weir_conn *conn = user;
    weir_loop *loop = conn->watcher.loop;
    int64_t left_us =
        WEIR_MILLISECONDS(conn->close_ms) - weir_time_diff(weir_loop_now(loop), conn->active);
    if (left_us <= 0)
        weir__conn_end(conn, WEIR_ETIMEDOUT);
    else
        weir_loop_after(loop, timer, left_us, check_close, conn);
}

void weir__conn_start_idle(weir_conn *conn)
{
    if (conn->idle_us > 0)
        weir_loop_after(conn->watcher.loop, &conn->idle, conn->idle_us, check_idle, conn);
}

void weir__conn_start_linger(weir_conn *conn)
{
    conn->lingering = true;
    weir_loop_after(conn->watcher.loop, &conn->idle, WEIR_MILLISECONDS(conn->linger_ms),
                    linger_over, conn);
}

static void destroy(weir_conn *conn)
{
    weir_pool *pool = weir_loop_pool(conn->watcher.loop);
    weir_buf_clear(&conn->in);
    weir_buf_clear(&conn->out);
    if (conn->tls)
        weir__conn_tls_free(conn);
    close(conn->watcher.fd);
    weir_pool_put(pool, conn, sizeof *conn);
}

/** Of a connection that has never been up only a client is told. */
static void say_down(weir_conn *conn)
{
    weir__conn_group *group = conn->group;
    if (conn->tls && !conn->tls->up) {
        if (group && group->on_failed)
            group->on_failed(group, conn->why, weir_conn_why(conn));
        if (conn->tls->server || (group && group->on_failed))
            return;
    }
    if (conn->ops->on_down)
        conn->ops->on_down(conn, conn->why, conn->user);
}

static void finish(weir_conn *conn)
{
    weir__conn_group *group = conn->group;
    weir_addr peer = {.len = 0};
    if (group) /* of a unix socket it is a system call */
        peer = weir_conn_peer(conn);
    say_down(conn);
    weir_list_remove(&conn->node);
    weir_loop_undefer(conn->watcher.loop, &conn->turn);
    destroy(conn);
    if (group && group->on_left)
        group->on_left(group, &peer);
}

static void end_of_turn(weir_deferred *work)
{
    weir_conn *conn = WEIR_CONTAINER_OF(work, weir_conn, turn);
    if (conn->ended)
        finish(conn);
    else
        weir__conn_turn(conn);
}

void weir__conn_turn_now(weir_conn *conn)
{
    weir_list_remove(&conn->turn.node);
    end_of_turn(&conn->turn);
}

void weir__conn_end(weir_conn *conn, weir_err why)
{
    if (conn->ended)
        return;
    conn->ended = true;
    if (!conn->why) /* else a codec has found it already, and the answers were flushed */
        conn->why = why;
    weir_watcher_stop(&conn->watcher);
    weir_loop_cancel(conn->watcher.loop, &conn->idle);
    weir__conn_expel(conn);
    weir_loop_defer(conn->watcher.loop, &conn->turn);
}

/** Rounded up; 49 days at most. */
static uint32_t whole_ms(int64_t us)
{
    int64_t ms = us > 0 ? (us - 1) / 1000 + 1 : 0;
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void apply_opts(weir_conn *conn, const weir_conn_opts *opts)
{
    conn->codec = opts->codec;
    size_t high_water = opts->high_water ? opts->high_water : HIGH_WATER;
    size_t read_max = opts->read_max ? opts->read_max : READ_MAX;
    conn->high_water = (uint32_t)(high_water < HIGH_WATER_MAX ? high_water : HIGH_WATER_MAX);
    conn->read_max = (uint32_t)(read_max < HIGH_WATER_MAX ? read_max : HIGH_WATER_MAX);
    conn->idle_us = opts->idle_us;
    conn->linger_ms = whole_ms(opts->linger_us);
    conn->close_ms = opts->close_us > 0 ? whole_ms(opts->close_us) : CLOSE_S * 1000;
    conn->throttle = opts->throttle;
}

/** Of another family than these two nothing is kept. */
static void keep_peer(weir_conn *conn, const weir_addr *peer)
{
    sa_family_t family = peer->storage.ss_family;
    conn->peer.sin6_family = family;
    if (family == AF_INET || family == AF_INET6)
        memcpy(&conn->peer, &peer->storage, sizeof conn->peer);
}

static weir_addr ask_peer(int fd)
{
    weir_addr peer = {.len = sizeof peer.storage};
    if (getpeername(fd, (struct sockaddr *)&peer.storage, &peer.len) != 0)
        peer.len = 0;
    return peer;
}

static weir_conn *make(weir_loop *loop, int fd, const weir_addr *peer)
{
    weir_pool *pool = weir_loop_pool(loop);
    weir_conn *conn = weir_pool_get(pool, sizeof *conn);
    if (!conn)
        return NULL;
    memset(conn, 0, sizeof *conn);
    weir_buf_init(&conn->in, pool);
    weir_buf_init(&conn->out, pool);
    weir_watcher_init(&conn->watcher, loop, fd, weir__conn_ready, conn);
    conn->watcher.edge = weir__loop_has_edges(loop);
    conn->turn.fn = end_of_turn;
    if (peer) {
        keep_peer(conn, peer);
    } else {
        weir_addr asked = ask_peer(fd);
        keep_peer(conn, &asked);
    }
    return conn;
}

/** Everything that can fail. */
static weir_err enter_loop(weir_conn *conn)
{
    weir_err err = weir__conn_enrol(conn);
    if (err)
        return err;
    err = weir_watcher_want(&conn->watcher,
                            conn->watcher.edge ? WEIR_READABLE | WEIR_WRITABLE : WEIR_READABLE);
    if (err)
        weir__conn_expel(conn);
    return err;
}

/** The loop ends with connections in it that are in no group: a group's owner ends its own. */
static void end_all(weir_loop *loop)
{
    weir_list_each (node, next, &loop->conns)
        weir__conn_end(WEIR_CONTAINER_OF(node, weir_conn, node), WEIR_ECANCELED);
}

weir_err weir__conn_open_take(weir_conn **out, weir_loop *loop, int fd, const weir_addr *peer,
                              const weir_conn_ops *ops, void *user, const weir_conn_opts *opts,
                              weir__conn_group *group)
{
    static const weir_conn_opts defaults;
    weir__loop_assert(loop);
    weir_conn *conn = make(loop, fd, peer);
    if (!conn) {
        close(fd);
        return WEIR_ENOMEM;
    }
    opts = opts ? opts : &defaults;
    conn->ops = ops;
    conn->user = user;
    apply_opts(conn, opts);
    weir_err err = opts->tls ? weir__conn_tls_new(conn, opts) : WEIR_OK;
    if (!err)
        err = enter_loop(conn);
    if (err) {
        destroy(conn);
        return err;
    }
    set_options(conn, opts);
    conn->group = group;
    loop->end_conns = end_all;
    weir_list_append(group ? &group->conns : &loop->conns, &conn->node);
    conn->active = weir_time_now();
    *out = conn;
    if (conn->tls) {
        weir__conn_tls_start(conn, opts->tls_handshake_us);
        return WEIR_OK;
    }
    weir__conn_start_idle(conn);
    if (ops->on_up)
        ops->on_up(conn, user);
    return WEIR_OK;
}

weir_err weir_conn_open_take(weir_conn **out, weir_loop *loop, int fd, const weir_addr *peer,
                             const weir_conn_ops *ops, void *user, const weir_conn_opts *opts)
{
    return weir__conn_open_take(out, loop, fd, peer, ops, user, opts, NULL);
}

/* Reading */

weir_conn_id weir_conn_id_of(const weir_conn *conn)
{
    return conn->id;
}

weir_loop *weir_conn_loop(const weir_conn *conn)
{
    return conn->watcher.loop;
}

const weir_conn_ops *weir_conn_callbacks(const weir_conn *conn)
{
    return conn->ops;
}

int weir_conn_descriptor(const weir_conn *conn)
{
    return conn->watcher.fd;
}

weir_conn_state weir_conn_get_state(const weir_conn *conn)
{
    if (conn->ended)
        return WEIR_CONN_DISCONNECTED;
    if (conn->handshaking)
        return WEIR_CONN_CONNECTING;
    return conn->close_asked || conn->shutdown_asked || conn->read_ended ? WEIR_CONN_DISCONNECTING
                                                                         : WEIR_CONN_CONNECTED;
}

weir_addr weir_conn_peer(const weir_conn *conn)
{
    if (!is_tcp(conn))
        return ask_peer(conn->watcher.fd);
    weir_addr peer = {.len = conn->peer.sin6_family == AF_INET ? sizeof(struct sockaddr_in)
                                                               : sizeof(struct sockaddr_in6)};
    memcpy(&peer.storage, &conn->peer, sizeof conn->peer);
    return peer;
}

const char *weir_conn_peer_text(const weir_conn *conn, char out[WEIR_ADDR_TEXT_MAX])
{
    weir_addr peer = weir_conn_peer(conn);
    return weir_addr_text(&peer, out);
}

void weir_conn_set_data(weir_conn *conn, void *data)
{
    conn->data = data;
}

void *weir_conn_data(const weir_conn *conn)
{
    return conn->data;
}

size_t weir_conn_unsent(const weir_conn *conn)
{
    return weir__conn_unsent(conn);
}

/* Sending and closing: each notes what is wanted for the end of the turn */

static bool takes_output(const weir_conn *conn)
{
    return !conn->ended && !conn->close_asked && !conn->shutdown_asked;
}

static void ask(weir_conn *conn)
{
    weir_loop_defer(conn->watcher.loop, &conn->turn);
}

weir_err weir_conn_send(weir_conn *conn, const void *bytes, size_t len)
{
    weir__loop_assert(conn->watcher.loop);
    if (!takes_output(conn))
        return WEIR_ECLOSED;
    weir_err err = weir_buf_append(&conn->out, bytes, len);
    if (!err)
        ask(conn);
    return err;
}

weir_err weir_conn_send_message(weir_conn *conn, weir_str message)
{
    weir__loop_assert(conn->watcher.loop);
    if (!takes_output(conn))
        return WEIR_ECLOSED;
    weir_err err = weir_codec_append(&conn->codec, &conn->out, message);
    if (!err)
        ask(conn);
    return err;
}

/** Short messages that have to wait are copied together: each may lie in a large block. */
static weir_err pack(weir_buf *out, weir_buf *bytes)
{
    weir_str front = weir_buf_front(bytes);
    if (front.len > PACK_MAX || front.len < weir_buf_len(bytes))
        return WEIR_OK;
    weir_err err = weir_buf_append(out, front.ptr, front.len);
    if (!err)
        weir_buf_clear(bytes);
    return err;
}

weir_err weir_conn_send_buf(weir_conn *conn, weir_buf *bytes)
{
    weir__loop_assert(conn->watcher.loop);
    if (!takes_output(conn))
        return WEIR_ECLOSED;
    weir_err err = weir_buf_len(&conn->out) > 0 ? pack(&conn->out, bytes) : WEIR_OK;
    if (err)
        return err;
    weir_buf_move(&conn->out, bytes);
    ask(conn);
    return WEIR_OK;
}

void weir_conn_schedule(weir_conn *conn)
{
    if (!takes_output(conn))
        return;
    conn->flush_asked = true;
    ask(conn);
}

void weir_conn_pause(weir_conn *conn)
{
    weir__loop_assert(conn->watcher.loop);
    if (conn->ended || conn->close_asked)
        return;
    conn->paused = true;
    weir__conn_watch(conn);
}

void weir_conn_resume(weir_conn *conn)
{
    weir__loop_assert(conn->watcher.loop);
    if (conn->ended)
        return;
    conn->paused = false;
    conn->message_asked = weir_buf_len(&conn->in) > 0;
    weir__conn_watch(conn);
    weir__conn_read_on(conn);
    ask(conn);
}

void weir_conn_shutdown(weir_conn *conn)
{
    weir__loop_assert(conn->watcher.loop);
    if (!takes_output(conn))
        return;
    conn->shutdown_asked = true;
    ask(conn);
}

void weir_conn_close(weir_conn *conn)
{
    weir__loop_assert(conn->watcher.loop);
    if (conn->ended || conn->close_asked)
        return;
    if (conn->handshaking) { /* what waits cannot leave */
        weir__conn_end(conn, WEIR_OK);
        return;
    }
    conn->close_asked = true;
    conn->paused = false;
    weir__conn_touch(conn);
    weir_loop_after(conn->watcher.loop, &conn->idle, WEIR_MILLISECONDS(conn->close_ms), check_close,
                    conn);
    weir__conn_expel(conn);
    weir__conn_watch(conn);
    weir__conn_read_on(conn);
    ask(conn);
}

void weir_conn_abort(weir_conn *conn, weir_err why)
{
    weir__loop_assert(conn->watcher.loop);
    weir__conn_end(conn, why);
}
