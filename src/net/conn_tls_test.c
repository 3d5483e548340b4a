/* Connections with TLS: a client and a server in one loop, and the wire between them in the test's
 * hands. */
#include "conn_test.h"

#include "certs.h"

#include <pthread.h>
#include <stdlib.h>
#include <weir/base/log.h>
#include <weir/net/tcp_client.h>
#include <weir/net/tcp_server.h>

struct wire {
    weir_loop *loop;
    weir_tls *server_tls, *client_tls;
    struct peer client, server;
    size_t at_once;   /* bytes that go through a turn, at most; 0: all */
    size_t to_client; /* bytes that went through */
    bool hold;        /* nothing goes through */
};

static weir_tls *new_server(const weir_tls_opts *opts)
{
    static const weir_tls_opts plain = {.cert_file = CERT("server"), .key_file = KEY("server")};
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_server_new(&tls, opts ? opts : &plain, &why))
        fail_msg("%s", why.text);
    return tls;
}

static weir_tls *new_client(const weir_tls_opts *opts)
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
static size_t carry(struct wire *w, int from, int to)
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

static void turn(struct wire *w)
{
    if (!w->hold) {
        carry(w, w->client.fd, w->server.fd);
        w->to_client += carry(w, w->server.fd, w->client.fd);
    }
    assert_ok(weir_loop_run_once(w->loop, 0));
}

