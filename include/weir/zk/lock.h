/**
 * @file
 * Exclusive lock: at most one holder among all processes, in the order of arrival.
 *
 * Each acquisition has a fencing number, larger than those of all acquisitions of this lock before
 * it: hand it to what the lock guards, and let that refuse numbers smaller than the largest one
 * that it has seen. This is what makes a lock safe: a holder that was stopped, or cut off, believes
 * for a while that it holds what ZooKeeper has already given to the next one.
 *
 * The lock is a folder; who waits has an ephemeral sequential node in it, and watches only the one
 * before its own. The fencing number is the id of the transaction that made the node, which also
 * grows when the folder was removed and made again; only wiping ZooKeeper's data starts it anew.
 *
 * A lost connection: who waits goes on waiting, at its place if the session lives, else at the end
 * of the line. Who holds is told `unsure` after weir_zk_lock_opts.unsure_us, before ZooKeeper can
 * have given the lock away: stop what it guards. `sure` follows (go on) or `lost` (it is another's
 * by now, perhaps). Without either the session was found again soon enough.
 *
 * A weir_zk_lock is one holder: who wants several in a process makes several.
 */
#ifndef WEIR_ZK_LOCK_H
#define WEIR_ZK_LOCK_H

#include <weir/zk/session.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_lock weir_zk_lock;

typedef enum weir_zk_lock_state {
    WEIR_ZK_LOCK_FREE, /**< by us: others may have it */
    WEIR_ZK_LOCK_WAITING,
    WEIR_ZK_LOCK_HELD,
    WEIR_ZK_LOCK_UNSURE /**< held, without a connection for too long */
} weir_zk_lock_state;

/** The end of an acquisition. Good until the callback returns. */
typedef struct weir_zk_lock_result {
    weir_err err;
    int64_t fence;   /**< the fencing number, above 0; 0 after an error */
    const char *why; /**< a sentence; "" after WEIR_OK */
} weir_zk_lock_result;

typedef void (*weir_zk_lock_fn)(weir_zk_lock *lock, const weir_zk_lock_result *result, void *user);

/** What happens to a lock that is held, in the loop. Each may be NULL. The lock may be released, or
 * freed, in each of them. */
typedef struct weir_zk_lock_ops {
    void (*unsure)(weir_zk_lock *lock, void *user);
    void (*sure)(weir_zk_lock *lock, void *user);
    /** The session has ended, or somebody has removed the node: the lock is FREE, and may be
     * acquired again. */
    void (*lost)(weir_zk_lock *lock, void *user);
} weir_zk_lock_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_lock_opts {
    const char *holder; /**< data of the node, for people who look; NULL: none */
    bool secured;       /**< who has the session's credentials may do anything, others may read;
                             needs weir_zk_opts.auth; false: anybody may do anything */
    int64_t unsure_us;  /**< without a connection, until `unsure`; 0: a sixth of the session's
                             timeout. More than a third is too late. */
} weir_zk_lock_opts;

/**
 * @param out   yours until weir_zk_lock_free()
 * @param zk    borrowed, must outlive the lock
 * @param path  of the lock's folder, which is made when it is not there; it must hold nothing else
 * @param ops   borrowed, so a static const; NULL: none
 * @param user  last argument of the callbacks
 * @param opts  copied; NULL is all defaults
 * @thread the session's loop, or any before the loop runs
 * @errors WEIR_EINVAL: the path does not begin with "/", ends with it, or is too long. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_lock_new(weir_zk_lock **out, weir_zk *zk,
                                                   const char *path, const weir_zk_lock_ops *ops,
                                                   void *user, const weir_zk_lock_opts *opts);

/** Releases it; an acquisition that has not ended gets WEIR_ECANCELED within this call, and nothing
 * is called afterwards. NULL is fine. @thread the session's loop, and no thread waits for it */
WEIR_API void weir_zk_lock_free(weir_zk_lock *lock);

/**
 * Lines up for the lock. After WEIR_OK `fn` comes exactly once, never inside the call, with WEIR_OK
 * (it is held until weir_zk_lock_release(), or `lost`) or with
 * - WEIR_ETIMEDOUT: not within `wait_us`. The sentence says whether ZooKeeper was away, or another
 *   one has it.
 * - WEIR_ECANCELED: weir_zk_lock_cancel(), or the lock or the session was freed.
 * - WEIR_EACCES, WEIR_EINVAL, WEIR_ESTATE: ZooKeeper does not let this session make nodes there.
 *
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop
 * @errors WEIR_ESTATE: this object holds it or waits for it. WEIR_EFULL: too many operations wait
 *         in the session. WEIR_ECLOSED: the session is closed. WEIR_EINVAL: `secured` without
 *         credentials. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_lock_acquire(weir_zk_lock *lock, int64_t wait_us,
                                                       weir_zk_lock_fn fn, void *user);

/** The same without waiting for others: WEIR_EAGAIN when one is before us. ZooKeeper's answer is
 * waited for; while it is away, for `wait_us`. @thread the session's loop */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_lock_try_acquire(weir_zk_lock *lock, int64_t wait_us,
                                                           weir_zk_lock_fn fn, void *user);

/** An acquisition that waits ends with WEIR_ECANCELED, within this call; else nothing happens.
 * @thread the session's loop */
WEIR_API void weir_zk_lock_cancel(weir_zk_lock *lock);

/**
 * Gives the lock away: the next one has it as soon as ZooKeeper knows. While ZooKeeper is away that
 * is remembered, and done as soon as it is there. In another thread than the loop's it waits for a
 * turn of the loop.
 * @thread any
 * @errors WEIR_ESTATE: it is not held: it was `lost` meanwhile, perhaps. WEIR_ECANCELED: the loop
 *         has ended.
 */
WEIR_API weir_err weir_zk_lock_release(weir_zk_lock *lock);

/** What the loop knows; may be another one as soon as it is read. @thread any */
WEIR_API weir_zk_lock_state weir_zk_lock_get_state(const weir_zk_lock *lock);

/** Of the acquisition that holds; 0: it is not held. @thread any */
WEIR_API int64_t weir_zk_lock_fence(const weir_zk_lock *lock);

/**
 * weir_zk_lock_acquire() for a thread that waits.
 * @param fence  the fencing number, on success; may be NULL
 * @param why    a sentence on failure; may be NULL
 * @thread any but the loop's, which must run
 * @errors as weir_zk_lock_acquire() and its callback; WEIR_ESTATE: this is the loop's thread.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_lock_acquire_until(weir_zk_lock *lock, weir_time deadline,
                                                             int64_t *fence, weir_why *why);

/** weir_zk_lock_try_acquire() for a thread that waits. @thread any but the loop's, which must run
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_lock_try_acquire_until(weir_zk_lock *lock,
                                                                 weir_time deadline, int64_t *fence,
                                                                 weir_why *why);

WEIR_END_DECLS

#endif
