/* TCP servers and clients with TLS. */
#include "conn_tls_test.h"

#include <weir/net/tcp_client.h>
#include <weir/net/tcp_server.h>

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

TEST(tcp_tls, a_tcp_client_checks_the_name_in_its_target)
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

TEST(tcp_tls, a_server_that_stops_does_not_wait_for_handshakes)
{
    struct pair p = {.loop = new_loop()};
    weir_tls *tls = new_server(NULL);
    weir_tcp_server_opts opts = {.model = WEIR_TCP_SINGLE, .conn.tls = tls};
    assert_ok(
        weir_tcp_server_start(&p.server, p.loop, "127.0.0.1:0", &echo_ops, NULL, &opts, NULL));
    int fd = connect_to(weir_tcp_server_addr(p.server));
    run_until(p.loop, weir_tcp_server_connections(p.server) == 1);
    weir_tcp_server_stop(p.server, WEIR_SECONDS(3600), note_stopped, &p);
    run_until(p.loop, p.stopped);
    assert_true(sees_end(fd));
    close(fd);
    weir_loop_free(p.loop);
    weir_tls_unref(tls);
}

TEST(tcp_tls, a_handshake_that_fails_is_an_attempt_that_failed)
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
