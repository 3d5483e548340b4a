/**
 * @file
 * Overload protection: an interceptor for servers that lets so many calls run at a time, fixed or
 * learned from how long they take. More wait in a short queue, each client in a line of its own,
 * and what does not fit there, or would come too late, ends at once with RESOURCE_EXHAUSTED: so the
 * server does what can still be of use, and a greedy client takes nothing from the others.
 *
 * A call counts from where it is let in until it is closed; for a handler that blocks that includes
 * its wait for a worker, and its work where that goes on after the call's end. Streams and the
 * standard services (health, reflection, channelz) are neither counted nor limited, unless it is
 * asked for. Below the limit a call costs two atomic operations and, if there is a queue or the
 * limit is learned, two looks at the clock.
 *
 * Put it inside the interceptors that find out who the client is, and outside those that work hard.
 */
#ifndef WEIR_BUILTIN_OVERLOAD_H
#define WEIR_BUILTIN_OVERLOAD_H

#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** Shared by any threads, and by several servers if they share what they wait for. */
typedef struct weir_overload weir_overload;

/** Which calls are one client's. */
typedef enum weir_overload_key {
    WEIR_OVERLOAD_PER_ADDRESS,  /**< the socket's, without its port; IPv6: the /64; unix sockets are
                                     one. Clients behind one proxy are one client. */
    WEIR_OVERLOAD_PER_IDENTITY, /**< weir_call_identity(); calls without one together */
    WEIR_OVERLOAD_PER_METADATA, /**< the first value of opts.key_metadata; calls without together */
    WEIR_OVERLOAD_ALL           /**< all are one: no fairness */
} weir_overload_key;

/** What holds for some methods. */
typedef struct weir_overload_rule {
    const char *path;        /**< "/pkg.Service/Method"; with a "/" at its end all that begins so:
                                "/pkg.Service/" */
    uint32_t max_concurrent; /**< of these calls together, streams too, with a queue of their own
                                  before that of the server; 0: only the server's limit */
    bool exempt;             /**< neither counted nor limited */
} weir_overload_rule;

/** A zeroed field means the default written beside it. */
typedef struct weir_overload_opts {
    uint32_t max_concurrent; /**< calls at a time; with `adaptive` the most that may be learned, and
                                  0 is 1000 then; 0 without: only `rules` limit */
    bool adaptive;           /**< learn the limit; see docs/decisions/0016-overload.md */
    uint32_t min_concurrent; /**< adaptive: never less. The limit is that low for a moment whenever
                                  latency without load is measured, so no more than the server can
                                  really do at a time; 0: 4 */
    uint32_t tolerance_percent; /**< adaptive: latency may be so much above that without load; 0: 25
                                 */
    int64_t probe_us; /**< adaptive: between measurements of latency without load, +-10 %; 0: 30 s
                       */
    uint32_t queue;   /**< calls that wait; the next one takes the place of the longest waiting of
                           the client that has most; 0: 256 */
    bool no_queue;    /**< instead: beyond the limit calls end at once */
    int64_t queue_us; /**< a call waits at most so long, then it ends; a client whose calls have
                           waited without a break for longer is served newest first; 0: 100 ms */
    weir_overload_key key;    /**< 0: WEIR_OVERLOAD_PER_ADDRESS */
    const char *key_metadata; /**< lower case, copied */
    uint32_t lines; /**< for clients, rounded up to a power of two, at most 65536; keys that fall
                         into one line share it: memory is bounded by it. 0: 256 */
    int64_t pushback_us;             /**< refused calls tell clients to retry after so long, +-20 %
                                          ("grpc-retry-pushback-ms", gRFC A6), and not at all where their
                                          deadline is too near; 0: nothing is said */
    bool streams;                    /**< streaming calls count, as long as they last */
    bool standard;                   /**< the standard services count */
    const weir_overload_rule *rules; /**< copied; the first that fits holds */
    size_t rule_count;               /**< at most 1000 */
} weir_overload_opts;

/**
 * @param opts  copied
 * @param why   a sentence on failure; may be NULL
 * @thread any
 * @errors WEIR_EINVAL: nothing is limited, bounds that contradict each other, a time that is
 *         negative, PER_METADATA without a name, or a rule without a path. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_overload_new(weir_overload **out,
                                                    const weir_overload_opts *opts, weir_why *why);
/** When no server uses it. NULL is fine. @thread any */
WEIR_API void weir_overload_free(weir_overload *overload);

/** Of the server's limit, not of the rules'. */
typedef struct weir_overload_stats {
    uint32_t limit;     /**< now */
    uint32_t in_flight; /**< calls that run */
    uint32_t waiting;
    uint64_t refused;   /**< there was no room, or they had waited for opts.queue_us */
    uint64_t too_late;  /**< not run: less time was left than calls take */
    int64_t no_load_us; /**< adaptive: what calls take without load; 0: not known yet */
    int64_t service_us; /**< what calls take now; 0: not known */
} weir_overload_stats;
/** @thread any */
WEIR_API void weir_overload_get_stats(weir_overload *overload, weir_overload_stats *out);

/**
 * Server: `user` is a weir_overload, borrowed. A call that is refused ends with RESOURCE_EXHAUSTED
 * and says why; one whose deadline passes while it waits with DEADLINE_EXCEEDED.
 */
extern WEIR_API const weir_interceptor weir_overload_limit;

WEIR_END_DECLS

#endif