#define carry_until(w, condition)                                                                  \
    do {                                                                                           \
        weir_time limit_ = weir_time_add(weir_time_now(), WEIR_SECONDS(20));                       \
        while (!(condition)) {                                                                     \
            if (!weir_time_before(weir_time_now(), limit_))                                        \
                fail_msg("did not happen: %s", #condition);                                        \
            turn(w);                                                                               \
        }                                                                                          \
    } while (0)

static void open_end(struct wire *w, struct peer *p, const weir_conn_opts *opts)
{
    int fds[2];
    socket_pair(SOCK_STREAM, fds);
    p->fd = fds[1];
    p->loop = w->loop;
    assert_ok(weir_conn_open_take(&p->conn, w->loop, fds[0], NULL, &peer_ops, p, opts));
}

/** @param opts  of both, but only the server throttles; NULL is all defaults */
static void open_wire(struct wire *w, const weir_tls_opts *server, const weir_tls_opts *client,
                      const weir_conn_opts *opts)
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

static bool is_up(const struct peer *p)
{
    return strncmp(p->calls, "up ", 3) == 0;
}

static void open_up(struct wire *w, const weir_conn_opts *opts)
{
    open_wire(w, NULL, NULL, opts);
    carry_until(w, is_up(&w->client) && is_up(&w->server));
}

static void close_wire(struct wire *w)
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

static void echo(struct peer *p, const char *call)
{
    if (strcmp(call, "message") == 0)
        assert_ok(weir_conn_send_buf(p->conn, p->in));
}

struct heard {
    char text[256];
    size_t len; /* all that came, also what has no room in `text` */
};

static void hear_all(struct peer *p, const char *call)
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

/* Up */

static void say_hello(size_t at_once)
{
    struct heard heard = {0};
    struct wire w = {
        .at_once = at_once, .client = {.hook = hear_all, .user = &heard}, .server = {.hook = echo}};
    open_up(&w, NULL);
    assert_string_equal(w.client.calls, "up ");
    assert_ok(weir_conn_send(w.client.conn, "hello", 5));
    carry_until(&w, heard.len == 5);
    assert_string_equal(heard.text, "hello");
    close_wire(&w);
}

TEST(conn_tls, on_up_comes_after_the_handshake_and_bytes_go_through)
{
    say_hello(0);
}

TEST(conn_tls, the_wire_may_be_as_slow_as_it_likes)
{
    say_hello(1);
}

TEST(conn_tls, both_ends_see_what_the_handshake_has_found)
{
    struct wire w = {0};
    weir_tls_opts alice = {
        .ca_file = CERT("ca"), .cert_file = CERT("alice"), .key_file = KEY("alice")};
    weir_tls_opts asking = {
        .cert_file = CERT("server"), .key_file = KEY("server"), .client_ca_file = CERT("ca")};
    open_wire(&w, &asking, &alice, &(weir_conn_opts){.tls_alpn = "h2"});
    assert_null(weir_conn_tls(w.server.conn));
    assert_int_equal(weir_conn_get_state(w.server.conn), WEIR_CONN_CONNECTING);
    carry_until(&w, is_up(&w.client) && is_up(&w.server));
    assert_int_equal(weir_conn_get_state(w.server.conn), WEIR_CONN_CONNECTED);
    const weir_tls_info *info = weir_conn_tls(w.server.conn);
    assert_string_equal(info->subject, "CN=alice,O=weir");
    assert_string_equal(info->alpn, "h2");
    assert_true(info->verified);
    assert_ptr_equal(info, weir_conn_tls(w.server.conn));
    assert_string_equal(weir_conn_tls(w.client.conn)->subject, "CN=server,O=weir");
    close_wire(&w);
}

TEST(conn_tls, output_before_the_handshake_waits_for_it)
{
    struct heard heard = {0};
    struct wire w = {.server = {.hook = hear_all, .user = &heard}};
    open_wire(&w, NULL, NULL, &(weir_conn_opts){.high_water = 3});
    assert_ok(weir_conn_send(w.client.conn, "early", 5));
    weir_conn_schedule(w.client.conn);
    carry_until(&w, heard.len == 5);
    assert_string_equal(heard.text, "early");
    assert_memory_equal(w.client.calls, "up flush ", 9);
    close_wire(&w);
}

static void pause_at_up(struct peer *p, const char *call)
{
    if (strcmp(call, "up") == 0)
        weir_conn_pause(p->conn);
    hear_all(p, call);
}

TEST(conn_tls, a_pause_in_on_up_keeps_what_came_with_the_handshake)
{
    struct heard heard = {0};
    struct wire w = {.server = {.hook = pause_at_up, .user = &heard}};
    weir_tls_opts old = {.ca_file = CERT("ca"), .max_version = WEIR_TLS_1_2};
    open_wire(&w, NULL, &old, NULL);
    weir_conn_pause(w.client.conn); /* of no effect on the handshake */
    assert_ok(weir_conn_send(w.client.conn, "early", 5));
    carry_until(&w, is_up(&w.server));
    for (int i = 0; i < 5; i++)
        turn(&w);
    assert_int_equal(heard.len, 0);
    weir_conn_resume(w.server.conn);
    carry_until(&w, heard.len == 5);
    close_wire(&w);
}

/* Many bytes */

enum {
    MUCH = 8 << 20
};

static void fill(struct peer *p, size_t *left)
{
    while (*left > 0 && weir_conn_unsent(p->conn) < 256 << 10) {
        assert_ok(weir_conn_send(p->conn, block, sizeof block));
        *left -= sizeof block;
    }
}

TEST(conn_tls, much_goes_both_ways_at_once)
{
    struct heard at_client = {0}, at_server = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &at_client},
                     .server = {.hook = hear_all, .user = &at_server}};
    open_up(&w, NULL);
    size_t from_client = MUCH, from_server = MUCH;
    weir_time limit = weir_time_add(weir_time_now(), WEIR_SECONDS(60));
    while ((at_client.len < MUCH || at_server.len < MUCH) &&
           weir_time_before(weir_time_now(), limit)) {
        fill(&w.client, &from_client);
        fill(&w.server, &from_server);
        turn(&w);
    }
    assert_int_equal(at_client.len, MUCH);
    assert_int_equal(at_server.len, MUCH);
    /* 22 bytes a record, which has nearly 16 KiB */
    assert_true(w.to_client < MUCH + MUCH / 400);
    close_wire(&w);
}

TEST(conn_tls, a_slow_reader_fills_the_output_and_empties_it)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, &(weir_conn_opts){.high_water = 1 << 20});
    weir_conn_pause(w.client.conn);
    w.server.calls[0] = '\0';
    for (int i = 0; i < MUCH / (int)sizeof block; i++)
        assert_ok(weir_conn_send(w.server.conn, block, sizeof block));
    for (int i = 0; i < 20; i++)
        turn(&w);
    assert_string_equal(w.server.calls, "high ");
    assert_true(weir_conn_unsent(w.server.conn) > 4 << 20);
    weir_conn_resume(w.client.conn);
    carry_until(&w, heard.len == MUCH);
    assert_string_equal(w.server.calls, "high low written ");
    assert_int_equal(weir_conn_unsent(w.server.conn), 0);
    close_wire(&w);
}

