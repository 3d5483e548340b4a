/**
 * @file
 * Unique ids: numbers from 1 to 2^63 - 1 that no other process gets, ever, without asking ZooKeeper
 * for each.
 *
 * A node holds the first number that nobody has been given, as text. Who needs ids adds a block's
 * size to it, if nobody else has changed it meanwhile, and has the numbers in between. Two blocks
 * are kept: the second is leased when half of the first has been used, so that a steady program
 * never waits. What a process has not used when it ends is lost, as is a block whose lease
 * ZooKeeper did not confirm; no id is ever given twice.
 *
 * Within a weir_zk_ids ids increase; between processes their order tells nothing. While ZooKeeper
 * is away ids are given to the end of the blocks; then weir_zk_ids_next() says WEIR_EAGAIN, and who
 * waits gets WEIR_ETIMEDOUT. It makes no difference whether the session lives.
 *
 * That ids are unique rests on the node: whoever deletes it or writes a smaller number there makes
 * ids be given again. Processes that have seen a larger one refuse to take part (WEIR_EPROTO). A
 * forked child must not use its parent's.
 */
#ifndef WEIR_ZK_IDS_H
#define WEIR_ZK_IDS_H

#include <weir/zk/session.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_ids weir_zk_ids;

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_ids_opts {
    uint32_t block; /**< ids leased at once; 0: 10,000. As many a second are given without waiting
                         as are in the block, times ZooKeeper's writes a second. */
    bool secured;   /**< who has the session's credentials may lease, others may read; needs
                         weir_zk_opts.auth; false: anybody may */
} weir_zk_ids_opts;

/**
 * Begins to lease.
 * @param out   yours until weir_zk_ids_free()
 * @param zk    borrowed, must outlive it
 * @param path  of the node, which is made when it is not there, like those above it
 * @param opts  copied; NULL is all defaults
 * @thread the session's loop, or any before the loop runs
 * @errors WEIR_EINVAL: the path does not begin with "/", ends with it, or is too long; `secured`
 *         without credentials. WEIR_EFULL: too many operations wait in the session. WEIR_ECLOSED:
 *         the session is closed. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_ids_new(weir_zk_ids **out, weir_zk *zk, const char *path,
                                                  const weir_zk_ids_opts *opts);

/** Those that wait get WEIR_ECANCELED within this call. NULL is fine.
 * @thread the session's loop, and no other thread uses it any more */
WEIR_API void weir_zk_ids_free(weir_zk_ids *ids);

/**
 * The next id: constant time, a short lock, no memory.
 * @param id  on success
 * @thread any
 * @errors WEIR_EAGAIN: there is none at the moment: wait for one. What leasing has failed with, for
 *         good: see weir_zk_ids_wait().
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_ids_next(weir_zk_ids *ids, int64_t *id);

typedef struct weir_zk_ids_waiter weir_zk_ids_waiter;

/** @param id  the id; 0 after an error @param why  a sentence; "" after WEIR_OK; good until it
 * returns */
typedef void (*weir_zk_ids_fn)(weir_zk_ids_waiter *waiter, weir_err err, int64_t id,
                               const char *why, void *user);

/** In the caller's object; zeroed is valid and does not wait. The fields are weir's own. */
struct weir_zk_ids_waiter {
    weir_list node;
    weir_timer limit;
    weir_zk_ids *ids;
    weir_zk_ids_fn fn;
    void *user;
};

/**
 * Waits for the next id. `fn` comes exactly once, never inside the call, but for
 * weir_zk_ids_cancel():
 * - WEIR_ETIMEDOUT: none within `wait_us`.
 * - WEIR_EACCES and the like: ZooKeeper does not let this session read or write the node.
 *   WEIR_EPROTO: the node holds no number, or one that is too small. WEIR_EFULL: there are no more
 *   numbers. These are for good.
 * - WEIR_ECANCELED: weir_zk_ids_free(), or the session was freed.
 *
 * @param waiter   yours; must live until then, and not wait already
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop
 */
WEIR_API void weir_zk_ids_wait(weir_zk_ids *ids, weir_zk_ids_waiter *waiter, int64_t wait_us,
                               weir_zk_ids_fn fn, void *user);

/** Its callback does not come. Nothing happens when it does not wait. @thread the session's loop */
WEIR_API void weir_zk_ids_cancel(weir_zk_ids_waiter *waiter);

/**
 * The next id, for a thread that waits if there is none.
 * @param why  a sentence on failure; may be NULL
 * @thread any but the loop's, which must run; several may wait
 * @errors as weir_zk_ids_wait(); WEIR_ESTATE: this is the loop's thread, and there is none.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_ids_next_until(weir_zk_ids *ids, weir_time deadline,
                                                         int64_t *id, weir_why *why);

WEIR_END_DECLS

#endif
