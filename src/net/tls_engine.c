/* One connection's TLS over two functions of its owner. */
#include "tls_openssl.h"

#include <stdlib.h>
#include <string.h>

weir__tls_engine *weir__tls_engine_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

/* The owner's functions as OpenSSL wants them. The owner takes all output, so that OpenSSL never
 * has to wait for anything but input. */

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    weir__tls_engine *engine = BIO_get_data(bio);
    if (!engine->io.write(engine->user, bytes, len)) {
        engine->out_of_memory = true;
        return 0;
    }
    *written = len;
    return 1;
}

/** The first bytes tell somebody who does not speak TLS. */
static void remember(weir__tls_engine *engine, const char *bytes, size_t len)
{
    size_t room = sizeof engine->first - engine->first_len;
    if (len > room)
        len = room;
    memcpy(engine->first + engine->first_len, bytes, len);
    engine->first_len += (unsigned char)len;
}

static int bio_read(BIO *bio, char *out, size_t len, size_t *got)
{
    weir__tls_engine *engine = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = engine->io.read(engine->user, out, len);
    if (n > 0) {
        *got = (size_t)n;
        if (!engine->done)
            remember(engine, out, *got);
        return 1;
    }
    if (n == 0)
        engine->cut = true;
    else
        BIO_set_retry_read(bio);
    return 0;
}

static long bio_control(BIO *bio, int what, long number WEIR_UNUSED, void *ptr WEIR_UNUSED)
{
    const weir__tls_engine *engine = BIO_get_data(bio);
    if (what == BIO_CTRL_EOF)
        return engine->cut;
    return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

/** Kept to the end of the process. */
static void make_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");
    if (!method)
        return;
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    bio_method = method;
}

static BIO *new_bio(weir__tls_engine *engine)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_bio_method);
    BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, engine);
    BIO_set_init(bio, 1);
    return bio;
}

/* Protocols */

