/* Connections over TCP, where a socket pair does not behave as the network does. */
#include "conn_test.h"

#include <netinet/in.h>
#include <pthread.h>
#include <weir/net/tcp_server.h>

static const char block[64 * 1024];

/** A connection whose other end is a TCP socket of the test. */
static void open_tcp_peer(struct peer *p, const weir_conn_ops *ops, const weir_conn_opts *opts)
{
    weir_addr addr = address("127.0.0.1:0");
    struct sockaddr *sa = (struct sockaddr *)&addr.storage;
    weir_conn *conn;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, sa, addr.len), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, sa, &addr.len), 0);
    p->fd = connect_to(&addr);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(listening);
    assert_true(fd >= 0);
    p->loop = new_loop();
    assert_ok(weir_conn_open_take(&conn, p->loop, fd, NULL, ops, p, opts));
}

static void reset(struct peer *p)
{
    struct linger at_once = {.l_onoff = 1};
    assert_int_equal(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(p->fd);
    p->fd = -1;
}

/* Addresses */

TEST(conn_tcp, it_knows_its_peer)
{
    struct peer p = {0};
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    char text[WEIR_ADDR_TEXT_MAX], expected[WEIR_ADDR_TEXT_MAX];
    open_tcp_peer(&p, &peer_ops, NULL);
    assert_int_equal(getsockname(p.fd, (struct sockaddr *)&sin, &len), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(sin.sin_port));
    assert_string_equal(weir_conn_peer_text(p.conn, text), expected);
    close_peer(&p);
}

/* Resets */

TEST(conn_tcp, a_reset_while_nothing_happens_is_told)
{
    struct peer p = {0};
    open_tcp_peer(&p, &peer_ops, NULL);
    settle(p.loop);
    reset(&p);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ECONNRESET);
    close_peer(&p);
}

TEST(conn_tcp, a_reset_during_a_write_is_told_once)
{
    struct peer p = {0};
    open_tcp_peer(&p, &peer_ops, NULL);
    while (weir_conn_unsent(p.conn) == 0) {
        assert_ok(weir_conn_send(p.conn, block, sizeof block));
        assert_ok(weir_loop_run_once(p.loop, 0));
    }
    reset(&p);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ECONNRESET);
    close_peer(&p);
}

TEST(conn_tcp, a_reset_of_a_paused_one_shows_when_it_goes_on)
{
    struct peer p = {0};
    open_tcp_peer(&p, &peer_ops, NULL);
    weir_conn_pause(p.conn);
    settle(p.loop);
    reset(&p);
    settle(p.loop);
    assert_non_null(p.conn);
    weir_conn_resume(p.conn);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ECONNRESET);
    close_peer(&p);
}

/* The end behind the last bytes: an edge-triggered poller tells of both at once. */

static void take_all(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        weir_buf_clear(p->in);
}

TEST(conn_tcp, bytes_and_the_end_that_arrive_together_are_both_seen)
{
    struct peer p = {.hook = take_all};
    open_tcp_peer(&p, &peer_ops, NULL);
    settle(p.loop);
    peer_says(&p, "last words");
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    run_until(p.loop, strstr(p.calls, "eof"));
    assert_string_equal(p.calls, "up message eof ");
    close_peer(&p);
}

TEST(conn_tcp, the_end_that_arrives_while_paused_is_seen_afterwards)
{
    struct peer p = {.hook = take_all};
    open_tcp_peer(&p, &peer_ops, NULL);
    weir_conn_pause(p.conn);
    peer_says(&p, "last words");
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    settle(p.loop);
    assert_string_equal(p.calls, "up ");
    weir_conn_resume(p.conn);
    run_until(p.loop, strstr(p.calls, "eof"));
    assert_string_equal(p.calls, "up message eof ");
    close_peer(&p);
}

/* Lingering */

enum {
    LATE = 1 << 20
};

/** Sends more than the socket takes before it reads what we said. @return whether it could read it
 */
static void *talk_on(void *user)
{
    struct peer *p = user;
    char last[5] = "";
    for (size_t sent = 0; sent < LATE; sent += sizeof block)
        if (send(p->fd, block, sizeof block, MSG_NOSIGNAL) < 0)
            return NULL;
    return recv(p->fd, last, sizeof last, MSG_WAITALL) == 5 && memcmp(last, "enough", 5) == 0
               ? p
               : NULL;
}

