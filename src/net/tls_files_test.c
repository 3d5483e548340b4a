/* What a context keeps: sessions, files, the log of keys. */
#include "tls_test.h"

#include <stdlib.h>
#include <unistd.h>

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

TEST(tls_files, a_client_comes_back_with_its_session)
{
    resume_with(WEIR_TLS_1_2);
    resume_with(WEIR_TLS_1_3);
}

TEST(tls_files, a_session_that_comes_after_a_reload_is_not_kept)
{
    struct pair p;
    weir_tls *server = new_server(NULL), *client = new_client(NULL);
    open_pair(&p, server, client, "localhost");
    shake_hands(&p);
    assert_ok(weir_tls_reload(client, NULL));
    assert_up(&p); /* takes the server's tickets */
    close_pair(&p);
    assert_false(resumes(server, client, "localhost"));
    weir_tls_unref(server);
    weir_tls_unref(client);
}

TEST(tls_files, sessions_are_bounded_and_the_least_recently_used_goes)
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

TEST(tls_files, resumption_can_be_off_at_either_end)
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

TEST(tls_files, files_that_are_no_good_are_told)
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

TEST(tls_files, a_reload_is_for_new_handshakes_and_bad_files_change_nothing)
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

TEST(tls_files, secrets_go_to_the_key_log_file)
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