TEST(conn_tls, who_does_not_read_is_not_read_from)
{
    struct wire w = {.server = {.hook = echo}};
    open_up(&w, &(weir_conn_opts){.high_water = 64 << 10, .throttle = true});
    weir_conn_pause(w.client.conn);
    for (int i = 0; i < 64; i++)
        assert_ok(weir_conn_send(w.client.conn, block, sizeof block));
    for (int i = 0; i < 200; i++) {
        turn(&w);
        w.server.calls[0] = '\0';
    }
    assert_true(weir_conn_unsent(w.server.conn) < 512 << 10);
    assert_true(weir_conn_unsent(w.client.conn) > 1 << 20);
    struct heard heard = {0};
    w.client.hook = hear_all;
    w.client.user = &heard;
    weir_conn_resume(w.client.conn);
    while (heard.len < 64 * sizeof block) {
        turn(&w);
        w.server.calls[0] = '\0';
    }
    close_wire(&w);
}

TEST(conn_tls, small_pieces_of_a_turn_share_a_record)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, NULL);
    for (int i = 0; i < 5; i++)
        turn(&w);
    w.to_client = 0;
    for (int i = 0; i < 100; i++) {
        weir_buf piece;
        weir_buf_init(&piece, weir_loop_pool(w.loop));
        assert_ok(weir_buf_append(&piece, block, 10));
        assert_ok(weir_conn_send_buf(w.server.conn, &piece));
    }
    carry_until(&w, heard.len == 1000);
    assert_int_equal(w.to_client, 1000 + 22);
    close_wire(&w);
}

struct poster {
    weir_conn_id id;
    size_t taken;
};

static void *post_much(void *user)
{
    struct poster *poster = user;
    while (poster->taken < MUCH) {
        weir_err err = weir_conn_send_post(poster->id, block, 1000);
        if (err && err != WEIR_EAGAIN)
            break;
        poster->taken += err ? 0 : 1000;
    }
    return NULL;
}

TEST(conn_tls, other_threads_send_through_it)
{
    struct heard heard = {0};
    struct wire w = {.client = {.hook = hear_all, .user = &heard}};
    open_up(&w, &(weir_conn_opts){.high_water = 64 << 10});
    struct poster poster = {.id = weir_conn_id_of(w.server.conn)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_much, &poster), 0);
    carry_until(&w, heard.len >= MUCH);
    pthread_join(thread, NULL);
    assert_int_equal(heard.len, poster.taken);
    close_wire(&w);
}

/* The end */

static void answer_at_eof(struct peer *p, const char *call)
{
    if (strcmp(call, "eof") != 0)
        return;
    assert_ok(weir_conn_send(p->conn, "still here", 10));
    weir_conn_shutdown(p->conn);
}

TEST(conn_tls, half_closed_by_close_notify_the_other_direction_goes_on)
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

TEST(conn_tls, close_waits_until_everything_is_sent)
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

TEST(conn_tls, an_end_behind_a_pause_is_not_lost)
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

TEST(conn_tls, an_end_behind_bytes_that_pause_the_owner_comes_after_the_pause)
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

TEST(conn_tls, a_stream_that_is_cut_is_told)
{
    struct wire w = {0};
    open_up(&w, NULL);
    assert_int_equal(shutdown(w.client.fd, SHUT_WR), 0);
    carry_until(&w, !w.client.conn);
    assert_err(w.client.why, WEIR_ECONNRESET);
    assert_string_equal(w.client.calls, "up down ");
    close_wire(&w);
}

static char said[200];

static void keep_why(struct peer *p, const char *call)
{
    if (strcmp(call, "down") == 0)
        snprintf(said, sizeof said, "%s", weir_conn_why(p->conn));
}

TEST(conn_tls, a_damaged_record_ends_it_and_both_are_told)
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

TEST(conn_tls, a_client_that_does_not_trust_the_server_gets_on_down_only)
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

TEST(conn_tls, a_client_whose_certificate_is_missing_is_told_after_on_up)
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

TEST(conn_tls, plaintext_at_a_server_ends_in_a_line_of_the_log)
{
    garbage("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27,
            "no TLS connection: the peer does not speak TLS: it began with \"GET / HTTP/1.1\"");
}

