/**
 * @file
 * Targets of channels (grpc/doc/naming.md), read.
 */
#ifndef WEIR_RPC_CHANNEL_TARGET_H
#define WEIR_RPC_CHANNEL_TARGET_H

#include <weir/base/err.h>

typedef struct weir__target {
    char lookup[300];    /* for weir_lookup_start() */
    char servers[80];    /* name servers, of dns://SERVER/HOST; "": the system's */
    char authority[300]; /* ":authority" of calls */
} weir__target;

/** @errors WEIR_EINVAL with a sentence; `out` is usable then, but leads nowhere */
WEIR_MUST_CHECK weir_err weir__target_read(weir__target *out, const char *target, weir_why *why);

#endif
