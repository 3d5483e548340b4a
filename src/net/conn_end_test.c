/* The many ways in which a connection ends. */
#include "conn_test.h"

#include <fcntl.h>

static const char block[64 * 1024];

static const weir_conn_ops no_eof_ops = {
    .on_up = peer_up, .on_message = peer_message, .on_written = peer_written, .on_down = peer_down};

/* The peer ends first */

TEST(conn_end, without_on_eof_the_peers_end_closes_it)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &no_eof_ops, NULL);
    peer_says(&p, "bye");
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_OK);
    assert_string_equal(p.calls, "up message down ");
    assert_true(sees_end(p.fd));
    close_peer(&p);
}

static void answer_at_eof(struct peer *p, const char *call)
{
    if (strcmp(call, "eof") == 0)
        assert_ok(weir_conn_send(p->conn, "still here", 10));
}

TEST(conn_end, a_half_closed_peer_still_gets_our_bytes)
{
    struct peer p = {.hook = answer_at_eof};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    peer_hears(&p, "still here");
    assert_int_equal(weir_conn_get_state(p.conn), WEIR_CONN_DISCONNECTING);
    assert_ok(weir_conn_send(p.conn, "and here", 8));
    peer_hears(&p, "and here");
    weir_conn_shutdown(p.conn);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_OK);
    close_peer(&p);
}

TEST(conn_end, a_peer_that_is_gone_ends_the_writing)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_conn_pause(p.conn);
    close(p.fd);
    p.fd = -1;
    assert_ok(weir_conn_send(p.conn, "x", 1));
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ECONNRESET);
    close_peer(&p);
}

TEST(conn_end, a_reset_while_output_waits_is_told)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    while (weir_conn_unsent(p.conn) == 0) {
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    close(p.fd); /* with unread bytes */
    p.fd = -1;
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ECONNRESET);
    close_peer(&p);
}

/* We end first */

TEST(conn_end, shutdown_flushes_ends_our_direction_and_goes_on_reading)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_ok(weir_conn_send(p.conn, "last", 4));
    weir_conn_shutdown(p.conn);
    weir_conn_shutdown(p.conn);
    assert_err(weir_conn_send(p.conn, "x", 1), WEIR_ECLOSED);
    peer_hears(&p, "last");
    assert_int_equal(recv(p.fd, (char[1]){0}, 1, 0), 0);
    peer_says(&p, "heard");
    run_until(p.loop, strstr(p.calls, "message"));
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_OK);
    assert_string_equal(p.calls, "up written message eof down ");
    close_peer(&p);
}

TEST(conn_end, close_waits_until_everything_is_sent)
{
    enum {
        BLOCKS = 50
    };
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    for (int i = 0; i < BLOCKS; i++)
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
    weir_conn_close(p.conn);
    weir_conn_close(p.conn);
    assert_int_equal(weir_conn_get_state(p.conn), WEIR_CONN_DISCONNECTING);
    assert_err(weir_conn_send(p.conn, "x", 1), WEIR_ECLOSED);
    peer_says(&p, "thrown away");
    assert_int_equal(peer_drains(&p), BLOCKS * sizeof block);
    assert_null(p.conn);
    assert_err(p.why, WEIR_OK);
    assert_null(strstr(p.calls, "message"));
    close_peer(&p);
}

TEST(conn_end, abort_drops_what_is_left_and_keeps_the_first_reason)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_ok(weir_conn_send(p.conn, "never", 5));
    weir_conn_abort(p.conn, WEIR_EPROTO);
    weir_conn_abort(p.conn, WEIR_EIO);
    weir_conn_close(p.conn);
    assert_non_null(p.conn);
    assert_int_equal(weir_conn_get_state(p.conn), WEIR_CONN_DISCONNECTED);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_EPROTO);
    assert_string_equal(p.calls, "up down ");
    assert_int_equal(recv(p.fd, (char[1]){0}, 1, 0), 0);
    close_peer(&p);
}

TEST(conn_end, a_silent_peer_is_dropped_and_a_talking_one_is_not)
{
    struct peer silent = {0};
    weir_time begin = weir_time_now(), said = begin;
    open_peer(&silent, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.idle_us = 50000});
    for (int i = 0; i < 3; i++) {
        weir_time next = weir_time_add(begin, 25000 * (i + 1));
        run_until(silent.loop, !weir_time_before(weir_time_now(), next));
        if (silent.conn) {
            said = weir_time_now();
            peer_says(&silent, "x");
        }
    }
    run_until(silent.loop, !silent.conn);
    assert_err(silent.why, WEIR_ETIMEDOUT);
    assert_true(weir_time_diff(weir_time_now(), said) >= 50000);
    close_peer(&silent);
}

/* In every callback */

static const char *where;

static void close_there(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
    if (strcmp(call, where) == 0)
        weir_conn_close(p->conn);
}

