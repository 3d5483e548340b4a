/**
 * @file
 * Listener: a listening socket in a loop. Hands out connected descriptors.
 */
#ifndef WEIR_NET_LISTENER_H
#define WEIR_NET_LISTENER_H

#include <weir/net/addr.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

typedef struct weir_listener weir_listener;

/** A new connection: `fd` is non-blocking, close-on-exec and the callback's to close. */
typedef void (*weir_accept_fn)(weir_listener *listener, int fd, const weir_addr *peer, void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_listener_opts {
    int backlog;     /**< 0: 4096 (the kernel cuts it to somaxconn) */
    bool reuse_port; /**< SO_REUSEPORT: several listeners share the port */
    bool v6_only;    /**< an IPv6 address does not take IPv4 connections; else "[::]:80" takes both,
                          and IPv4 peers show as such */
    int fd; /**< a listening socket that was inherited; owned from the call on, whatever comes
                 back; `addr` is not bound then. 0: none */
} weir_listener_opts;

/**
 * Binds `addr` and accepts in `loop`, every waiting connection at each wake-up. When descriptors
 * run out, waiting connections are refused with a close (a reserve descriptor makes that possible)
 * instead of spinning, with a log line a second at most.
 * @param out  yours until weir_listener_close()
 * @param why  a sentence on failure, with the address; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EADDRINUSE, WEIR_EACCES, WEIR_EADDRNOTAVAIL: from bind. WEIR_EMFILE, WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_listener_open(weir_listener **out, weir_loop *loop,
                                                     const weir_addr *addr, weir_accept_fn fn,
                                                     void *user, const weir_listener_opts *opts,
                                                     weir_why *why);

/** The bound address, with the port that port 0 became. */
WEIR_API const weir_addr *weir_listener_addr(const weir_listener *listener);

/** Accepts what waits now: before a close, which would reset those connections. @thread the
 * loop's */
WEIR_API void weir_listener_accept_now(weir_listener *listener);

/** Stops accepting and frees it; the path of a unix socket that it has bound is removed.
 * @thread the loop's */
WEIR_API void weir_listener_close(weir_listener *listener);

WEIR_END_DECLS

#endif
