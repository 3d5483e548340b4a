/* TLS in memory: two engines, and the bytes between them in the test's hands. */
#include "tls_engine.h"

#include "certs.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/base/buf.h>

struct end {
    weir_tls *tls;
    weir__tls_engine *engine;
    weir_buf in; /* what the other end has written */
    struct end *other;
    size_t at_once; /* bytes that a read gets at most; 0: all */
    bool cut;       /* the stream has ended behind `in` */
    weir_err err;
    weir_why why;
};

struct pair {
    struct end client, server;
};

static ssize_t read_in(void *user, void *out, size_t len)
{
    struct end *end = user;
    size_t have = weir_buf_len(&end->in);
    if (have == 0)
        return end->cut ? 0 : -1;
    len = have < len ? have : len;
    if (end->at_once && len > end->at_once)
        len = end->at_once;
    assert_true(weir_buf_read(&end->in, out, len));
    return (ssize_t)len;
}

static bool write_out(void *user, const void *bytes, size_t len)
{
    struct end *end = user;
    return weir_buf_append(&end->other->in, bytes, len) == WEIR_OK;
}

static const weir__tls_io io = {read_in, write_out};

static const weir_tls_opts plain_server = {.cert_file = CERT("server"), .key_file = KEY("server")};
static const weir_tls_opts plain_client = {.ca_file = CERT("ca")};

static weir_tls *new_server(const weir_tls_opts *opts)
{
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_server_new(&tls, opts ? opts : &plain_server, &why))
        fail_msg("%s", why.text);
    return tls;
}

static weir_tls *new_client(const weir_tls_opts *opts)
{
    weir_tls *tls = NULL;
    weir_why why = {""};
    if (weir_tls_client_new(&tls, opts ? opts : &plain_client, &why))
        fail_msg("%s", why.text);
    return tls;
}

/** A connection of two contexts, each of which it takes a reference of. */
static void open_pair(struct pair *p, weir_tls *server, weir_tls *client, const char *name)
{
    *p = (struct pair){.client = {.tls = weir_tls_ref(client), .other = &p->server},
                       .server = {.tls = weir_tls_ref(server), .other = &p->client}};
    weir_buf_init(&p->client.in, NULL);
    weir_buf_init(&p->server.in, NULL);
    assert_ok(weir__tls_engine_new(&p->client.engine, client, name, NULL, &io, &p->client));
    assert_ok(weir__tls_engine_new(&p->server.engine, server, NULL, NULL, &io, &p->server));
}

static void close_end(struct end *end)
{
    weir__tls_engine_free(end->engine);
    weir_tls_unref(end->tls);
    weir_buf_clear(&end->in);
}

static void close_pair(struct pair *p)
{
    close_end(&p->client);
    close_end(&p->server);
}

static void step(struct end *end)
{
    if (end->err == WEIR_EAGAIN)
        end->err = weir__tls_handshake(end->engine, &end->why);
}

/** Until both ends know. */
static void shake_hands(struct pair *p)
{
    p->client.err = p->server.err = WEIR_EAGAIN;
    for (int i = 0; i < 100000; i++) {
        step(&p->client);
        step(&p->server);
        bool stuck = weir_buf_len(&p->client.in) == 0 && weir_buf_len(&p->server.in) == 0;
        if ((p->client.err != WEIR_EAGAIN && p->server.err != WEIR_EAGAIN) || (stuck && i > 2))
            return;
    }
    fail_msg("the handshake has no end");
}

/** A client of TLS 1.3 learns only when it reads what the server thinks of its certificate. */
static weir_err client_reads(struct pair *p)
{
    char bytes[100];
    size_t got;
    return weir__tls_read(p->client.engine, bytes, sizeof bytes, &got, &p->client.why);
}

static void transfer(struct end *from, struct end *to, const char *text)
{
    char got[100] = "";
    size_t len = strlen(text), have = 0, n;
    assert_ok(weir__tls_write(from->engine, text, len, NULL));
    while (have < len) {
        assert_ok(weir__tls_read(to->engine, got + have, sizeof got - have, &n, &to->why));
        have += n;
    }
    assert_string_equal(got, text);
}

