/* Certificates: whose are accepted, which is shown, and what is said of the others. */
#include "tls_test.h"

/* Certificates that are not accepted */

TEST(tls_cert, a_stranger_among_the_authorities_is_named)
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

TEST(tls_cert, a_certificate_out_of_its_time_is_named_with_the_date)
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

TEST(tls_cert, a_wrong_name_is_told_with_the_right_ones)
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

TEST(tls_cert, names_and_addresses_are_checked)
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

TEST(tls_cert, a_client_of_a_purpose_cannot_be_a_server)
{
    struct pair p;
    refuse(&p, &(weir_tls_opts){.cert_file = CERT("alice"), .key_file = KEY("alice")}, NULL,
           "alice.example");
    assert_err(p.client.err, WEIR_ECERT);
    assert_says(p.client, "CN=alice: unsuitable certificate purpose");
    close_pair(&p);
}

TEST(tls_cert, an_insecure_client_takes_anything_and_says_so)
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

TEST(tls_cert, a_server_sees_who_its_client_is)
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

TEST(tls_cert, a_client_without_the_certificate_that_is_wanted_is_told)
{
    struct pair p;
    refuse(&p, &asking_server, NULL, "localhost");
    assert_err(p.server.err, WEIR_ECERT);
    assert_says(p.server, "the client has sent no certificate, and this server demands one");
    assert_err(client_reads(&p), WEIR_ECERT);
    assert_says(p.client, "it demands a certificate of ours: set cert_file and key_file");
    close_pair(&p);
}

TEST(tls_cert, a_client_of_strangers_is_refused_also_where_none_is_needed)
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

/* Several names */

TEST(tls_cert, the_certificate_is_chosen_by_the_name_that_is_asked_for)
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