TEST(conn_tcp, one_that_lingers_reads_on_so_that_its_last_bytes_arrive)
{
    struct peer p = {0};
    pthread_t talker;
    void *heard;
    open_tcp_peer(&p, &peer_ops, &(weir_conn_opts){.linger_us = WEIR_SECONDS(10)});
    assert_ok(weir_conn_send(p.conn, "enough", 6));
    weir_conn_close(p.conn);
    assert_int_equal(pthread_create(&talker, NULL, talk_on, &p), 0);
    run_until(p.loop, !p.conn || pthread_tryjoin_np(talker, &heard) == 0);
    assert_non_null(p.conn);
    assert_non_null(heard);
    assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_OK);
    assert_null(strstr(p.calls, "message"));
    close_peer(&p);
}

TEST(conn_tcp, lingering_has_its_time)
{
    struct peer p = {0};
    open_tcp_peer(&p, &peer_ops, &(weir_conn_opts){.linger_us = 20000});
    weir_time begin = weir_time_now();
    weir_conn_close(p.conn);
    run_until(p.loop, !p.conn);
    assert_true(weir_time_diff(weir_time_now(), begin) >= 20000);
    assert_err(p.why, WEIR_OK);
    close_peer(&p);
}

/* Much through little memory */

#define GIBIBYTE ((uint64_t)1 << 30)

struct flood {
    struct peer peer;
    uint64_t queued;
    size_t most_unsent;
};

/** A word at the place `at` of the stream. */
static uint64_t word_at(uint64_t at)
{
    return at * UINT64_C(0x9e3779b97f4a7c15);
}

static void pour(struct peer *p, const char *call WEIR_UNUSED)
{
    struct flood *f = WEIR_CONTAINER_OF(p, struct flood, peer);
    uint64_t words[8192];
    while (p->conn && f->queued < GIBIBYTE && weir_conn_unsent(p->conn) < sizeof block) {
        for (size_t i = 0; i < 8192; i++)
            words[i] = word_at(f->queued / 8 + i);
        assert_ok(weir_conn_send(p->conn, words, sizeof words));
        f->queued += sizeof words;
    }
    if (p->conn && weir_conn_unsent(p->conn) > f->most_unsent)
        f->most_unsent = weir_conn_unsent(p->conn);
    p->calls[0] = '\0';
}

/** @return the first wrong place of the stream, or its length */
static void *read_slowly(void *user)
{
    struct flood *f = user;
    static uint64_t words[4096];
    uint64_t *at = malloc(sizeof *at);
    size_t rest = 0;
    for (*at = 0; *at < GIBIBYTE / 8;) {
        ssize_t n = recv(f->peer.fd, (char *)words + rest, sizeof words - rest, 0);
        if (n <= 0)
            break;
        size_t have = rest + (size_t)n;
        for (size_t i = 0; i < have / 8; i++, ++*at)
            if (words[i] != word_at(*at))
                return at;
        rest = have % 8;
        memmove(words, (char *)words + have - rest, rest);
    }
    return at;
}

TEST(conn_tcp, a_gibibyte_goes_through_a_slow_reader_in_bounded_memory)
{
    struct flood f = {.peer.hook = pour};
    pthread_t reader;
    void *right = NULL;
    weir_pool_stats stats;
    open_tcp_peer(&f.peer, &peer_ops, NULL);
    assert_int_equal(pthread_create(&reader, NULL, read_slowly, &f), 0);
    while (pthread_tryjoin_np(reader, &right) != 0) {
        assert_ok(weir_loop_run_once(f.peer.loop, WEIR_MILLISECONDS(20)));
        weir_pool_get_stats(weir_loop_pool(f.peer.loop), &stats);
        assert_true(stats.used_bytes < 4 * sizeof block);
    }
    assert_int_equal(*(uint64_t *)right, GIBIBYTE / 8);
    assert_true(f.most_unsent <= 2 * sizeof block);
    free(right);
    f.peer.hook = NULL;
    close_peer(&f.peer);
}

/* Quiet connections */

TEST(conn_tcp, an_idle_timeout_is_not_touched_by_the_bytes_that_keep_it_away)
{
    struct peer p = {.hook = take_all};
    open_tcp_peer(&p, &peer_ops, &(weir_conn_opts){.idle_us = WEIR_SECONDS(100)});
    settle(p.loop);
    weir_loop_stats before, after;
    weir_loop_get_stats(p.loop, &before);
    for (int i = 0; i < 10000; i++) {
        p.calls[0] = '\0';
        peer_says(&p, "x");
        run_until(p.loop, strstr(p.calls, "message"));
    }
    weir_loop_get_stats(p.loop, &after);
    assert_int_equal(after.timers, before.timers);
    assert_int_equal(weir_loop_timers(p.loop)->pending, 1);
    close_peer(&p);
}
