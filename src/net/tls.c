/* The context that connections share. */
#include "tls_openssl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_SESSIONS = 100,
    ALPN_BYTES = 256
};

/* Options */

static void free_pairs(weir_tls_pair *pairs, size_t count)
{
    for (size_t i = 0; pairs && i < count; i++) {
        free((char *)(uintptr_t)pairs[i].cert_file);
        free((char *)(uintptr_t)pairs[i].key_file);
    }
    free(pairs);
}

static void free_opts(weir_tls_opts *opts)
{
    free((char *)(uintptr_t)opts->cert_file);
    free((char *)(uintptr_t)opts->key_file);
    free((char *)(uintptr_t)opts->ca_file);
    free((char *)(uintptr_t)opts->client_ca_file);
    free_pairs((weir_tls_pair *)(uintptr_t)opts->more, opts->more_count);
}

/** @return false: out of memory */
static bool copy(const char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static bool copy_pairs(weir_tls_opts *to, const weir_tls_opts *from)
{
    weir_tls_pair *pairs = calloc(from->more_count + 1, sizeof *pairs);
    to->more = pairs;
    to->more_count = pairs ? from->more_count : 0;
    bool ok = pairs;
    for (size_t i = 0; ok && i < from->more_count; i++)
        ok = copy(&pairs[i].cert_file, from->more[i].cert_file) &&
             copy(&pairs[i].key_file, from->more[i].key_file);
    return ok;
}

/** Every text is the copy's own, whatever is returned. @return false: out of memory */
static bool copy_opts(weir_tls_opts *to, const weir_tls_opts *from)
{
    *to = *from;
    to->alpn = NULL; /* has another form here */
    bool ok = copy(&to->cert_file, from->cert_file);
    ok = copy(&to->key_file, from->key_file) && ok;
    ok = copy(&to->ca_file, from->ca_file) && ok;
    ok = copy(&to->client_ca_file, from->client_ca_file) && ok;
    return copy_pairs(to, from) && ok;
}

static weir_err check_opts(const weir_tls_opts *opts, bool server, weir_why *why)
{
    if (server && !opts->cert_file)
        return weir_why_set(why, WEIR_EINVAL, "a TLS server needs a certificate (cert_file)");
    if (!opts->cert_file != !opts->key_file)
        return weir_why_set(why, WEIR_EINVAL, "cert_file and key_file go together");
    for (size_t i = 0; i < opts->more_count; i++)
        if (!opts->more[i].cert_file || !opts->more[i].key_file)
            return weir_why_set(why, WEIR_EINVAL, "cert_file and key_file go together");
    if (opts->max_version && opts->max_version < opts->min_version)
        return weir_why_set(why, WEIR_EINVAL, "max_version is below min_version");
    return WEIR_OK;
}

unsigned weir__tls_alpn_encode(const char *text, unsigned char *out, size_t room)
{
    size_t used = 0;
    while (*text) {
        size_t len = strcspn(text, ",");
        if (len == 0 || len > 255 || used + 1 + len > room)
            return 0;
        out[used++] = (unsigned char)len;
        memcpy(out + used, text, len);
        used += len;
        text += len + (text[len] == ',');
    }
    return (unsigned)used;
}

static weir_err keep_alpn(weir_tls *tls, const char *text, weir_why *why)
{
    unsigned char wire[ALPN_BYTES];
    if (!text)
        return WEIR_OK;
    tls->alpn_len = weir__tls_alpn_encode(text, wire, sizeof wire);
    if (tls->alpn_len == 0)
        return weir_why_set(why, WEIR_EINVAL, "alpn: \"%.60s\" is not of the form \"h2,http/1.1\"",
                            text);
    tls->alpn = malloc(tls->alpn_len);
    if (!tls->alpn)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    memcpy(tls->alpn, wire, tls->alpn_len);
    return WEIR_OK;
}

static weir_err open_key_log(weir_tls *tls, weir_why *why)
{
    const char *path = secure_getenv("SSLKEYLOGFILE");
    if (!path || !*path)
        return WEIR_OK;
    tls->key_log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (tls->key_log >= 0)
        return WEIR_OK;
    return weir_why_set(why, weir_err_from_errno(errno), "SSLKEYLOGFILE: cannot open %s: %s", path,
                        strerror(errno));
}

/* Making and ending */

static void destroy(weir_tls *tls)
{
    weir__tls_files_unref(tls->files);
    weir__tls_sessions_fini(&tls->sessions);
    pthread_mutex_destroy(&tls->lock);
    if (tls->key_log >= 0)
        close(tls->key_log);
    free(tls->alpn);
    free_opts(&tls->opts);
    free(tls);
}

static weir_err fill(weir_tls *tls, const weir_tls_opts *opts, weir_why *why)
{
    if (!copy_opts(&tls->opts, opts))
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    weir_err err = check_opts(opts, tls->server, why);
    if (!err)
        err = keep_alpn(tls, opts->alpn, why);
    if (!err)
        err = open_key_log(tls, why);
    if (!err)
        err = weir__tls_files_new(&tls->files, tls, why);
    return err;
}

static weir_err make(weir_tls **out, bool server, const weir_tls_opts *opts, weir_why *why)
{
    static const weir_tls_opts defaults;
    opts = opts ? opts : &defaults;
    weir_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    atomic_init(&tls->refs, 1);
    tls->server = server;
    tls->key_log = -1;
    pthread_mutex_init(&tls->lock, NULL);
    weir__tls_sessions_init(&tls->sessions, opts->max_sessions ? opts->max_sessions : MAX_SESSIONS);
    weir_err err = fill(tls, opts, why);
    if (err)
        destroy(tls);
    else
        *out = tls;
    return err;
}

weir_err weir_tls_server_new(weir_tls **out, const weir_tls_opts *opts, weir_why *why)
{
    return make(out, true, opts, why);
}

weir_err weir_tls_client_new(weir_tls **out, const weir_tls_opts *opts, weir_why *why)
{
    return make(out, false, opts, why);
}

weir_tls *weir_tls_ref(weir_tls *tls)
{
    if (tls)
        atomic_fetch_add_explicit(&tls->refs, 1, memory_order_relaxed);
    return tls;
}

void weir_tls_unref(weir_tls *tls)
{
    if (tls && atomic_fetch_sub_explicit(&tls->refs, 1, memory_order_acq_rel) == 1)
        destroy(tls);
}

bool weir__tls_is_server(const weir_tls *tls)
{
    return tls->server;
}

/* The present files */

weir__tls_files *weir__tls_files_of(weir_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    weir__tls_files *files = tls->files;
    atomic_fetch_add(&files->refs, 1);
    pthread_mutex_unlock(&tls->lock);
    return files;
}

bool weir__tls_files_present(weir_tls *tls, const weir__tls_files *files)
{
    pthread_mutex_lock(&tls->lock);
    bool present = tls->files == files;
    pthread_mutex_unlock(&tls->lock);
    return present;
}

weir_err weir_tls_reload(weir_tls *tls, weir_why *why)
{
    weir__tls_files *files;
    weir_err err = weir__tls_files_new(&files, tls, why);
    if (err)
        return err;
    pthread_mutex_lock(&tls->lock);
    weir__tls_files *before = tls->files;
    tls->files = files;
    pthread_mutex_unlock(&tls->lock);
    weir__tls_files_unref(before);
    weir__tls_sessions_clear(&tls->sessions);
    return WEIR_OK;
}
