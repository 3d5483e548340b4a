/* Sentences about what went wrong: what happened, and what somebody can do about it. */
#include "tls_openssl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES = 64,
    DATE_BYTES = 40,
    NAMES_SHOWN = 4
};

const char *weir__tls_queue_text(char *out, size_t size)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(code);
    snprintf(out, size, "%s", reason ? reason : "OpenSSL does not say why");
    ERR_clear_error();
    return out;
}

/* Certificates */

static const char *name_text(const X509_NAME *name, char out[NAME_BYTES])
{
    char *line = name ? X509_NAME_oneline(name, NULL, 0) : NULL;
    snprintf(out, NAME_BYTES, "%s", line ? line : "?");
    OPENSSL_free(line);
    return out;
}

static const char *date_text(const ASN1_TIME *date, char out[DATE_BYTES])
{
    struct tm tm;
    if (ASN1_TIME_to_tm(date, &tm) != 1 || strftime(out, DATE_BYTES, "%Y-%m-%d", &tm) == 0)
        snprintf(out, DATE_BYTES, "?");
    return out;
}

/** The names that a certificate is for, as far as there is room. */
static void names_text(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    int shown = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && shown < NAMES_SHOWN; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[INET6_ADDRSTRLEN + 1] = "";
        if (name->type == GEN_DNS)
            snprintf(text, sizeof text, "%.*s", name->d.dNSName->length, name->d.dNSName->data);
        else if (name->type == GEN_IPADD)
            inet_ntop(name->d.iPAddress->length == 4 ? AF_INET : AF_INET6, name->d.iPAddress->data,
                      text, sizeof text);
        int len = text[0] && used < size
                      ? snprintf(out + used, size - used, "%s%s", shown ? ", " : "", text)
                      : 0;
        used += len > 0 ? (size_t)len : 0;
        shown += text[0] != '\0';
    }
    GENERAL_NAMES_free(names);
    if (shown == 0)
        snprintf(out, size, "nobody");
}

static void explain_name(const weir__tls_engine *engine, X509 *cert)
{
    char names[80];
    names_text(cert, names, sizeof names);
    weir_why_set(engine->why, WEIR_ECERT,
                 "the server's certificate is not for \"%.60s\" but for %s", engine->name, names);
}

static void explain_issuer(const weir__tls_engine *engine, X509 *cert)
{
    char issuer[NAME_BYTES];
    weir_why_set(engine->why, WEIR_ECERT,
                 "the %s's certificate was issued by nobody whom we trust, but by %s: is %s the "
                 "right one?",
                 engine->tls->server ? "client" : "server",
                 name_text(X509_get_issuer_name(cert), issuer),
                 engine->tls->server         ? "client_ca_file"
                 : engine->tls->opts.ca_file ? "ca_file"
                                             : "the system's store");
}

static void explain_date(const weir__tls_engine *engine, X509 *cert, bool expired)
{
    char date[DATE_BYTES], subject[NAME_BYTES];
    name_text(X509_get_subject_name(cert), subject);
    if (expired)
        weir_why_set(engine->why, WEIR_ECERT, "the certificate of %s expired on %s", subject,
                     date_text(X509_get0_notAfter(cert), date));
    else
        weir_why_set(engine->why, WEIR_ECERT,
                     "the certificate of %s is not valid before %s: are the clocks right?", subject,
                     date_text(X509_get0_notBefore(cert), date));
}

static void explain_certificate(const weir__tls_engine *engine, int error, X509 *cert)
{
    char subject[NAME_BYTES];
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_name(engine, cert);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        explain_date(engine, cert, error == X509_V_ERR_CERT_HAS_EXPIRED);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        explain_issuer(engine, cert);
        return;
    default:
        weir_why_set(engine->why, WEIR_ECERT, "the certificate of %s: %s",
                     name_text(X509_get_subject_name(cert), subject),
                     X509_verify_cert_error_string(error));
    }
}

