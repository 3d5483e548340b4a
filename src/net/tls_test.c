/* Handshakes, ends, versions and protocols. */
#include "tls_test.h"

/* Handshakes */

static void shake_version(weir_tls_version version, const char *name)
{
    weir_tls_opts opts = plain_server;
    opts.max_version = version;
    opts.min_version = version;
    weir_tls *server = new_server(&opts), *client = new_client(NULL);
    weir_tls_info *info = connect_once(server, client, "localhost", false);
    assert_string_equal(info->version, name);
    assert_non_null(strstr(info->cipher, "GCM"));
    assert_string_equal(info->subject, "CN=server,O=weir");
    assert_true(info->verified);
    assert_false(info->resumed);
    assert_int_equal(info->name_count, 4);
    assert_string_equal(info->names[0], "DNS:localhost");
    assert_string_equal(info->names[2], "IP:127.0.0.1");
    assert_string_equal(info->names[3], "IP:::1");
    weir_tls_info_unref(info);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, both_versions_are_spoken)
{
    shake_version(WEIR_TLS_1_2, "TLSv1.2");
    shake_version(WEIR_TLS_1_3, "TLSv1.3");
}

TEST(tls, a_handshake_may_come_byte_by_byte)
{
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    struct pair p;
    open_pair(&p, server, client, "localhost");
    p.client.at_once = p.server.at_once = 1;
    shake_hands(&p);
    assert_up(&p);
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, a_connection_keeps_the_context_alive)
{
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    struct pair p;
    open_pair(&p, server, client, "127.0.0.1");
    weir_tls_unref(server);
    weir_tls_unref(client);
    weir_tls_unref(p.client.tls);
    weir_tls_unref(p.server.tls);
    p.client.tls = p.server.tls = NULL;
    shake_hands(&p);
    assert_up(&p);
    close_pair(&p);
}

TEST(tls, an_end_is_told_from_a_cut)
{
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    struct pair p;
    open_pair(&p, server, client, "localhost");
    shake_hands(&p);
    assert_up(&p);
    weir__tls_end(p.server.engine);
    weir__tls_end(p.server.engine);
    assert_err(client_reads(&p), WEIR_ECLOSED);
    assert_err(client_reads(&p), WEIR_ECLOSED);
    transfer(&p.client, &p.server, "the other direction goes on");
    p.server.cut = true;
    char byte;
    size_t got;
    assert_err(weir__tls_read(p.server.engine, &byte, 1, &got, &p.server.why), WEIR_ECONNRESET);
    assert_says(p.server, "without TLS's close_notify");
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, a_record_that_was_changed_ends_it)
{
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    struct pair p;
    open_pair(&p, server, client, "localhost");
    shake_hands(&p);
    assert_up(&p);
    assert_ok(weir__tls_write(p.client.engine, "secret", 6, NULL));
    char record[200];
    size_t len = weir_buf_len(&p.server.in);
    assert_true(len < sizeof record && weir_buf_read(&p.server.in, record, len));
    assert_null(memmem(record, len, "secret", 6));
    record[len - 1] ^= 1;
    assert_ok(weir_buf_append(&p.server.in, record, len));
    size_t got;
    assert_err(weir__tls_read(p.server.engine, record, sizeof record, &got, &p.server.why),
               WEIR_ETLS);
    assert_err(client_reads(&p), WEIR_ETLS);
    assert_says(p.client, "the peer says: bad record mac (alert 20)");
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

/* Versions, protocols and other languages */

TEST(tls, versions_without_one_in_common_are_told)
{
    struct pair p;
    weir_tls_opts new_only = plain_server;
    new_only.min_version = WEIR_TLS_1_3;
    refuse(&p, &new_only, &(weir_tls_opts){.ca_file = CERT("ca"), .max_version = WEIR_TLS_1_2},
           "localhost");
    assert_err(p.server.err, WEIR_ETLS);
    assert_says(p.server, "no version of TLS in common");
    assert_says(p.client, "it does not speak our versions of TLS (alert 70)");
    close_pair(&p);
}

TEST(tls, a_protocol_is_chosen_by_the_servers_preference)
{
    weir_tls_opts server_opts = plain_server, client_opts = plain_client;
    server_opts.alpn = "h2,http/1.1";
    client_opts.alpn = "http/1.1,h2";
    weir_tls *server = new_server(&server_opts), *client = new_client(&client_opts);
    weir_tls_info *info = connect_once(server, client, "localhost", true);
    assert_string_equal(info->alpn, "h2");
    weir_tls_info_unref(info);
    weir_tls_unref(client);
    client = new_client(NULL);
    info = connect_once(server, client, "localhost", true);
    assert_string_equal(info->alpn, "");
    weir_tls_info_unref(info);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, no_protocol_in_common_is_told)
{
    struct pair p;
    weir_tls_opts server_opts = plain_server, client_opts = plain_client;
    server_opts.alpn = "h2";
    client_opts.alpn = "http/1.1";
    refuse(&p, &server_opts, &client_opts, "localhost");
    assert_err(p.server.err, WEIR_ETLS);
    assert_says(p.server, "the client wants none of our protocols (ALPN)");
    assert_says(p.client, "it speaks none of our protocols (ALPN) (alert 120)");
    close_pair(&p);
    refuse(&p, NULL, &client_opts, "localhost");
    assert_err(p.client.err, WEIR_ETLS);
    assert_says(p.client, "chosen none of our protocols (ALPN), \"http/1.1\" first");
    close_pair(&p);
}

/** `bytes` come instead of a handshake. */
static void hear_other(bool at_server, const char *bytes, size_t len, const char *part)
{
    struct pair p;
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    open_pair(&p, server, client, "localhost");
    struct end *end = at_server ? &p.server : &p.client;
    assert_err(weir__tls_handshake(end->engine, &end->why), WEIR_EAGAIN);
    assert_ok(weir_buf_append(&end->in, bytes, len));
    assert_err(weir__tls_handshake(end->engine, &end->why), WEIR_ETLS);
    assert_says(*end, part);
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, plaintext_is_recognised)
{
    hear_other(true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24,
               "the peer does not speak TLS: it began with \"PRI * HTTP/2.0\"");
    hear_other(true, "GET / HTTP/1.1\r\n", 16, "it began with \"GET / HTTP/1.1\"");
    hear_other(true, "\0\1\2\3\4\5\6\7", 8, "it began with other bytes");
    hear_other(false, "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\144", 15, "it began with other bytes");
    hear_other(false, "HTTP/1.1 400 Bad Request\r\n", 26, "it began with \"HTTP/1.1 400 Bad\"");
}

TEST(tls, a_stream_that_ends_in_the_handshake_is_told)
{
    struct pair p;
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    open_pair(&p, server, client, "localhost");
    assert_err(weir__tls_handshake(p.server.engine, &p.server.why), WEIR_EAGAIN);
    p.server.cut = true;
    assert_err(weir__tls_handshake(p.server.engine, &p.server.why), WEIR_ECONNRESET);
    assert_says(p.server, "closed the connection during the TLS handshake");
    close_pair(&p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}
