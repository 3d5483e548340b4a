/**
 * @file
 * Leader election: of all candidates, among all processes, at most one leads; when it goes, the one
 * that has waited longest is next.
 *
 * Each leadership has a term, a number larger than those of all leaders before it, which serves as
 * a fencing number as a lock's does (<weir/zk/lock.h> says how, and why it is needed).
 *
 * Candidates have ephemeral sequential nodes in a folder, which hold their data, and watch only the
 * one before their own. Those that want to know the leader (ops.leader_changed) watch its node too,
 * and read the line again, spread over 20 to 40 ms, when it goes.
 *
 * A lost connection: a leader is deposed after weir_zk_election_opts.unsure_us, before another one
 * can have been elected, and elected again, with the same term, if its session lives. When the
 * session has ended a candidate lines up again by itself, at the end.
 */
#ifndef WEIR_ZK_ELECTION_H
#define WEIR_ZK_ELECTION_H

#include <weir/zk/session.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_election weir_zk_election;

/** What a candidate is told, in the loop. Each may be NULL. The election may be freed in each of
 * them; `elected` and `deposed` take turns. */
typedef struct weir_zk_election_ops {
    /** It leads. @param term  above 0 */
    void (*elected)(weir_zk_election *election, int64_t term, void *user);
    /** It does not lead any more, or cannot be sure to. */
    void (*deposed)(weir_zk_election *election, void *user);
    /** Somebody leads, perhaps itself; once per term, but terms that are short may be left out.
     * While it is disconnected a candidate knows of the latest only.
     * @param data  the leader's; good until it returns */
    void (*leader_changed)(weir_zk_election *election, int64_t term, weir_str data, void *user);
    /** It does not take part any more: ZooKeeper does not let the session make nodes there, or it
     * is closed. To be freed. */
    void (*failed)(weir_zk_election *election, weir_err err, const char *why, void *user);
} weir_zk_election_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_election_opts {
    weir_str data;     /**< what others are told of it when it leads: an address, say; copied */
    bool secured;      /**< who has the session's credentials may do anything, others may read;
                            needs weir_zk_opts.auth; false: anybody may do anything */
    int64_t unsure_us; /**< without a connection, until a leader is deposed; 0: a sixth of the
                            session's timeout. More than a third is too late. */
} weir_zk_election_opts;

/**
 * Becomes a candidate.
 * @param out   yours until weir_zk_election_free()
 * @param zk    borrowed, must outlive the election
 * @param path  of the election's folder, which is made when it is not there; it must hold nothing
 *              else
 * @param ops   borrowed, so a static const; NULL: none
 * @param user  last argument of the callbacks
 * @param opts  copied; NULL is all defaults
 * @thread the session's loop, or any before the loop runs
 * @errors WEIR_EINVAL: the path does not begin with "/", ends with it, or is too long; `secured`
 *         without credentials. WEIR_EFULL: too many operations wait in the session. WEIR_ECLOSED:
 *         the session is closed. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_election_new(weir_zk_election **out, weir_zk *zk,
                                                       const char *path,
                                                       const weir_zk_election_ops *ops, void *user,
                                                       const weir_zk_election_opts *opts);

/** Withdraws, without a callback; threads in weir_zk_election_lead_until() get WEIR_ECANCELED.
 * NULL is fine. @thread the session's loop */
WEIR_API void weir_zk_election_free(weir_zk_election *election);

/**
 * Goes to the end of the line: another candidate leads, or itself again if there is none. A leader
 * is `deposed` within this call. In another thread than the loop's it waits for a turn of the loop.
 * @thread any
 * @errors WEIR_EFULL, WEIR_ENOMEM, WEIR_ECLOSED: nothing has changed. WEIR_ESTATE: it has failed.
 *         WEIR_ECANCELED: the loop has ended.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_election_resign(weir_zk_election *election);

/** Its term, while it leads; 0: it does not. May be out of date as soon as it is read.
 * @thread any */
WEIR_API int64_t weir_zk_election_term(const weir_zk_election *election);

/**
 * Waits until it leads.
 * @param term  on success; may be NULL
 * @param why   a sentence on failure; may be NULL
 * @thread any but the loop's, which must run; several may wait
 * @errors WEIR_ETIMEDOUT: others lead, or ZooKeeper is away. WEIR_ECANCELED: the election was
 *         freed. WEIR_ESTATE: this is the loop's thread. What weir_zk_election_ops.failed was told.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_election_lead_until(weir_zk_election *election,
                                                              weir_time deadline, int64_t *term,
                                                              weir_why *why);

WEIR_END_DECLS

#endif
