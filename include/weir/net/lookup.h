/**
 * @file
 * Lookup: from a target such as "db.example:5432" to addresses, without blocking the loop.
 *
 * /etc/hosts comes first; then the name servers are asked for IPv6 and IPv4 at the same time, with
 * /etc/resolv.conf read anew, so that a change needs no restart. When one family has answered, the
 * other gets `family_wait_us` more (RFC 8305, section 3): a server that never answers for one
 * family does not hold back the other.
 */
#ifndef WEIR_NET_LOOKUP_H
#define WEIR_NET_LOOKUP_H

#include <weir/net/addr.h>
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

/** Addresses that one lookup gives at most; more are left out. */
#define WEIR_LOOKUP_MAX 64

typedef struct weir_lookup weir_lookup;

/**
 * The end of a lookup; the `weir_lookup *` is gone. `addrs` (at least one after WEIR_OK, IPv6
 * first, each family in the order of RFC 6724) and `why` (a sentence, "" after WEIR_OK) are valid
 * until it returns.
 *
 * WEIR_ELOOKUP: there is no such name, or it has no address, or no name server could be asked.
 * WEIR_ETIMEDOUT: no name server has answered. WEIR_ENOMEM.
 */
typedef void (*weir_lookup_fn)(weir_err err, const weir_addr *addrs, size_t count, const char *why,
                               void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_lookup_opts {
    int64_t timeout_us;     /**< of the whole; 0: 10 s */
    int64_t query_us;       /**< until a question is repeated or the next server is asked, doubled
                                 after each round; 0: 2 s */
    int64_t family_wait_us; /**< for the other family after the first answer; 0: 50 ms */
    const char *servers;    /**< "127.0.0.1:5353,[::1]:53"; NULL: those of /etc/resolv.conf */
} weir_lookup_opts;

/**
 * Begins to look `target` up: "HOST:PORT" with a name or a number for each, or a form that
 * weir_addr_parse() reads ("localhost" is a name here: both its addresses are found).
 *
 * After WEIR_OK `fn` comes exactly once, never inside this call, unless weir_lookup_cancel() is
 * called before. After any other result it never comes.
 * @param out   good until `fn` is called
 * @param opts  copied, the servers too; NULL is all defaults
 * @param why   a sentence on failure; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EINVAL: not a target, or no such service, or `servers` cannot be read. WEIR_ELOOKUP:
 *         /etc/resolv.conf cannot be read. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_lookup_start(weir_lookup **out, weir_loop *loop,
                                                    const char *target,
                                                    const weir_lookup_opts *opts, weir_lookup_fn fn,
                                                    void *user, weir_why *why);

/** `fn` will not come; the lookup is gone, and so are its sockets. NULL is fine. @thread the
 * loop's */
WEIR_API void weir_lookup_cancel(weir_lookup *lookup);

WEIR_END_DECLS

#endif