/** Only here the certificate is still at hand. */
int weir__tls_judge(int good, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const weir__tls_engine *engine = weir__tls_engine_of(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    if (!good && engine->why && cert && !engine->tls->opts.insecure)
        explain_certificate(engine, X509_STORE_CTX_get_error(store), cert);
    return good || engine->tls->opts.insecure;
}

/* Alerts of the peer's (RFC 8446 6) */

static const struct alert {
    int number;
    weir_err err;
    const char *text;
} alerts[] = {
    {40, WEIR_ETLS, "no version or cipher in common, or it wants a certificate of ours"},
    {42, WEIR_ECERT, "our certificate is bad"},
    {44, WEIR_ECERT, "our certificate was revoked"},
    {45, WEIR_ECERT, "our certificate has expired"},
    {46, WEIR_ECERT, "it does not accept our certificate"},
    {48, WEIR_ECERT, "it does not trust who issued our certificate"},
    {70, WEIR_ETLS, "it does not speak our versions of TLS"},
    {71, WEIR_ETLS, "our ciphers are too weak for it"},
    {112, WEIR_ETLS, "it does not know the name that we asked for"},
    {116, WEIR_ECERT, "it demands a certificate of ours: set cert_file and key_file"},
    {120, WEIR_ETLS, "it speaks none of our protocols (ALPN)"},
};

static weir_err explain_alert(int number, weir_why *why)
{
    for (size_t i = 0; i < sizeof alerts / sizeof alerts[0]; i++)
        if (alerts[i].number == number)
            return weir_why_set(why, alerts[i].err, "the peer says: %s (alert %d)", alerts[i].text,
                                number);
    return weir_why_set(why, WEIR_ETLS, "the peer says: %s (alert %d)",
                        SSL_alert_desc_string_long(number), number);
}

/* The rest */

bool weir__tls_spoken(const weir__tls_engine *engine)
{
    return engine->first_len == 0 || (engine->first[0] >= 20 && engine->first[0] <= 24);
}

static weir_err explain_plaintext(const weir__tls_engine *engine, weir_why *why)
{
    char shown[sizeof engine->first + 1];
    size_t len = 0;
    while (len < engine->first_len && isprint(engine->first[len])) {
        shown[len] = (char)engine->first[len];
        len++;
    }
    shown[len] = '\0';
    return weir_why_set(why, WEIR_ETLS, "the peer does not speak TLS: it began with %s%s%s",
                        len ? "\"" : "", len ? shown : "other bytes", len ? "\"" : "");
}

static weir_err explain_cut(const weir__tls_engine *engine, weir_why *why)
{
    return weir_why_set(
        why, WEIR_ECONNRESET,
        engine->done ? "the connection was cut: it ended without TLS's close_notify, so that "
                       "bytes may be missing"
                     : "the peer closed the connection during the TLS handshake");
}

static weir_err explain_reason(int reason, weir_why *why)
{
    const char *text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return weir_why_set(why, WEIR_ECERT,
                            "the client has sent no certificate, and this server demands one");
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return weir_why_set(why, WEIR_ETLS, "the client wants none of our protocols (ALPN)");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
        return weir_why_set(why, WEIR_ETLS,
                            "no version of TLS in common: see min_version and max_version");
    case SSL_R_NO_SHARED_CIPHER:
        return weir_why_set(why, WEIR_ETLS, "no cipher in common with the client");
    default:
        return weir_why_set(why, WEIR_ETLS, "TLS: %s", text ? text : "failed");
    }
}

/** The whole of the queue's last entry. */
static weir_err explain_code(unsigned long code, weir_why *why)
{
    int reason = ERR_GET_REASON(code);
    if (reason == ERR_R_MALLOC_FAILURE)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    if (ERR_GET_LIB(code) != ERR_LIB_SSL)
        return weir_why_set(why, WEIR_ETLS, "TLS: %s",
                            code ? ERR_reason_error_string(code) : "failed");
    if (reason > SSL_AD_REASON_OFFSET)
        return explain_alert(reason - SSL_AD_REASON_OFFSET, why);
    return explain_reason(reason, why);
}

weir_err weir__tls_explain(const weir__tls_engine *engine, weir_why *why)
{
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    ERR_clear_error();
    if (engine->out_of_memory)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return WEIR_ECERT; /* weir__tls_judge() has said why */
    if (!weir__tls_spoken(engine))
        return explain_plaintext(engine, why);
    if (engine->cut && (reason == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING))
        return explain_cut(engine, why);
    return explain_code(code, why);
}
