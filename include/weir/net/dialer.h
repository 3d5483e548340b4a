/**
 * @file
 * Dialer: one connection to whichever of several addresses answers first ("Happy Eyeballs",
 * RFC 8305). Families take turns, beginning with that of the first address; an attempt begins when
 * the one before it has failed, or has not answered for `stagger_us`. The others are dropped when
 * one succeeds.
 */
#ifndef WEIR_NET_DIALER_H
#define WEIR_NET_DIALER_H

#include <weir/net/addr.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

/** Addresses that one dialer tries; more are not tried. */
#define WEIR_DIALER_MAX 64

typedef struct weir_dialer weir_dialer;

/**
 * The end of dialing; the `weir_dialer *` is gone. After WEIR_OK `fd` is connected, non-blocking
 * and the callback's to close. Else it is -1, and `err` tells why the last attempt failed, or
 * WEIR_ETIMEDOUT.
 * @param peer  whose result it is; valid until the callback returns
 */
typedef void (*weir_dial_fn)(weir_err err, int fd, const weir_addr *peer, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_dialer_opts {
    int64_t timeout_us; /**< of the whole; 0: 20 s */
    int64_t stagger_us; /**< between attempts while none has an answer; 0: 250 ms */
} weir_dialer_opts;

/**
 * Begins to connect. A connection to oneself (a port that happens to be our own) counts as refused.
 *
 * After WEIR_OK `fn` comes exactly once, never inside this call, unless weir_dialer_cancel() is
 * called before. After any other result it never comes.
 * @param out    good until `fn` is called
 * @param addrs  copied
 * @param opts   copied; NULL is all defaults
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EINVAL: no address. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_dialer_start(weir_dialer **out, weir_loop *loop,
                                                    const weir_addr *addrs, size_t count,
                                                    const weir_dialer_opts *opts, weir_dial_fn fn,
                                                    void *user);

/** `fn` will not come; the dialer is gone, and so are its sockets. NULL is fine. @thread the
 * loop's */
WEIR_API void weir_dialer_cancel(weir_dialer *dialer);

WEIR_END_DECLS

#endif
