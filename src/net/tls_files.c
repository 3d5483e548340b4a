/* Certificates, keys and authorities from files, and the rules of a handshake. */
#include "tls_openssl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* RFC 7540 9.2.2 leaves these of TLS 1.2. */
#define CIPHERS_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"

/** For a file that OpenSSL did not take. */
static weir_err file_failed(const char *file, const char *what, weir_why *why)
{
    char text[100];
    weir__tls_queue_text(text, sizeof text);
    if (access(file, R_OK) != 0)
        return weir_why_set(why, weir_err_from_errno(errno), "cannot read %s: %s", file,
                            strerror(errno));
    return weir_why_set(why, WEIR_ECERT, "%s: %s (%s)", file, what, text);
}

static weir_err no_memory(weir_why *why)
{
    ERR_clear_error();
    return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
}

/* Certificates and keys */

/** Whoever runs a server has nobody at hand who could type it. */
static int no_password(char *out WEIR_UNUSED, int size WEIR_UNUSED, int writing WEIR_UNUSED,
                       void *user WEIR_UNUSED)
{
    return -1;
}

static weir_err use_own(SSL_CTX *ctx, const char *cert_file, const char *key_file, weir_why *why)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return file_failed(cert_file, "no certificate in PEM form", why);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) == 1)
        return WEIR_OK;
    if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH) {
        ERR_clear_error();
        return weir_why_set(why, WEIR_ECERT, "the key in %s is not that of the certificate in %s",
                            key_file, cert_file);
    }
    return file_failed(key_file, "no key in PEM form without a password", why);
}

/** Through a context of its own, which checks what it reads. */
static weir_err read_identity(weir__tls_identity *out, const weir_tls_pair *pair, weir_why *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (!ctx)
        return no_memory(why);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    weir_err err = use_own(ctx, pair->cert_file, pair->key_file, why);
    if (!err) {
        STACK_OF(X509) *chain = NULL;
        SSL_CTX_get0_chain_certs(ctx, &chain);
        out->cert = SSL_CTX_get0_certificate(ctx);
        out->key = SSL_CTX_get0_privatekey(ctx);
        X509_up_ref(out->cert);
        EVP_PKEY_up_ref(out->key);
        out->chain = chain ? X509_chain_up_ref(chain) : NULL;
    }
    SSL_CTX_free(ctx);
    return err;
}

/** OpenSSL asks which certificate the client shall see. */
static int choose_identity(SSL *ssl, void *arg)
{
    const weir__tls_files *files = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    for (size_t i = 0; name && i < files->more_count; i++) {
        const weir__tls_identity *id = &files->more[i];
        if (X509_check_host(id->cert, name, 0, 0, NULL) == 1)
            return SSL_use_cert_and_key(ssl, id->cert, id->key, id->chain, 1);
    }
    return 1;
}

static weir_err use_identities(weir__tls_files *files, const weir_tls_opts *opts, weir_why *why)
{
    weir_err err =
        opts->cert_file ? use_own(files->ctx, opts->cert_file, opts->key_file, why) : WEIR_OK;
    for (size_t i = 0; !err && i < opts->more_count; i++) {
        err = read_identity(&files->more[i], &opts->more[i], why);
        files->more_count += !err;
    }
    if (files->more_count > 0)
        SSL_CTX_set_cert_cb(files->ctx, choose_identity, files);
    return err;
}

/* Authorities */

static weir_err trust_file(SSL_CTX *ctx, const char *file, weir_why *why)
{
    if (SSL_CTX_load_verify_file(ctx, file) == 1)
        return WEIR_OK;
    return file_failed(file, "no certificates in PEM form", why);
}

static weir_err trust_servers(SSL_CTX *ctx, const weir_tls_opts *opts, weir_why *why)
{
    SSL_CTX_set_verify(ctx, opts->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, weir__tls_judge);
    if (opts->insecure)
        return WEIR_OK;
    if (opts->ca_file)
        return trust_file(ctx, opts->ca_file, why);
    return SSL_CTX_set_default_verify_paths(ctx) == 1 ? WEIR_OK : no_memory(why);
}