static void assert_up(struct pair *p)
{
    if (p->client.err || p->server.err)
        fail_msg("client: %s, %s; server: %s, %s", weir_err_name(p->client.err), p->client.why.text,
                 weir_err_name(p->server.err), p->server.why.text);
    transfer(&p->client, &p->server, "from the client");
    transfer(&p->server, &p->client, "from the server");
}

/** Opens a connection, looks at it from one end, and closes it; both contexts are given up. */
static weir_tls_info *connect_once(weir_tls *server, weir_tls *client, const char *name,
                                   bool at_server)
{
    struct pair p;
    open_pair(&p, server, client, name);
    shake_hands(&p);
    assert_up(&p);
    weir_tls_info *info = weir__tls_info_new(at_server ? p.server.engine : p.client.engine);
    assert_non_null(info);
    close_pair(&p);
    return info;
}

/** What the ends say when it goes wrong. */
static void refuse(struct pair *p, const weir_tls_opts *server_opts,
                   const weir_tls_opts *client_opts, const char *name)
{
    weir_tls *server = new_server(server_opts), *client = new_client(client_opts);
    open_pair(p, server, client, name);
    shake_hands(p);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

#define assert_says(end, part)                                                                     \
    do {                                                                                           \
        if (!strstr((end).why.text, part))                                                         \
            fail_msg("\"%s\" does not say \"%s\"", (end).why.text, part);                          \
    } while (0)

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

/* Certificates that are not accepted */

TEST(tls, a_stranger_among_the_authorities_is_named)
{
    struct pair p;
    refuse(&p, NULL, &(weir_tls_opts){.ca_file = CERT("other-ca")}, "localhost");
    assert_err(p.client.err, WEIR_ECERT);
    assert_says(p.client, "issued by nobody whom we trust, but by /O=weir/CN=test ca: is ca_file");
    assert_err(p.server.err, WEIR_ECERT);
    assert_says(p.server, "does not trust who issued our certificate (alert 48)");
    close_pair(&p);
    refuse(&p, NULL, &(weir_tls_opts){0}, "localhost");
    assert_says(p.client, "is the system's store the right one?");
    close_pair(&p);
}

TEST(tls, a_certificate_out_of_its_time_is_named_with_the_date)
{
    struct pair p;
    refuse(&p, &(weir_tls_opts){.cert_file = CERT("expired"), .key_file = KEY("expired")}, NULL,
           "localhost");
    assert_err(p.client.err, WEIR_ECERT);
    assert_says(p.client, "CN=expired expired on 2021-01-01");
    assert_says(p.server, "our certificate has expired");
    close_pair(&p);
    refuse(&p, &(weir_tls_opts){.cert_file = CERT("future"), .key_file = KEY("future")}, NULL,
           "localhost");
    assert_says(p.client, "CN=future is not valid before 2040-01-01: are the clocks right?");
    close_pair(&p);
}

TEST(tls, a_wrong_name_is_told_with_the_right_ones)
{
    struct pair p;
    refuse(&p, NULL, NULL, "elsewhere.example");
    assert_err(p.client.err, WEIR_ECERT);
    assert_says(p.client, "not for \"elsewhere.example\" but for localhost, *.test.google.fr, "
                          "127.0.0.1, ::1");
    close_pair(&p);
    refuse(&p, NULL, NULL, "127.0.0.2");
    assert_says(p.client, "not for \"127.0.0.2\" but for localhost");
    close_pair(&p);
}

TEST(tls, names_and_addresses_are_checked)
{
    static const char *const good[] = {"localhost", "foo.test.google.fr", "127.0.0.1", "::1"};
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        weir_tls_info_unref(connect_once(server, client, good[i], false));
    weir__tls_engine *engine;
    assert_err(weir__tls_engine_new(&engine, client, NULL, NULL, &io, NULL), WEIR_EINVAL);
    assert_err(weir__tls_engine_new(&engine, client, "", NULL, &io, NULL), WEIR_EINVAL);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, a_client_of_a_purpose_cannot_be_a_server)
{
    struct pair p;
    refuse(&p, &(weir_tls_opts){.cert_file = CERT("alice"), .key_file = KEY("alice")}, NULL,
           "alice.example");
    assert_err(p.client.err, WEIR_ECERT);
    assert_says(p.client, "CN=alice: unsuitable certificate purpose");
    close_pair(&p);
}

TEST(tls, an_insecure_client_takes_anything_and_says_so)
{
    weir_tls *server =
        new_server(&(weir_tls_opts){.cert_file = CERT("expired"), .key_file = KEY("expired")});
    weir_tls *client = new_client(&(weir_tls_opts){.insecure = true});
    weir_tls_info *info = connect_once(server, client, NULL, false);
    assert_string_equal(info->subject, "CN=expired,O=weir");
    assert_false(info->verified);
    weir_tls_info_unref(info);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

/* Certificates of clients */

static const weir_tls_opts asking_server = {
    .cert_file = CERT("server"), .key_file = KEY("server"), .client_ca_file = CERT("ca")};

TEST(tls, a_server_sees_who_its_client_is)
{
    weir_tls *server = new_server(&asking_server);
    weir_tls *client = new_client(&(weir_tls_opts){
        .ca_file = CERT("ca"), .cert_file = CERT("alice"), .key_file = KEY("alice")});
    for (int i = 0; i < 2; i++) {
        weir_tls_info *info = connect_once(server, client, "localhost", true);
        assert_int_equal(info->resumed, i == 1);
        assert_true(info->verified);
        assert_string_equal(info->sni, "localhost");
        assert_string_equal(info->subject, "CN=alice,O=weir");
        assert_int_equal(info->name_count, 3);
        assert_string_equal(info->names[0], "URI:spiffe://example/alice");
        assert_string_equal(info->names[1], "email:alice@example.com");
        weir_tls_info_unref(info);
    }
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, a_client_without_the_certificate_that_is_wanted_is_told)
{
    struct pair p;
    refuse(&p, &asking_server, NULL, "localhost");
    assert_err(p.server.err, WEIR_ECERT);
    assert_says(p.server, "the client has sent no certificate, and this server demands one");
    assert_err(client_reads(&p), WEIR_ECERT);
    assert_says(p.client, "it demands a certificate of ours: set cert_file and key_file");
    close_pair(&p);
}

TEST(tls, a_client_of_strangers_is_refused_also_where_none_is_needed)
{
    struct pair p;
    weir_tls_opts asking = asking_server;
    asking.client_optional = true;
    refuse(&p, &asking,
           &(weir_tls_opts){
               .ca_file = CERT("ca"), .cert_file = CERT("stranger"), .key_file = KEY("stranger")},
           "localhost");
    assert_err(p.server.err, WEIR_ECERT);
    assert_says(p.server, "the client's certificate was issued by nobody whom we trust, but by "
                          "/O=weir/CN=test other-ca: is client_ca_file the right one?");
    assert_err(client_reads(&p), WEIR_ECERT);
    assert_says(p.client, "does not trust who issued our certificate");
    close_pair(&p);
    weir_tls *server = new_server(&asking), *client = new_client(NULL);
    weir_tls_info *info = connect_once(server, client, "localhost", true);
    assert_false(info->verified);
    assert_string_equal(info->subject, "");
    weir_tls_info_unref(info);
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

/* Several names */

TEST(tls, the_certificate_is_chosen_by_the_name_that_is_asked_for)
{
    static const weir_tls_pair more[] = {{CERT("alice"), KEY("alice")},
                                         {CERT("second"), KEY("second")}};
    weir_tls_opts opts = plain_server;
    opts.more = more;
    opts.more_count = 2;
    weir_tls *server = new_server(&opts), *client = new_client(NULL);
    static const char *const rows[][2] = {{"second.example", "CN=second,O=weir"},
                                          {"a.second.example", "CN=second,O=weir"},
                                          {"localhost", "CN=server,O=weir"},
                                          {"127.0.0.1", "CN=server,O=weir"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        weir_tls_info *info = connect_once(server, client, rows[i][0], false);
        assert_string_equal(info->subject, rows[i][1]);
        weir_tls_info_unref(info);
    }
    weir_tls_unref(server);
    weir_tls_unref(client);
}

/* Resumption */

static bool resumes(weir_tls *server, weir_tls *client, const char *name)
{
    weir_tls_info *info = connect_once(server, client, name, false);
    bool resumed = info->resumed;
    assert_string_equal(info->subject, "CN=server,O=weir");
    weir_tls_info_unref(info);
    return resumed;
}

static void resume_with(weir_tls_version version)
{
    weir_tls_opts opts = plain_client;
    opts.max_version = version;
    weir_tls *server = new_server(NULL), *client = new_client(&opts);
    assert_false(resumes(server, client, "localhost"));
    assert_true(resumes(server, client, "localhost"));
    assert_true(resumes(server, client, "localhost"));
    assert_false(resumes(server, client, "127.0.0.1"));
    assert_ok(weir_tls_reload(client, NULL));
    assert_false(resumes(server, client, "localhost"));
    assert_ok(weir_tls_reload(server, NULL));
    assert_false(resumes(server, client, "localhost"));
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, a_client_comes_back_with_its_session)
{
    resume_with(WEIR_TLS_1_2);
    resume_with(WEIR_TLS_1_3);
}

TEST(tls, sessions_are_bounded_and_the_least_recently_used_goes)
{
    weir_tls_opts opts = plain_client;
    opts.max_sessions = 2;
    weir_tls *server = new_server(NULL), *client = new_client(&opts);
    assert_false(resumes(server, client, "a.test.google.fr"));
    assert_false(resumes(server, client, "b.test.google.fr"));
    assert_true(resumes(server, client, "a.test.google.fr"));
    assert_false(resumes(server, client, "c.test.google.fr"));
    assert_true(resumes(server, client, "a.test.google.fr"));
    assert_false(resumes(server, client, "b.test.google.fr"));
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, resumption_can_be_off_at_either_end)
{
    weir_tls_opts server_opts = plain_server, client_opts = plain_client;
    server_opts.no_resumption = client_opts.no_resumption = true;
    weir_tls *server = new_server(&server_opts), *client = new_client(NULL);
    assert_false(resumes(server, client, "localhost"));
    assert_false(resumes(server, client, "localhost"));
    weir_tls_unref(server);
    weir_tls_unref(client);
    server = new_server(NULL);
    client = new_client(&client_opts);
    assert_false(resumes(server, client, "localhost"));
    assert_false(resumes(server, client, "localhost"));
    weir_tls_unref(server);
    weir_tls_unref(client);
}

/* Files */

static void assert_no_server(const weir_tls_opts *opts, weir_err err, const char *part)
{
    weir_tls *tls = NULL;
    struct end end = {0};
    assert_err(weir_tls_server_new(&tls, opts, &end.why), err);
    assert_null(tls);
    assert_says(end, part);
}

TEST(tls, files_that_are_no_good_are_told)
{
    assert_no_server(NULL, WEIR_EINVAL, "a TLS server needs a certificate");
    assert_no_server(&(weir_tls_opts){.cert_file = CERT("server")}, WEIR_EINVAL, "go together");
    assert_no_server(&(weir_tls_opts){.cert_file = "/nowhere.pem", .key_file = KEY("server")},
                     WEIR_ENOENT, "cannot read /nowhere.pem: No such file");
    assert_no_server(&(weir_tls_opts){.cert_file = CERT("server"), .key_file = "/nowhere.key"},
                     WEIR_ENOENT, "cannot read /nowhere.key");
    assert_no_server(&(weir_tls_opts){.cert_file = KEY("server"), .key_file = KEY("server")},
                     WEIR_ECERT, "server.key: no certificate in PEM form");
    assert_no_server(&(weir_tls_opts){.cert_file = CERT("server"), .key_file = CERT("server")},
                     WEIR_ECERT, "server.pem: no key in PEM form");
    assert_no_server(&(weir_tls_opts){.cert_file = CERT("server"), .key_file = KEY("alice")},
                     WEIR_ECERT, "is not that of the certificate in");
    weir_tls_opts opts = plain_server;
    opts.client_ca_file = KEY("ca");
    assert_no_server(&opts, WEIR_ECERT, "ca.key: no certificates in PEM form");
    opts = plain_server;
    opts.alpn = "h2,,x";
    assert_no_server(&opts, WEIR_EINVAL, "is not of the form \"h2,http/1.1\"");
    opts = plain_server;
    opts.more = &(weir_tls_pair){CERT("second"), KEY("alice")};
    opts.more_count = 1;
    assert_no_server(&opts, WEIR_ECERT, "is not that of the certificate in");
    opts = (weir_tls_opts){.cert_file = CERT("server"),
                           .key_file = KEY("server"),
                           .min_version = WEIR_TLS_1_3,
                           .max_version = WEIR_TLS_1_2};
    assert_no_server(&opts, WEIR_EINVAL, "max_version is below min_version");
}

/** A folder whose tls.pem and tls.key are links. */
struct files {
    char folder[32], cert[64], key[64];
};

static void point_to(struct files *f, const char *cert, const char *key)
{
    unlink(f->cert);
    unlink(f->key);
    assert_int_equal(symlink(cert, f->cert), 0);
    assert_int_equal(symlink(key, f->key), 0);
}

static void make_files(struct files *f)
{
    strcpy(f->folder, "/tmp/weir-tls-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->cert, sizeof f->cert, "%s/tls.pem", f->folder);
    snprintf(f->key, sizeof f->key, "%s/tls.key", f->folder);
}

static void remove_files(struct files *f)
{
    unlink(f->cert);
    unlink(f->key);
    rmdir(f->folder);
}

static void assert_served(weir_tls *server, weir_tls *client, const char *subject)
{
    weir_tls_info *info = connect_once(server, client, "localhost", false);
    assert_string_equal(info->subject, subject);
    weir_tls_info_unref(info);
}

TEST(tls, a_reload_is_for_new_handshakes_and_bad_files_change_nothing)
{
    struct files f;
    struct pair open;
    weir_why why = {""};
    make_files(&f);
    point_to(&f, CERT("server"), KEY("server"));
    weir_tls *client = new_client(&(weir_tls_opts){.ca_file = CERT("ca"), .no_resumption = true});
    weir_tls *server = new_server(&(weir_tls_opts){.cert_file = f.cert, .key_file = f.key});
    open_pair(&open, server, client, "localhost");
    shake_hands(&open);
    point_to(&f, CERT("renewed"), KEY("server"));
    assert_err(weir_tls_reload(server, &why), WEIR_ECERT);
    assert_non_null(strstr(why.text, "is not that of the certificate"));
    assert_served(server, client, "CN=server,O=weir");
    point_to(&f, CERT("renewed"), KEY("renewed"));
    assert_served(server, client, "CN=server,O=weir");
    assert_ok(weir_tls_reload(server, &why));
    assert_served(server, client, "CN=renewed,O=weir");
    assert_up(&open);
    close_pair(&open);
    remove_files(&f);
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls, secrets_go_to_the_key_log_file)
{
    char path[] = "/tmp/weir-keys-XXXXXX", text[4096] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(setenv("SSLKEYLOGFILE", path, 1), 0);
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    weir_tls_info_unref(connect_once(server, client, "localhost", false));
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "CLIENT_TRAFFIC_SECRET_0 "));
    assert_non_null(strstr(text, "\nSERVER_HANDSHAKE_TRAFFIC_SECRET "));
    weir_tls_unref(server);
    weir_tls_unref(client);
    assert_int_equal(setenv("SSLKEYLOGFILE", "/nowhere/keys", 1), 0);
    assert_no_server(&plain_server, WEIR_ENOENT, "SSLKEYLOGFILE: cannot open /nowhere/keys");
    close(fd);
    unlink(path);
}