int weir__tls_choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *arg WEIR_UNUSED)
{
    const weir__tls_engine *engine = weir__tls_engine_of(ssl);
    unsigned char *chosen = NULL;
    if (engine->alpn_len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    int found = SSL_select_next_proto(&chosen, out_len, engine->alpn, engine->alpn_len, in, in_len);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static weir_err check_alpn(const weir__tls_engine *engine, weir_why *why)
{
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(engine->ssl, &chosen, &len);
    if (engine->tls->server || engine->alpn_len == 0 || len > 0)
        return WEIR_OK;
    return weir_why_set(why, WEIR_ETLS,
                        "the server has chosen none of our protocols (ALPN), \"%.*s\" first",
                        (int)engine->alpn[0], (const char *)engine->alpn + 1);
}

static bool set_alpn(weir__tls_engine *engine, const char *otherwise)
{
    engine->alpn = engine->tls->alpn;
    engine->alpn_len = engine->tls->alpn_len;
    if (!engine->alpn && otherwise) {
        engine->alpn = engine->own_alpn;
        engine->alpn_len =
            weir__tls_alpn_encode(otherwise, engine->own_alpn, sizeof engine->own_alpn);
        if (engine->alpn_len == 0)
            return false;
    }
    return engine->tls->server || engine->alpn_len == 0 ||
           SSL_set_alpn_protos(engine->ssl, engine->alpn, engine->alpn_len) == 0;
}

/* Making and ending */

/** The certificate must be for it; a server that has several shall know which (RFC 6066 3 has no
 * addresses there). */
static weir_err set_name(weir__tls_engine *engine, const char *name)
{
    if (!name || !*name)
        return engine->tls->opts.insecure ? WEIR_OK : WEIR_EINVAL;
    engine->name = strdup(name);
    if (!engine->name)
        return WEIR_ENOMEM;
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(engine->ssl), name) == 1)
        return WEIR_OK;
    SSL_set_hostflags(engine->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(engine->ssl, name) == 1 &&
                   SSL_set_tlsext_host_name(engine->ssl, engine->name) == 1
               ? WEIR_OK
               : WEIR_EINVAL;
}

static void resume(weir__tls_engine *engine)
{
    if (!engine->name || engine->tls->opts.no_resumption)
        return;
    SSL_SESSION *session = weir__tls_sessions_get(&engine->tls->sessions, engine->name);
    if (session)
        SSL_set_session(engine->ssl, session);
    SSL_SESSION_free(session);
}

static weir_err set_up(weir__tls_engine *engine, const char *name, const char *alpn)
{
    engine->ssl = SSL_new(engine->files->ctx);
    BIO *bio = engine->ssl ? new_bio(engine) : NULL;
    if (!bio)
        return WEIR_ENOMEM;
    SSL_set_bio(engine->ssl, bio, bio);
    SSL_set_app_data(engine->ssl, engine);
    if (!set_alpn(engine, alpn))
        return WEIR_EINVAL;
    if (engine->tls->server) {
        SSL_set_accept_state(engine->ssl);
        return WEIR_OK;
    }
    SSL_set_connect_state(engine->ssl);
    weir_err err = set_name(engine, name);
    if (!err)
        resume(engine);
    return err;
}

weir_err weir__tls_engine_new(weir__tls_engine **out, weir_tls *tls, const char *name,
                              const char *alpn, const weir__tls_io *io, void *user)
{
    weir__tls_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return WEIR_ENOMEM;
    engine->tls = weir_tls_ref(tls);
    engine->files = weir__tls_files_of(tls);
    engine->io = *io;
    engine->user = user;
    weir_err err = set_up(engine, name, alpn);
    ERR_clear_error();
    if (err)
        weir__tls_engine_free(engine);
    else
        *out = engine;
    return err;
}

void weir__tls_engine_free(weir__tls_engine *engine)
{
    if (!engine)
        return;
    /* Else a session would be good only if close_notify was sent. */
    if (engine->ssl && engine->done)
        SSL_set_shutdown(engine->ssl, SSL_SENT_SHUTDOWN);
    SSL_free(engine->ssl);
    weir__tls_files_unref(engine->files);
    weir_tls_unref(engine->tls);
    free(engine->name);
    free(engine);
}

/* Bytes. The queue of errors is the thread's: what others have left there is not ours. */

/** What a call of OpenSSL's that returned `result` means. */
static weir_err outcome(weir__tls_engine *engine, int result, weir_why *why)
{
    switch (SSL_get_error(engine->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return engine->out_of_memory ? WEIR_ENOMEM : WEIR_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return WEIR_ECLOSED;
    default:
        return weir__tls_explain(engine, why);
    }
}

/** OpenSSL says nothing to a client of plaintext, which would wonder about a mere end. */
static void refuse_plaintext(weir__tls_engine *engine)
{
    static const unsigned char alert[] = {21, 3, 1, 0, 2, 2, SSL_AD_PROTOCOL_VERSION};
    (void)engine->io.write(engine->user, alert, sizeof alert);
}

weir_err weir__tls_handshake(weir__tls_engine *engine, weir_why *why)
{
    ERR_clear_error();
    engine->why = why;
    int result = SSL_do_handshake(engine->ssl);
    engine->why = NULL;
    weir_err err = result == 1 ? check_alpn(engine, why) : outcome(engine, result, why);
    engine->done = !err;
    if (err == WEIR_ETLS && engine->tls->server && !weir__tls_spoken(engine))
        refuse_plaintext(engine);
    return err;
}

weir_err weir__tls_read(weir__tls_engine *engine, void *out, size_t len, size_t *got, weir_why *why)
{
    ERR_clear_error();
    int result = SSL_read_ex(engine->ssl, out, len, got);
    return result == 1 ? WEIR_OK : outcome(engine, result, why);
}

weir_err weir__tls_write(weir__tls_engine *engine, const void *bytes, size_t len, weir_why *why)
{
    size_t written;
    ERR_clear_error();
    return SSL_write_ex(engine->ssl, bytes, len, &written) == 1 ? WEIR_OK
                                                                : weir__tls_explain(engine, why);
}

void weir__tls_end(weir__tls_engine *engine)
{
    ERR_clear_error();
    if (engine->done && !(SSL_get_shutdown(engine->ssl) & SSL_SENT_SHUTDOWN))
        (void)SSL_shutdown(engine->ssl);
    ERR_clear_error();
}
