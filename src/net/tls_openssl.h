/**
 * @file
 * The door to OpenSSL: the only file that includes its headers, and what the layer's files that use
 * it share. tls.c has the counted context, tls_files.c fills it from files, tls_sessions.c keeps a
 * client's sessions, tls_engine.c is one connection's TLS without a socket, tls_info.c shows what a
 * handshake has found, tls_why.c says what OpenSSL means.
 */
#ifndef WEIR_NET_TLS_OPENSSL_H
#define WEIR_NET_TLS_OPENSSL_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <pthread.h>
#include <stdatomic.h>
#include <weir/base/list.h>
#include <weir/net/tls.h>

#include "tls_engine.h"

/** A server's further identity, as it was read. */
typedef struct weir__tls_identity {
    X509 *cert;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
} weir__tls_identity;

/** What a set of files says; handshakes hold a reference, so that a reload does not hurt them. */
typedef struct weir__tls_files {
    atomic_uint refs;
    SSL_CTX *ctx;
    size_t more_count;
    weir__tls_identity more[];
} weir__tls_files;

/** A client's sessions by the name of the server. Any thread. */
typedef struct weir__tls_sessions {
    pthread_mutex_t lock;
    weir_list used; /* the least recently used first */
    size_t count, max;
} weir__tls_sessions;

struct weir_tls {
    atomic_uint refs;
    bool server;         /* constant */
    weir_tls_opts opts;  /* constant; texts are in `texts` or of their own */
    int key_log;         /* descriptor; -1: none; constant */
    unsigned char *alpn; /* as on the wire; NULL: none; constant */
    unsigned alpn_len;
    pthread_mutex_t lock; /* of `files` */
    weir__tls_files *files;
    weir__tls_sessions sessions;
};

/** The engine's view of what it belongs to; set as the SSL's application data. */
struct weir__tls_engine {
    SSL *ssl;
    weir_tls *tls;
    weir__tls_files *files;
    weir__tls_io io;
    void *user;
    char *name;                /* a client's; NULL: none */
    const unsigned char *alpn; /* as on the wire */
    unsigned alpn_len;
    unsigned char own_alpn[32]; /* what `alpn` points to if the context has none */
    unsigned char first[16];    /* the peer's first bytes */
    unsigned char first_len;
    bool done;          /* the handshake */
    bool cut;           /* the stream has ended */
    bool out_of_memory; /* of the owner's */
    weir_why *why;      /* who called wants to know, or NULL */
};

/** @errors as weir_tls_server_new() */
WEIR_MUST_CHECK weir_err weir__tls_files_new(weir__tls_files **out, weir_tls *tls, weir_why *why);
/** The present ones; one reference. */
weir__tls_files *weir__tls_files_of(weir_tls *tls);
void weir__tls_files_unref(weir__tls_files *files);

/** Whether no reload has come since. */
bool weir__tls_files_present(weir_tls *tls, const weir__tls_files *files);

/** "h2,http/1.1" as on the wire. @return bytes in `out`; 0: not of that form */
unsigned weir__tls_alpn_encode(const char *text, unsigned char *out, size_t room);

/** Engine of a connection's SSL. */
weir__tls_engine *weir__tls_engine_of(const SSL *ssl);
/** OpenSSL's callbacks: what to think of a certificate, and which protocol to choose. */
int weir__tls_judge(int good, X509_STORE_CTX *store);
int weir__tls_choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                          const unsigned char *in, unsigned in_len, void *arg);

void weir__tls_sessions_init(weir__tls_sessions *sessions, size_t max);
void weir__tls_sessions_fini(weir__tls_sessions *sessions);
/** Forgets all. */
void weir__tls_sessions_clear(weir__tls_sessions *sessions);
/** @param session  owned */
void weir__tls_sessions_put(weir__tls_sessions *sessions, const char *name, SSL_SESSION *session);
/** @return NULL: none; else a reference of the caller's */
SSL_SESSION *weir__tls_sessions_get(weir__tls_sessions *sessions, const char *name);

/** What OpenSSL's error queue says last about files; empties it. */
const char *weir__tls_queue_text(char *out, size_t size);
/** Whether the peer began with a record of TLS, whose types are 20 to 24, or with nothing yet. */
bool weir__tls_spoken(const weir__tls_engine *engine);
/** What went wrong on a connection; empties the queue. @return WEIR_ETLS, WEIR_ECERT, ... */
weir_err weir__tls_explain(const weir__tls_engine *engine, weir_why *why);

#endif