static void abort_there(struct peer *p, const char *call)
{
    if (strcmp(call, where) == 0)
        weir_conn_abort(p->conn, WEIR_EPROTO);
    if (strcmp(call, "message") == 0 && strcmp(where, "message") != 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
}

/** Takes what has arrived. @return whether the connection has gone */
static bool read_and_see_gone(struct peer *p)
{
    static char scrap[sizeof block];
    while (recv(p->fd, scrap, sizeof scrap, 0) > 0)
        ;
    return !p->conn;
}

/** Makes every callback come, until the connection has gone. */
static void provoke(struct peer *p)
{
    open_peer(p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.high_water = 1000});
    (void)send(p->fd, "hello", 5, MSG_NOSIGNAL);
    for (int i = 0; i < 100 && p->conn; i++) {
        weir_err err = weir_conn_send(p->conn, block, sizeof block);
        assert_true(!err || err == WEIR_ECLOSED);
        weir_conn_schedule(p->conn);
        assert_ok(weir_loop_run_once(p->loop, 0));
    }
    shutdown(p->fd, SHUT_WR);
    run_until(p->loop, read_and_see_gone(p) || strstr(p->calls, "low"));
    if (p->conn)
        weir_conn_close(p->conn);
    run_until(p->loop, read_and_see_gone(p));
    assert_non_null(strstr(p->calls, where));
    close_peer(p);
}

TEST(conn_end, it_may_be_closed_or_aborted_in_every_callback)
{
    static const char *const callbacks[] = {"up",      "message", "eof", "flush",
                                            "written", "high",    "low", "down"};
    int before = open_fds();
    for (size_t i = 0; i < sizeof callbacks / sizeof callbacks[0]; i++) {
        where = callbacks[i];
        struct peer closing = {.hook = close_there}, aborting = {.hook = abort_there};
        provoke(&closing);
        provoke(&aborting);
    }
    assert_int_equal(open_fds(), before);
}

TEST(conn_end, a_connection_that_cannot_be_opened_closes_its_descriptor)
{
    weir_loop *loop = new_loop();
    weir_conn *conn = NULL;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), before = open_fds();
    struct peer p = {0};
    assert_err(weir_conn_open_take(&conn, loop, fd, NULL, &peer_ops, &p, NULL), WEIR_EINVAL);
    assert_null(conn);
    assert_string_equal(p.calls, "");
    assert_int_equal(open_fds(), before - 1);
    weir_loop_free(loop);
}

/* Without end */

TEST(conn_end, a_peer_that_never_reads_cannot_keep_a_closing_connection)
{
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops,
              &(weir_conn_opts){.close_us = 20000, .idle_us = WEIR_SECONDS(100)});
    while (weir_conn_unsent(p.conn) == 0) {
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    weir_conn_close(p.conn);
    while (p.conn) { /* it talks all the time */
        (void)!send(p.fd, "still here", 10, MSG_NOSIGNAL | MSG_DONTWAIT);
        assert_ok(weir_loop_run_once(p.loop, 1000));
    }
    assert_err(p.why, WEIR_ETIMEDOUT);
    close_peer(&p);
}

TEST(conn_end, one_that_reads_slowly_but_reads_gets_everything)
{
    enum {
        MUCH = 4 << 20,
        PIECE = 256 << 10
    };
    static char scrap[PIECE];
    struct peer p = {0};
    size_t got = 0;
    open_peer(&p, SOCK_STREAM, &peer_ops, &(weir_conn_opts){.close_us = WEIR_SECONDS(1)});
    for (int i = 0; i < MUCH / (int)sizeof block; i++)
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
    weir_conn_close(p.conn);
    weir_time begin = weir_time_now(), next = begin;
    while (p.conn) { /* a piece each 80 ms, which takes longer than the limit */
        assert_ok(weir_loop_run_once(p.loop, 1000));
        if (weir_time_before(weir_time_now(), next))
            continue;
        next = weir_time_add(next, 80000);
        ssize_t n = recv(p.fd, scrap, sizeof scrap, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    assert_true(weir_time_diff(weir_time_now(), begin) > WEIR_SECONDS(1));
    assert_err(p.why, WEIR_OK);
    for (ssize_t n; (n = recv(p.fd, scrap, sizeof scrap, 0)) > 0;)
        got += (size_t)n;
    assert_int_equal(got, MUCH);
    close_peer(&p);
}

TEST(conn_end, a_loop_that_ends_takes_its_connections_with_it)
{
    int before = open_fds();
    struct peer p = {0};
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    assert_ok(weir_conn_send(p.conn, "x", 1));
    weir_loop_free(p.loop);
    assert_null(p.conn);
    assert_err(p.why, WEIR_ECANCELED);
    close(p.fd);
    assert_int_equal(open_fds(), before);
}

static weir_task last_task;
static weir_err last_err;

static void run_last(weir_task *task, weir_err err)
{
    assert_ptr_equal(task, &last_task);
    last_err = err;
}

static void post_last(struct peer *p, const char *call)
{
    if (strcmp(call, "down") == 0)
        weir_loop_post(p->loop, &last_task, run_last);
}

TEST(conn_end, what_the_end_of_a_loops_connection_posts_is_told_too)
{
    struct peer p = {.hook = post_last};
    last_err = WEIR_OK;
    open_peer(&p, SOCK_STREAM, &peer_ops, NULL);
    weir_loop_free(p.loop);
    assert_err(last_err, WEIR_ECANCELED);
    close(p.fd);
}
