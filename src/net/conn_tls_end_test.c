/* How connections with TLS end, and handshakes that fail. */
#include "conn_tls_test.h"

#include <weir/base/log.h>

static char said[200];

static void keep_why(struct peer *p, const char *call)
{
    if (strcmp(call, "down") == 0)
        snprintf(said, sizeof said, "%s", weir_conn_why(p->conn));
}

/* The end */

static void answer_at_eof(struct peer *p, const char *call)
{
    if (strcmp(call, "eof") != 0)
        return;
    assert_ok(weir_conn_send(p->conn, "still here", 10));
    weir_conn_shutdown(p->conn);
}

TEST(conn_tls_end, half_closed_by_close_notify_the_other_direction_goes_on)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard},
                     .server = {.hook = answer_at_eof}};
    open_up(&w, NULL);
    assert_ok(weir_conn_send(w.client.conn, "last", 4));
    weir_conn_shutdown(w.client.conn);
    carry_until(&w, !w.client.conn && !w.server.conn);
    assert_string_equal(heard.text, "still here");
    assert_string_equal(w.server.calls, "up message eof written down ");
    assert_string_equal(w.client.calls, "eof down ");
    assert_err(w.client.why, WEIR_OK);
    assert_err(w.server.why, WEIR_OK);
    close_wire(&w);
}

TEST(conn_tls_end, close_waits_until_everything_is_sent)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, NULL);
    for (int i = 0; i < 50; i++)
        assert_ok(weir_conn_send(w.server.conn, block, sizeof block));
    weir_conn_close(w.server.conn);
    carry_until(&w, heard.len == 50 * sizeof block && !w.server.conn);
    assert_err(w.server.why, WEIR_OK);
    carry_until(&w, strstr(w.client.calls, "eof")); /* and not a cut */
    close_wire(&w);
}

TEST(conn_tls_end, an_end_behind_a_pause_is_not_lost)
{
    struct wire w = {0};
    open_up(&w, NULL);
    weir_conn_pause(w.client.conn);
    assert_ok(weir_conn_send(w.server.conn, "bye", 3));
    weir_conn_close(w.server.conn);
    for (int i = 0; i < 10; i++)
        turn(&w);
    assert_string_equal(w.client.calls, "up ");
    weir_conn_resume(w.client.conn);
    carry_until(&w, strstr(w.client.calls, "message eof "));
    close_wire(&w);
}

static void pause_at_message(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        weir_conn_pause(p->conn);
}

TEST(conn_tls_end, an_end_behind_bytes_that_pause_the_owner_comes_after_the_pause)
{
    struct wire w = {.client = {.hook = pause_at_message}};
    open_up(&w, NULL);
    w.hold = true;
    assert_ok(weir_conn_send(w.server.conn, "bye", 3));
    weir_conn_close(w.server.conn);
    for (int i = 0; i < 5; i++)
        turn(&w);
    w.hold = false;
    carry_until(&w, strstr(w.client.calls, "message "));
    for (int i = 0; i < 5; i++)
        turn(&w);
    assert_string_equal(w.client.calls, "up message ");
    weir_buf_clear(w.client.in);
    weir_conn_resume(w.client.conn);
    carry_until(&w, strstr(w.client.calls, "eof "));
    close_wire(&w);
}

TEST(conn_tls_end, a_stream_that_is_cut_is_told)
{
    struct wire w = {0};
    open_up(&w, NULL);
    assert_int_equal(shutdown(w.client.fd, SHUT_WR), 0);
    carry_until(&w, !w.client.conn);
    assert_err(w.client.why, WEIR_ECONNRESET);
    assert_string_equal(w.client.calls, "up down ");
    close_wire(&w);
}

TEST(conn_tls_end, a_damaged_record_ends_it_and_both_are_told)
{
    struct wire w = {.client = {.hook = keep_why}};
    open_up(&w, NULL);
    for (int i = 0; i < 5; i++)
        turn(&w);
    static const char record[] = "\x17\x03\x03\x00\x15"
                                 "000000000000000000000";
    assert_int_equal(send(w.server.fd, record, sizeof record - 1, 0), sizeof record - 1);
    carry_until(&w, !w.client.conn && !w.server.conn);
    assert_err(w.server.why, WEIR_ETLS);
    assert_err(w.client.why, WEIR_ETLS);
    assert_string_equal(said, "the peer says: bad record mac (alert 20)");
    close_wire(&w);
}

/* Handshakes that fail */

/** A connection to the test itself. */
static void open_alone(struct peer *p, weir_tls *tls, int64_t limit_us)
{
    struct wire w = {.loop = new_loop()};
    open_end(&w, p,
             &(weir_conn_opts){.tls = tls, .tls_name = "localhost", .tls_handshake_us = limit_us});
}

TEST(conn_tls_end, a_client_that_does_not_trust_the_server_gets_on_down_only)
{
    struct wire w = {.client = {.hook = keep_why}};
    open_wire(&w, NULL, &(weir_tls_opts){.ca_file = CERT("other-ca")}, NULL);
    carry_until(&w, !w.client.conn);
    assert_string_equal(w.client.calls, "down ");
    assert_err(w.client.why, WEIR_ECERT);
    assert_non_null(strstr(said, "issued by nobody whom we trust"));
    while (recv(w.server.fd, said, sizeof said, 0) > 0 || errno == EAGAIN) {
        turn(&w);
    }
    assert_string_equal(w.server.calls, "");
    w.server.conn = NULL;
    close_wire(&w);
}

