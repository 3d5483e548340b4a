/**
 * @file
 * Questions to name servers, on c-ares, which is seen by lookup_ares.c only.
 */
#ifndef WEIR_NET_LOOKUP_ARES_H
#define WEIR_NET_LOOKUP_ARES_H

#include <weir/net/lookup.h>

/** What is known so far. */
typedef struct weir__answers {
    weir_addr addrs[WEIR_LOOKUP_MAX]; /* those of IPv6 first */
    size_t count;
    unsigned open; /* families that have not answered */
    weir_err err;  /* of a family without an address */
} weir__answers;

typedef struct weir__questions weir__questions;

/** A family has answered. May come inside weir__questions_ask(). Must not close the questions. */
typedef void (*weir__answered_fn)(void *user);

/** Adds what /etc/hosts has for `host`, without a port. @errors WEIR_ENOMEM, WEIR_ELOOKUP: nothing
 */
weir_err weir__hosts_find(const char *host, weir__answers *answers);

/**
 * Asks name servers for the addresses of `host` in both families.
 * @param answers  filled while `fn` comes; not after weir__questions_close()
 * @errors WEIR_EINVAL: `opts->servers` cannot be read. WEIR_ENOMEM.
 */
weir_err weir__questions_ask(weir__questions **out, weir_loop *loop, const char *host,
                             const weir_lookup_opts *opts, weir__answers *answers,
                             weir__answered_fn fn, void *user);

/** Drops what is unanswered and closes the sockets. NULL is fine. */
void weir__questions_close(weir__questions *questions);

#endif
