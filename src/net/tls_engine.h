/**
 * @file
 * One connection's TLS without a socket: sealed bytes come and go through two functions of the
 * owner's. Nothing of OpenSSL's is seen here.
 */
#ifndef WEIR_NET_TLS_ENGINE_H
#define WEIR_NET_TLS_ENGINE_H

#include <sys/types.h>
#include <weir/net/tls.h>

typedef struct weir__tls_engine weir__tls_engine;

typedef struct weir__tls_io {
    /** Sealed bytes of the peer. @return how many, 0 at the end of the stream, -1: none now */
    ssize_t (*read)(void *user, void *out, size_t len);
    /** Sealed bytes for the peer: all of them are taken. @return false: out of memory */
    bool (*write)(void *user, const void *bytes, size_t len);
} weir__tls_io;

enum {
    WEIR__TLS_RECORD = 16384 /* bytes of the owner's that a record carries at most */
};

/**
 * @param name  a client's: the server's name or address, for SNI and the check; copied; NULL at a
 *              server
 * @param alpn  protocols, if the context names none; NULL: none
 * @errors WEIR_EINVAL: a client without a name, unless its context is `insecure`, or a name or
 *         protocol that cannot be. WEIR_ENOMEM
 */
WEIR_MUST_CHECK weir_err weir__tls_engine_new(weir__tls_engine **out, weir_tls *tls,
                                              const char *name, const char *alpn,
                                              const weir__tls_io *io, void *user);
/** NULL is fine. */
void weir__tls_engine_free(weir__tls_engine *engine);

bool weir__tls_is_server(const weir_tls *tls);

/** @errors WEIR_EAGAIN: more of the peer's bytes are wanted. WEIR_ETLS, WEIR_ECERT: `why` says what
 *         went wrong. WEIR_ECONNRESET: the stream has ended. WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__tls_handshake(weir__tls_engine *engine, weir_why *why);

/**
 * Bytes of the peer's application, after the handshake.
 * @param got  at most `len`, more than 0 with WEIR_OK
 * @errors WEIR_EAGAIN: all that has come is read. WEIR_ECLOSED: the peer has ended its direction,
 *         as it should. Others as weir__tls_handshake()
 */
WEIR_MUST_CHECK weir_err weir__tls_read(weir__tls_engine *engine, void *out, size_t len,
                                        size_t *got, weir_why *why);

/** Seals `len` bytes: a record for each WEIR__TLS_RECORD of them. @errors WEIR_ETLS, WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err weir__tls_write(weir__tls_engine *engine, const void *bytes, size_t len,
                                         weir_why *why);

/** Writes close_notify, once; nothing can be sealed after it. */
void weir__tls_end(weir__tls_engine *engine);

/** Made anew: one reference, the caller's. NULL: out of memory. */
weir_tls_info *weir__tls_info_new(const weir__tls_engine *engine);

#endif