TEST(conn_tls_end, a_client_whose_certificate_is_missing_is_told_after_on_up)
{
    struct wire w = {.client = {.hook = keep_why}};
    weir_tls_opts asking = {
        .cert_file = CERT("server"), .key_file = KEY("server"), .client_ca_file = CERT("ca")};
    open_wire(&w, &asking, NULL, NULL);
    carry_until(&w, strstr(w.client.calls, "down"));
    assert_string_equal(w.client.calls, "up down ");
    assert_err(w.client.why, WEIR_ECERT);
    assert_non_null(strstr(said, "it demands a certificate of ours"));
    assert_string_equal(w.server.calls, "");
    w.server.conn = NULL;
    close_wire(&w);
}

static char logged[4096];
static size_t logged_len;

static void keep_log(const char *lines, size_t len, void *user WEIR_UNUSED)
{
    if (logged_len + len < sizeof logged)
        memcpy(logged + logged_len, lines, len);
    logged_len += len;
}

/** `bytes` come instead of a handshake; nobody but the log and the peer hears of it. */
static void garbage(const char *bytes, size_t len, const char *line)
{
    struct peer p = {0};
    weir_tls *tls = new_server(NULL);
    assert_ok(weir_log_start(&(weir_log_opts){.sink = keep_log}));
    open_alone(&p, tls, 0);
    assert_int_equal(send(p.fd, bytes, len, 0), len);
    peer_drains(&p);
    weir_log_stop();
    assert_string_equal(p.calls, "");
    if (!strstr(logged, line))
        fail_msg("the log says: %s", logged);
    weir_tls_unref(tls);
    p.conn = NULL;
    close_peer(&p);
}

TEST(conn_tls_end, plaintext_at_a_server_ends_in_a_line_of_the_log)
{
    garbage("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27,
            "no TLS connection: the peer does not speak TLS: it began with \"GET / HTTP/1.1\"");
}

TEST(conn_tls_end, garbage_at_a_server_ends_in_a_line_of_the_log)
{
    garbage("\x16\x03\x01\x00\x05GARBAGE", 12, "no TLS connection: TLS: ");
}

TEST(conn_tls_end, a_client_that_finds_plaintext_is_told)
{
    weir_tls *tls = new_client(NULL);
    struct peer p = {.hook = keep_why};
    open_alone(&p, tls, 0);
    peer_says(&p, "SSH-2.0-OpenSSH_9.2\r\n");
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ETLS);
    assert_string_equal(said, "the peer does not speak TLS: it began with \"SSH-2.0-OpenSSH_\"");
    weir_tls_unref(tls);
    close_peer(&p);
}

TEST(conn_tls_end, a_handshake_has_a_limit_in_time)
{
    weir_tls *client = new_client(NULL), *server = new_server(NULL);
    struct peer p = {.hook = keep_why}, q = {0};
    open_alone(&p, client, 1000);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_ETIMEDOUT);
    assert_string_equal(p.calls, "down ");
    assert_string_equal(said, "the TLS handshake was not over in the time allowed");
    close_peer(&p);
    open_alone(&q, server, 1000);
    peer_says(&q, "\x16\x03\x01");
    peer_drains(&q);
    assert_string_equal(q.calls, "");
    q.conn = NULL;
    close_peer(&q);
    weir_tls_unref(client);
    weir_tls_unref(server);
}

TEST(conn_tls_end, a_close_in_the_handshake_ends_it_at_once)
{
    weir_tls *client = new_client(NULL);
    struct peer p = {0};
    open_alone(&p, client, 0);
    assert_ok(weir_conn_send(p.conn, "lost", 4));
    weir_conn_close(p.conn);
    run_until(p.loop, !p.conn);
    assert_err(p.why, WEIR_OK);
    assert_string_equal(p.calls, "down ");
    weir_tls_unref(client);
    close_peer(&p);
}

TEST(conn_tls_end, a_client_without_a_name_is_refused_before_anything)
{
    weir_tls *client = new_client(NULL);
    weir_loop *loop = new_loop();
    weir_conn *conn;
    int fds[2];
    socket_pair(SOCK_STREAM, fds);
    assert_err(weir_conn_open_take(&conn, loop, fds[0], NULL, &peer_ops, NULL,
                                   &(weir_conn_opts){.tls = client}),
               WEIR_EINVAL);
    assert_int_equal(recv(fds[1], (char[1]){0}, 1, 0), 0);
    close(fds[1]);
    weir_loop_free(loop);
    weir_tls_unref(client);
}

TEST(conn_tls_end, idleness_is_counted_from_the_handshake_on)
{
    struct wire w = {0};
    open_up(&w, &(weir_conn_opts){.idle_us = 1000});
    carry_until(&w, !w.client.conn && !w.server.conn);
    /* Who is first to lose its patience cuts the other one off. */
    assert_true(w.client.why == WEIR_ETIMEDOUT || w.server.why == WEIR_ETIMEDOUT);
    close_wire(&w);
}