TEST(conn_tls, garbage_at_a_server_ends_in_a_line_of_the_log)
{
    garbage("\x16\x03\x01\x00\x05GARBAGE", 12, "no TLS connection: TLS: ");
}

TEST(conn_tls, a_client_that_finds_plaintext_is_told)
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

TEST(conn_tls, a_handshake_has_a_limit_in_time)
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

TEST(conn_tls, a_close_in_the_handshake_ends_it_at_once)
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

TEST(conn_tls, a_client_without_a_name_is_refused_before_anything)
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

/* Servers and clients */

struct pair {
    weir_loop *loop;
    weir_tcp_server *server;
    weir_tcp_client *client;
    struct peer at_client;
    int failures;
    char why[200];
    bool stopped;
};

static void serve_echo(weir_conn *conn, weir_buf *in, void *user WEIR_UNUSED)
{
    assert_ok(weir_conn_send_buf(conn, in));
}

static const weir_conn_ops echo_ops = {.on_message = serve_echo};

static void note_failure(weir_tcp_client *client WEIR_UNUSED, weir_err err, const char *why,
                         int64_t retry_us WEIR_UNUSED, void *user)
{
    struct peer *p = user;
    struct pair *pair = p->user;
    assert_err(err, WEIR_ECERT);
    pair->failures++;
    snprintf(pair->why, sizeof pair->why, "%s", why);
}

static void note_stopped(void *user)
{
    ((struct pair *)user)->stopped = true;
}

static void open_pair(struct pair *p, weir_tls *server, weir_tls *client)
{
    char addr[WEIR_ADDR_TEXT_MAX], target[WEIR_ADDR_TEXT_MAX + 16];
    p->loop = new_loop();
    p->at_client.user = p;
    weir_tcp_server_opts opts = {.model = WEIR_TCP_SINGLE, .conn.tls = server};
    assert_ok(
        weir_tcp_server_start(&p->server, p->loop, "127.0.0.1:0", &echo_ops, NULL, &opts, NULL));
    weir_addr_text(weir_tcp_server_addr(p->server), addr);
    snprintf(target, sizeof target, "localhost%s", strchr(addr, ':'));
    weir_tcp_client_opts client_opts = {
        .conn.tls = client, .on_failed = note_failure, .connector.backoff_us = 1000};
    assert_ok(
        weir_tcp_client_new(&p->client, p->loop, target, &peer_ops, &p->at_client, &client_opts));
    weir_tcp_client_start(p->client);
}

static void close_pair(struct pair *p)
{
    weir_tcp_client_free(p->client);
    weir_tcp_server_stop(p->server, WEIR_SECONDS(1), note_stopped, p);
    run_until(p->loop, p->stopped);
    weir_loop_free(p->loop);
}

TEST(conn_tls, a_tcp_client_checks_the_name_in_its_target)
{
    struct pair p = {0};
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    open_pair(&p, server, client);
    weir_tls_unref(server);
    weir_tls_unref(client);
    assert_null(weir_tcp_client_conn(p.client));
    run_until(p.loop, p.at_client.conn);
    assert_ptr_equal(weir_tcp_client_conn(p.client), p.at_client.conn);
    assert_string_equal(weir_conn_tls(p.at_client.conn)->sni, "localhost");
    assert_ok(weir_conn_send(p.at_client.conn, "x", 1));
    run_until(p.loop, strstr(p.at_client.calls, "message"));
    close_pair(&p);
}

TEST(conn_tls, a_handshake_that_fails_is_an_attempt_that_failed)
{
    struct pair p = {0};
    weir_tls *server = new_server(NULL);
    weir_tls *client = new_client(&(weir_tls_opts){.ca_file = CERT("other-ca")});
    open_pair(&p, server, client);
    run_until(p.loop, p.failures >= 2);
    assert_non_null(strstr(p.why, "the server's certificate was issued by nobody whom we trust"));
    assert_null(weir_tcp_client_conn(p.client));
    weir_tcp_client_stop(p.client);
    int failures = p.failures;
    settle(p.loop);
    assert_int_equal(p.failures, failures);
    assert_string_equal(p.at_client.calls, "");
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}
