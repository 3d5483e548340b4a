/**
 * @file
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446), by OpenSSL: certificates, keys and rules that connections
 * share.
 *
 * A `weir_tls` is given to connections by weir_conn_opts.tls, to servers and channels by their
 * options; each takes a reference. Renegotiation and compression are off; TLS 1.2 has ephemeral
 * keys and AEAD ciphers only, as HTTP/2 demands (RFC 7540 9.2).
 *
 * When the environment variable SSLKEYLOGFILE names a file, the secrets of every connection are
 * appended to it, so that Wireshark can read a capture. Not in programs with raised privileges.
 * @thread any: counted, and never changed but by weir_tls_reload()
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <stddef.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

typedef struct weir_tls weir_tls;

typedef enum weir_tls_version {
    WEIR_TLS_DEFAULT,
    WEIR_TLS_1_2,
    WEIR_TLS_1_3
} weir_tls_version;

/** One more identity of a server. */
typedef struct weir_tls_pair {
    const char *cert_file; /**< PEM: the certificate, then those between it and the root */
    const char *key_file;  /**< PEM, not encrypted */
} weir_tls_pair;

/** A zeroed field means the default written beside it. Texts are copied. */
typedef struct weir_tls_opts {
    const char *cert_file; /**< PEM: our certificate, then those between it and the root; a server
                                must have one; NULL: none */
    const char *key_file;  /**< PEM, not encrypted; goes with cert_file */
    const char *ca_file; /**< PEM: whom a client trusts to name servers; NULL: the system's store */
    const char *client_ca_file; /**< PEM: whom a server trusts to name clients; it then asks each
                                     for a certificate; NULL: does not ask */
    bool client_optional; /**< a client may come without a certificate, not with a wrong one */
    bool insecure;        /**< a client takes any certificate and name: for tests only */
    weir_tls_version min_version; /**< 0: 1.2 */
    weir_tls_version max_version; /**< 0: 1.3 */
    const char *alpn; /**< protocols, the preferred first, separated by commas: "h2,http/1.1". A
                           server refuses clients that offer none of them (not those that offer
                           nothing), a client refuses servers that choose none. NULL: what
                           weir_conn_opts.tls_alpn says */
    const weir_tls_pair *more; /**< chosen when a client asks (SNI) for a name in their certificate;
                                    cert_file is for all other names */
    size_t more_count;
    size_t max_sessions; /**< a client resumes at most so many, the least recently used go first; of
                              TLS 1.3 each once; 0: 100 */
    bool no_resumption;  /**< neither sessions nor tickets */
} weir_tls_opts;

/**
 * Reads the files.
 * @param out   one reference, yours
 * @param opts  copied
 * @param why   a sentence on failure, with the file's name; may be NULL
 * @errors WEIR_EINVAL: no certificate, or options that contradict each other. WEIR_ENOENT,
 *         WEIR_EACCES: a file cannot be read. WEIR_ECERT: it does not hold what it should, or key
 *         and certificate do not belong together. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_tls_server_new(weir_tls **out, const weir_tls_opts *opts,
                                                      weir_why *why);

/** The same for clients. @param opts  NULL is all defaults */
WEIR_API WEIR_MUST_CHECK weir_err weir_tls_client_new(weir_tls **out, const weir_tls_opts *opts,
                                                      weir_why *why);

/**
 * Reads the files anew, for handshakes that begin from now on; connections stay. Sessions from
 * before are not resumed. After an error everything is as it was.
 * @errors as weir_tls_server_new()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_tls_reload(weir_tls *tls, weir_why *why);

WEIR_API weir_tls *weir_tls_ref(weir_tls *tls);
/** NULL is fine. */
WEIR_API void weir_tls_unref(weir_tls *tls);

/** What a handshake has found: weir_conn_tls(). Texts are never NULL. Counted; immutable. */
typedef struct weir_tls_info {
    const char *version; /**< "TLSv1.3" */
    const char *cipher;  /**< "TLS_AES_128_GCM_SHA256" */
    const char *alpn;    /**< "h2"; "": none was chosen */
    const char *sni;     /**< the name that the client asked for; "": none */
    bool resumed;        /**< an earlier session went on, and with it what was known of the peer */
    bool verified;       /**< the peer has a certificate that the CA files vouch for */
    const char *subject; /**< its subject (RFC 2253): "CN=alice,O=Example"; "": no certificate */
    const char *const *names; /**< its alternative names: "DNS:a.example", "IP:127.0.0.1",
                                   "URI:spiffe://example/a", "email:a@b.example" */
    size_t name_count;
} weir_tls_info;

/** NULL is fine, here and below. */
WEIR_API const weir_tls_info *weir_tls_info_ref(const weir_tls_info *info);
WEIR_API void weir_tls_info_unref(const weir_tls_info *info);

WEIR_END_DECLS

#endif
