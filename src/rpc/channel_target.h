/**
 * @file
 * Targets of channels (grpc/doc/naming.md), read.
 */
#ifndef WEIR_RPC_CHANNEL_TARGET_H
#define WEIR_RPC_CHANNEL_TARGET_H

#include <weir/naming/resolver.h>

typedef struct weir__target {
    const weir_resolver_type *resolver; /* NULL: the target is one place, `lookup` */
    bool is_dns;                        /* a name, which may have several addresses */
    char lookup[300];                   /* for weir_lookup_start() */
    char servers[300]; /* the authority of "SCHEME://AUTHORITY/PATH": of dns, the name servers; "":
                          the system's */
    const char *path;  /* for the resolver; in `target`, or in `lookup` */
    char authority[300]; /* ":authority" of calls; "": each endpoint has its own */
} weir__target;

/**
 * @param target  borrowed
 * @param types   more kinds than weir's own; they come first
 * @errors WEIR_EINVAL with a sentence; `out` is usable then, but leads nowhere
 */
WEIR_MUST_CHECK weir_err weir__target_read(weir__target *out, const char *target,
                                           const weir_resolver_type *const *types,
                                           size_t type_count, weir_why *why);

#endif
