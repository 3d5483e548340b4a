/**
 * @file
 * Rate limit: an interceptor for servers that ends calls with RESOURCE_EXHAUSTED, at once, when
 * more come than are allowed. Without locks: one word per slot, shared by all loops (GCRA, a leaky
 * bucket).
 */
#ifndef WEIR_BUILTIN_RATE_LIMIT_H
#define WEIR_BUILTIN_RATE_LIMIT_H

#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** Counted, shared by any threads. */
typedef struct weir_rate_limiter weir_rate_limiter;

/** Whose calls are counted together. */
typedef enum weir_rate_key {
    WEIR_RATE_ALL,
    WEIR_RATE_PER_METHOD,
    WEIR_RATE_PER_ADDRESS, /**< the client's, without its port; unix sockets are one */
    WEIR_RATE_PER_IDENTITY /**< weir_call_identity(); calls without one together */
} weir_rate_key;

/** A zeroed field means the default written beside it. */
typedef struct weir_rate_limit_opts {
    double per_second; /**< calls in the long run, more than 0 */
    uint32_t burst;    /**< calls at once after silence; 0: one second's, at least 1 */
    weir_rate_key key; /**< 0: WEIR_RATE_ALL */
    /** Places for keys, rounded up to a power of two; keys that fall into one place share its
     * limit: memory is bounded by it. 0: 4096; one for WEIR_RATE_ALL */
    uint32_t slots;
} weir_rate_limit_opts;

/**
 * @param opts  copied
 * @thread any
 * @errors WEIR_EINVAL: per_second. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_rate_limiter_new(weir_rate_limiter **out,
                                                        const weir_rate_limit_opts *opts);
/** When no server uses it. NULL is fine. @thread any */
WEIR_API void weir_rate_limiter_free(weir_rate_limiter *limiter);

/**
 * For uses of one's own: whether one more is allowed now.
 * @param wait_us  when not: so long until it would be; may be NULL
 * @thread any
 */
WEIR_API bool weir_rate_limiter_take(weir_rate_limiter *limiter, weir_str key, weir_time now,
                                     int64_t *wait_us);

/** Server: `user` is a weir_rate_limiter, borrowed. */
extern WEIR_API const weir_interceptor weir_rate_limit;

WEIR_END_DECLS

#endif
