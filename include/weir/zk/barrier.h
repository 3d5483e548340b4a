/**
 * @file
 * Double barrier: so many participants begin together, and end together.
 *
 * Who enters waits until as many participants are there as the barrier wants; who leaves waits
 * until all who entered together have left. Then the barrier serves the next ones: those who come
 * while a round is inside, or who are too many for it, wait for the next round, in order of their
 * arrival.
 *
 * The barrier is a folder. Each participant has an ephemeral node in it, so one that dies, or whose
 * session ends, counts as not there before the barrier opens, and as having left afterwards. The
 * folder's data name the participants of a round; whoever completes it writes them, with a check of
 * the version, so that all agree on who is in. While one waits ZooKeeper wakes it when the round
 * opens, and else only when the one before it has gone.
 *
 * A lost connection changes nothing. When the session ends, who still waits lines up anew, unless
 * the others have begun with it; who is inside is told `lost`: the others do not wait for it any
 * more, it can wait for them all the same.
 *
 * A weir_zk_barrier is one participant: who wants several in a process makes several.
 */
#ifndef WEIR_ZK_BARRIER_H
#define WEIR_ZK_BARRIER_H

#include <weir/zk/node.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_barrier weir_zk_barrier;

/** The largest number of participants of a round. */
#define WEIR_ZK_BARRIER_MAX 1000

/** The end of entering or leaving. The barrier may be used again, or freed.
 * @param why  a sentence; "" after WEIR_OK */
typedef void (*weir_zk_barrier_fn)(weir_zk_barrier *barrier, weir_err err, const char *why,
                                   void *user);

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_barrier_opts {
    unsigned flags; /**< of the nodes: WEIR_ZK_READABLE or WEIR_ZK_PRIVATE; 0: anybody */
    /** The session has ended while the barrier was entered and not left: others may leave without
     * this one. Comes in the loop; the barrier may be left, or freed, in it. NULL: nobody asks. */
    void (*lost)(weir_zk_barrier *barrier, void *user);
    void *user; /**< last argument of `lost` */
} weir_zk_barrier_opts;

/**
 * @param out    yours until weir_zk_barrier_free()
 * @param zk     borrowed: free the barrier first
 * @param path   of the barrier's folder, which is made when it is not there; it must hold nothing
 *               else; copied
 * @param count  so many make a round, the same for all; 1 to WEIR_ZK_BARRIER_MAX
 * @param opts   copied; NULL is all defaults
 * @thread the session's loop's, or any before it runs
 * @errors WEIR_EINVAL: not a path, or no such count. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_barrier_new(weir_zk_barrier **out, weir_zk *zk,
                                                      const char *path, unsigned count,
                                                      const weir_zk_barrier_opts *opts);

/** Leaves without waiting for anybody. What has not ended gets WEIR_ECANCELED within this call, and
 * nothing is called afterwards. Fine in callbacks; NULL is fine. @thread the session's loop's */
WEIR_API void weir_zk_barrier_free(weir_zk_barrier *barrier);

/**
 * Waits for the others. After WEIR_OK `fn` comes exactly once, never inside the call, with WEIR_OK
 * (the round has begun: weir_zk_barrier_leave() is to follow), or with one of these, after which it
 * is outside:
 * - WEIR_ETIMEDOUT: not within `wait_us`; the sentence says how many were there. At that very
 *   moment the others may have begun; for them this one has left.
 * - WEIR_ECLOSED: the session has ended just when the others began with it.
 * - WEIR_ECANCELED: the barrier or the session was freed.
 * - WEIR_EACCES, WEIR_EINVAL, WEIR_ESTATE: ZooKeeper does not let this session make nodes there.
 *
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors WEIR_ESTATE: it is not outside. WEIR_EFULL, WEIR_ECLOSED, WEIR_EINVAL, WEIR_ENOMEM: as
 *         weir_zk_create().
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_barrier_enter(weir_zk_barrier *barrier, int64_t wait_us,
                                                        weir_zk_barrier_fn fn, void *user);

/**
 * Waits until all of the round have left. After WEIR_OK `fn` comes exactly once, never inside the
 * call, with WEIR_OK, or with WEIR_ETIMEDOUT: some have not left within `wait_us`; or with the
 * others of weir_zk_barrier_enter(). Whatever it is, this one is outside then.
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors WEIR_ESTATE: it has not entered. WEIR_EFULL, WEIR_ECLOSED, WEIR_ENOMEM: as
 *         weir_zk_children(); it is inside still.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_barrier_leave(weir_zk_barrier *barrier, int64_t wait_us,
                                                        weir_zk_barrier_fn fn, void *user);

/* The same for a thread that waits; what `fn` would be told is returned. @param why  a sentence on
 * failure; may be NULL. WEIR_ESTATE also: this is the loop's thread. */

/** @thread any but the session's loop's, which must run */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_barrier_enter_until(weir_zk_barrier *barrier,
                                                              weir_time deadline, weir_why *why);
/** @thread any but the session's loop's, which must run */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_barrier_leave_until(weir_zk_barrier *barrier,
                                                              weir_time deadline, weir_why *why);

WEIR_END_DECLS

#endif
