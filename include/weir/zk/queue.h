/**
 * @file
 * Queue of small items in ZooKeeper, for jobs that must not be forgotten: who takes an item has it
 * alone, and confirms when it is done. One that dies before that, or whose session ends, gives it
 * back, at its old place.
 *
 * Items come out in the order in which they were put. Each is delivered at least once; a second
 * time only if a consumer did not confirm it, or, with the same id, if a connection was lost in the
 * middle of a put and the item was taken and confirmed before the producer could look. Who cannot
 * bear that remembers ids.
 *
 * Below the queue's folder are `items`, with a persistent node for each; `claims`, with an
 * ephemeral node for each item that somebody has taken; and `line`, where consumers wait in order
 * of arrival: only the first of them watches for items, and each other one watches the one before
 * it. A take is about ten operations, and lists the items: meant for hundreds of items in a second,
 * not for thousands.
 */
#ifndef WEIR_ZK_QUEUE_H
#define WEIR_ZK_QUEUE_H

#include <weir/zk/node.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_queue weir_zk_queue;
/** Taken, and not done. */
typedef struct weir_zk_item weir_zk_item;

/** The largest weir_zk_queue_opts.length. */
#define WEIR_ZK_QUEUE_LENGTH 10000
/** So many puts, and so many takes, of one object may be under way. */
#define WEIR_ZK_QUEUE_WAITING 1000

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_queue_opts {
    size_t length;     /**< put refuses when so many are in the queue, those that are taken
                            included; by as many as put at the same moment it may be more; 0: 1000 */
    size_t item_bytes; /**< put refuses larger ones; 0: 64 KiB; at most WEIR_ZK_DATA_MAX */
    unsigned flags;    /**< of the nodes: WEIR_ZK_READABLE or WEIR_ZK_PRIVATE; 0: anybody */
    /** The session has ended with an item taken: another one gets it. Stop, and call
     * weir_zk_item_give_back(). Comes in the loop. NULL: nobody asks; done tells it too. */
    void (*lost)(weir_zk_queue *queue, weir_zk_item *item, void *user);
    void *user; /**< last argument of `lost` */
} weir_zk_queue_opts;

/** The end of a put or a confirmation. @param why  a sentence; "" after WEIR_OK */
typedef void (*weir_zk_queue_fn)(weir_err err, const char *why, void *user);
/** The end of a take. @param item  yours until it is done or given back; NULL after an error */
typedef void (*weir_zk_take_fn)(weir_err err, weir_zk_item *item, const char *why, void *user);

/**
 * @param out   yours until weir_zk_queue_free()
 * @param zk    borrowed: free the queue first
 * @param path  of the queue's folder, which is made when it is not there; copied
 * @param opts  copied; NULL is all defaults
 * @thread the session's loop's, or any before it runs
 * @errors WEIR_EINVAL: not a path, or opts beyond the limits. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_queue_new(weir_zk_queue **out, weir_zk *zk,
                                                    const char *path,
                                                    const weir_zk_queue_opts *opts);

/** Gives back what was taken and not done; those items are gone. What has not ended gets
 * WEIR_ECANCELED within this call, and nothing is called afterwards. Fine in callbacks; NULL is
 * fine. @thread the session's loop's, and no thread waits for it */
WEIR_API void weir_zk_queue_free(weir_zk_queue *queue);

/**
 * Puts an item at the end. After WEIR_OK `fn` comes exactly once, never inside the call, with
 * - WEIR_OK: it is in ZooKeeper. If the answer was lost on the way, it was looked for.
 * - WEIR_EFULL: the queue is as long as it may be.
 * - WEIR_ETIMEDOUT: not within `wait_us`; it may have been put or not.
 * - WEIR_ECANCELED: the queue or the session was freed; it may have been put or not.
 * - WEIR_EACCES and others, as <weir/zk/node.h> has them.
 *
 * Puts of one object keep their order, but for those between which the connection was lost.
 * @param data     copied
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors WEIR_EMSGSIZE: larger than item_bytes. WEIR_EFULL: WEIR_ZK_QUEUE_WAITING puts, or too
 *         many operations, are under way. WEIR_ECLOSED: the session is closed. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_queue_put(weir_zk_queue *queue, weir_str data,
                                                    int64_t wait_us, weir_zk_queue_fn fn,
                                                    void *user);

/**
 * Takes the first item that nobody has, or waits for one. After WEIR_OK `fn` comes exactly once,
 * never inside the call, with an item, or with WEIR_ETIMEDOUT, WEIR_ECANCELED and others as for
 * put: then nothing was taken. Several takes of one object are served one after the other.
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors as weir_zk_queue_put()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_queue_take(weir_zk_queue *queue, int64_t wait_us,
                                                     weir_zk_take_fn fn, void *user);

/** What was put. Good as long as the item. @thread any that has the item */
WEIR_API weir_str weir_zk_item_data(const weir_zk_item *item);
/** Of the put; random, so as good as unique. @thread any that has the item */
WEIR_API uint64_t weir_zk_item_id(const weir_zk_item *item);

/**
 * Confirms an item: it leaves the queue. Owns the item from the call on, whatever comes back.
 *
 * After WEIR_OK `fn` comes exactly once, never inside the call, with WEIR_OK: nobody will get it
 * any more; or with WEIR_ECLOSED (the session has ended), WEIR_ETIMEDOUT or others: another one may
 * get it again.
 * @param wait_us  WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors WEIR_ECLOSED: it was lost. WEIR_EFULL, WEIR_ENOMEM: it is given back.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_item_done(weir_zk_item *item, int64_t wait_us,
                                                    weir_zk_queue_fn fn, void *user);

/** The item is the first again for somebody to take. It is gone. In another thread than the loop's
 * it waits for a turn of the loop. NULL is fine. @thread any */
WEIR_API void weir_zk_item_give_back(weir_zk_item *item);

/* The same for a thread that waits; what `fn` would be told is returned. @param why  a sentence on
 * failure; may be NULL. WEIR_ESTATE also: this is the loop's thread; an item is yours still. */

/** @thread any but the session's loop's, which must run */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_queue_put_until(weir_zk_queue *queue, weir_str data,
                                                          weir_time deadline, weir_why *why);
/** @thread any but the session's loop's, which must run */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_queue_take_until(weir_zk_queue *queue, weir_time deadline,
                                                           weir_zk_item **out, weir_why *why);
/** @thread any but the session's loop's, which must run */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_item_done_until(weir_zk_item *item, weir_time deadline,
                                                          weir_why *why);

WEIR_END_DECLS

#endif
