/* What a handshake has found, as texts. */
#include "tls_openssl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Texts one after the other, each with its NUL. */
typedef struct texts {
    FILE *out;
    char *bytes;
    size_t size, names;
} texts;

static void put(texts *t, const char *text, size_t len)
{
    if (len > 0)
        fwrite(text, 1, len, t->out);
    fputc('\0', t->out);
}

static void put_text(texts *t, const char *text)
{
    put(t, text ? text : "", text ? strlen(text) : 0);
}

static void put_subject(texts *t, const X509 *cert)
{
    BIO *bio = cert ? BIO_new(BIO_s_mem()) : NULL;
    char *text = NULL;
    long len = 0;
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                                  XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0)
        len = BIO_get_mem_data(bio, &text);
    put(t, text ? text : "", len > 0 ? (size_t)len : 0);
    BIO_free(bio);
}

static void put_name(texts *t, const char *kind, const char *text, size_t len)
{
    fputs(kind, t->out);
    put(t, text, len);
    t->names++;
}

/** A name with a NUL inside means to be taken for another. */
static void put_string(texts *t, const char *kind, const ASN1_STRING *string)
{
    const char *text = (const char *)ASN1_STRING_get0_data(string);
    size_t len = (size_t)ASN1_STRING_length(string);
    if (len > 0 && !memchr(text, '\0', len))
        put_name(t, kind, text, len);
}

static void put_address(texts *t, const ASN1_OCTET_STRING *address)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(address);
    if ((len == 4 || len == 16) &&
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text))
        put_name(t, "IP:", text, strlen(text));
}

static void put_names(texts *t, const X509 *cert)
{
    GENERAL_NAMES *names = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            put_string(t, "DNS:", name->d.dNSName);
        else if (name->type == GEN_URI)
            put_string(t, "URI:", name->d.uniformResourceIdentifier);
        else if (name->type == GEN_EMAIL)
            put_string(t, "email:", name->d.rfc822Name);
        else if (name->type == GEN_IPADD)
            put_address(t, name->d.iPAddress);
    }
    GENERAL_NAMES_free(names);
}

/** In the order of lay_out(). */
static void put_all(texts *t, const weir__tls_engine *engine, const X509 *cert)
{
    const unsigned char *alpn;
    unsigned alpn_len;
    SSL_get0_alpn_selected(engine->ssl, &alpn, &alpn_len);
    put_text(t, SSL_get_version(engine->ssl));
    put_text(t, SSL_get_cipher_name(engine->ssl));
    put(t, (const char *)alpn, alpn_len);
    put_text(t, SSL_get_servername(engine->ssl, TLSEXT_NAMETYPE_host_name));
    put_subject(t, cert);
    put_names(t, cert);
}

static const char *next(const char **at)
{
    const char *text = *at;
    *at += strlen(text) + 1;
    return text;
}

/** What is counted: behind it pointers to the names, then the texts. */
typedef struct counted_info {
    atomic_uint refs;
    weir_tls_info info;
} counted_info;

static weir_tls_info *lay_out(const texts *t)
{
    size_t array = t->names * sizeof(const char *);
    counted_info *counted = malloc(sizeof *counted + array + t->size);
    if (!counted)
        return NULL;
    atomic_init(&counted->refs, 1);
    weir_tls_info *info = &counted->info;
    const char **names = (const char **)(counted + 1);
    char *bytes = (char *)(counted + 1) + array;
    memcpy(bytes, t->bytes, t->size);
    const char *at = bytes;
    *info = (weir_tls_info){.names = names, .name_count = t->names};
    info->version = next(&at);
    info->cipher = next(&at);
    info->alpn = next(&at);
    info->sni = next(&at);
    info->subject = next(&at);
    for (size_t i = 0; i < t->names; i++)
        names[i] = next(&at);
    return info;
}

weir_tls_info *weir__tls_info_new(const weir__tls_engine *engine)
{
    texts t = {0};
    t.out = open_memstream(&t.bytes, &t.size);
    if (!t.out)
        return NULL;
    const X509 *cert = SSL_get0_peer_certificate(engine->ssl);
    put_all(&t, engine, cert);
    bool failed = ferror(t.out);
    weir_tls_info *info = fclose(t.out) == 0 && !failed ? lay_out(&t) : NULL;
    free(t.bytes);
    if (info) {
        info->resumed = SSL_session_reused(engine->ssl) == 1;
        info->verified =
            cert && !engine->tls->opts.insecure && SSL_get_verify_result(engine->ssl) == X509_V_OK;
    }
    ERR_clear_error();
    return info;
}

static counted_info *counted(const weir_tls_info *info)
{
    return WEIR_CONTAINER_OF((weir_tls_info *)(uintptr_t)info, counted_info, info);
}

const weir_tls_info *weir_tls_info_ref(const weir_tls_info *info)
{
    if (info)
        atomic_fetch_add_explicit(&counted(info)->refs, 1, memory_order_relaxed);
    return info;
}

void weir_tls_info_unref(const weir_tls_info *info)
{
    if (info && atomic_fetch_sub_explicit(&counted(info)->refs, 1, memory_order_acq_rel) == 1)
        free(counted(info));
}