static weir_err trust_clients(SSL_CTX *ctx, const weir_tls_opts *opts, weir_why *why)
{
    const char *file = opts->client_ca_file;
    if (!file)
        return WEIR_OK;
    weir_err err = trust_file(ctx, file, why);
    if (err)
        return err;
    /* Their names help a client that has several certificates. */
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (!names)
        return file_failed(file, "no certificates in PEM form", why);
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(
        ctx, SSL_VERIFY_PEER | (opts->client_optional ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT),
        weir__tls_judge);
    return WEIR_OK;
}

/* Sessions */

/** A server has given the client something to come back with. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    weir__tls_engine *engine = weir__tls_engine_of(ssl);
    if (!engine->name || !weir__tls_files_present(engine->tls, engine->files))
        return 0;
    weir__tls_sessions_put(&engine->tls->sessions, engine->name, session);
    return 1;
}

static void set_resumption(SSL_CTX *ctx, const weir_tls *tls)
{
    static const unsigned char context[] = "weir";
    /* Servers keep nothing: what they have to remember is in their tickets. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (tls->opts.no_resumption) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    } else if (tls->server) {
        SSL_CTX_set_session_id_context(ctx, context, sizeof context - 1);
    } else {
        SSL_CTX_set_session_cache_mode(ctx,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ctx, on_session);
    }
}

/* The rest */

static void on_secret(const SSL *ssl, const char *line)
{
    char text[512];
    int len = snprintf(text, sizeof text, "%s\n", line);
    int fd = weir__tls_engine_of(ssl)->tls->key_log;
    /* One write, so that lines of several processes stay whole. Nobody is to be stopped by it. */
    if (len > 0 && (size_t)len < sizeof text && write(fd, text, (size_t)len) < 0)
        return;
}

static int version_number(weir_tls_version version, int otherwise)
{
    return version == WEIR_TLS_1_2   ? TLS1_2_VERSION
           : version == WEIR_TLS_1_3 ? TLS1_3_VERSION
                                     : otherwise;
}

static bool set_rules(SSL_CTX *ctx, const weir_tls *tls)
{
    const weir_tls_opts *opts = &tls->opts;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Buffers of a connection that is idle are given back; one read gets what has come. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (tls->server)
        SSL_CTX_set_alpn_select_cb(ctx, weir__tls_choose_alpn, NULL);
    if (tls->key_log >= 0)
        SSL_CTX_set_keylog_callback(ctx, on_secret);
    set_resumption(ctx, tls);
    return SSL_CTX_set_min_proto_version(ctx, version_number(opts->min_version, TLS1_2_VERSION)) &&
           SSL_CTX_set_max_proto_version(ctx, version_number(opts->max_version, TLS1_3_VERSION)) &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2);
}

static weir_err fill(weir__tls_files *files, weir_tls *tls, weir_why *why)
{
    if (!files->ctx || !set_rules(files->ctx, tls))
        return no_memory(why);
    weir_err err = use_identities(files, &tls->opts, why);
    if (!err)
        err = tls->server ? trust_clients(files->ctx, &tls->opts, why)
                          : trust_servers(files->ctx, &tls->opts, why);
    return err;
}

weir_err weir__tls_files_new(weir__tls_files **out, weir_tls *tls, weir_why *why)
{
    weir__tls_files *files = calloc(1, sizeof *files + tls->opts.more_count * sizeof *files->more);
    if (!files)
        return no_memory(why);
    ERR_clear_error();
    atomic_init(&files->refs, 1);
    files->ctx = SSL_CTX_new(tls->server ? TLS_server_method() : TLS_client_method());
    weir_err err = fill(files, tls, why);
    if (err)
        weir__tls_files_unref(files);
    else
        *out = files;
    return err;
}

void weir__tls_files_unref(weir__tls_files *files)
{
    if (!files || atomic_fetch_sub(&files->refs, 1) != 1)
        return;
    SSL_CTX_free(files->ctx);
    for (size_t i = 0; i < files->more_count; i++) {
        X509_free(files->more[i].cert);
        EVP_PKEY_free(files->more[i].key);
        sk_X509_pop_free(files->more[i].chain, X509_free);
    }
    free(files);
}
