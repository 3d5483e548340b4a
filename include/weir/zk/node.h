/**
 * @file
 * Nodes: what can be asked of ZooKeeper through a session. All of it is asynchronous.
 *
 * Each function returns at once. After WEIR_OK its callback comes exactly once, never inside the
 * call, in the order in which the operations were given, unless weir_zk_cancel() is called before;
 * after any other result it never comes. While the session is not connected operations wait for
 * it. They end with
 *
 * - WEIR_ETIMEDOUT after weir_zk_opts.operation_us. WEIR_EIO: the connection was lost under way
 *   (those that only read are asked again instead). In both cases a change may have been made or
 *   not: look, or make changes so that a second one does no harm.
 * - WEIR_ECLOSED when the session has ended, or is closed.
 * - WEIR_ENOENT: no such node, or none above it. WEIR_EEXIST: it is there already. WEIR_EACCES: the
 *   node's ACL does not let this session. WEIR_ESTATE: the version is another one, or the node to
 *   delete has children, or its parent is ephemeral. WEIR_EINVAL: ZooKeeper does not take the path.
 *
 * All functions: @thread the session's loop
 * @errors WEIR_EINVAL: the path does not begin with "/", ends with it, or is too long, or the data
 *         are; or an ACL that needs weir_zk_opts.auth without it. WEIR_EFULL: too many operations
 *         wait. WEIR_ECLOSED: the session is closed. WEIR_ENOMEM.
 */
#ifndef WEIR_ZK_NODE_H
#define WEIR_ZK_NODE_H

#include <weir/zk/session.h>

WEIR_BEGIN_DECLS

/** The longest path, in bytes, the chroot included. */
#define WEIR_ZK_PATH_MAX 1000
/** The most that a node can hold, in bytes; ZooKeeper's own default is 1 MiB with everything. */
#define WEIR_ZK_DATA_MAX 1000000
/** Matches any version. */
#define WEIR_ZK_ANY_VERSION (-1)

/** How a node is made. Whom it belongs to: anybody, unless one of the two last ones says
 * otherwise. */
enum {
    WEIR_ZK_EPHEMERAL = 1,  /**< goes with the session */
    WEIR_ZK_SEQUENTIAL = 2, /**< ten digits are added to its name, larger for each that is made */
    WEIR_ZK_READABLE = 4,   /**< who has these credentials may do anything, others may read */
    WEIR_ZK_PRIVATE = 8     /**< who has these credentials may do anything, others nothing */
};

/** What ZooKeeper knows of a node. */
typedef struct weir_zk_stat {
    int64_t created_zxid; /**< of the transaction that made it: orders all changes; another one
                               means another node of the same name */
    int64_t changed_zxid; /**< of the last change of its data */
    int64_t created_ms;   /**< the server's civil time */
    int64_t changed_ms;
    int64_t ephemeral_owner; /**< a session's id; 0: it is not ephemeral */
    int32_t version;         /**< how often its data have changed */
    int32_t child_version;   /**< how often its children have */
    int32_t child_count;
    int32_t data_len;
} weir_zk_stat;

/** The end of an operation. Good until the callback returns. */
typedef struct weir_zk_result {
    weir_err err;
    const char *why;             /**< a sentence with the path; "" after WEIR_OK */
    const char *path;            /**< create: the node's, with the digits; else the one asked for */
    weir_str data;               /**< get; a NUL is behind it */
    const char *const *children; /**< children: names, in no order */
    size_t child_count;
    weir_zk_stat stat; /**< get, set, exists, children; zeroes after an error */
} weir_zk_result;

typedef void (*weir_zk_fn)(const weir_zk_result *result, void *user);

/** An operation under way, for those who may want to cancel it. In the caller's object; zeroed is
 * valid and not under way. */
typedef struct weir_zk_op {
    struct weir__zk_request *request;
} weir_zk_op;

/** Its callback does not come. A change may be made all the same. Nothing happens when it is not
 * under way. */
WEIR_API void weir_zk_cancel(weir_zk_op *op);

/* Watches. */

typedef enum weir_zk_event {
    WEIR_ZK_CREATED,
    WEIR_ZK_DELETED,
    WEIR_ZK_CHANGED,  /**< its data */
    WEIR_ZK_CHILDREN, /**< which ones there are */
    WEIR_ZK_GONE      /**< the session has ended, and the watch with it */
} weir_zk_event;

typedef struct weir_zk_watch weir_zk_watch;

/** Something has changed: read again, and watch again. More may have changed since. The watch may
 * be used again, or freed. */
typedef void (*weir_zk_watch_fn)(weir_zk_watch *watch, weir_zk_event event, void *user);

/**
 * Fires at most once for each operation that it was given to, after that operation's callback. It
 * stands from WEIR_OK on (with weir_zk_exists() from WEIR_ENOENT on too); after another error it
 * does not. It outlives a lost connection: what has changed meanwhile fires it afterwards, but for
 * a node that was made and removed again. So it is a hint: who must not miss a change reads again
 * whenever the session is CONNECTED.
 * In the caller's object; the fields are weir's own.
 */
struct weir_zk_watch {
    struct weir__zk_arm *arm;
    weir_zk_watch_fn fn;
    void *user;
};

/** It watches nothing yet. */
static inline void weir_zk_watch_init(weir_zk_watch *watch, weir_zk_watch_fn fn, void *user)
{
    watch->arm = NULL;
    watch->fn = fn;
    watch->user = user;
}

/** It does not fire any more. Repeatable. */
WEIR_API void weir_zk_unwatch(weir_zk_watch *watch);

/* Operations. `op` may be NULL where nobody will cancel; `watch` may be NULL. Paths and data are
 * copied. */

/** Makes a node. @param flags  of the enum above @return see the top of this file */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_create(weir_zk *zk, weir_zk_op *op, const char *path,
                                                 weir_str data, unsigned flags, weir_zk_fn fn,
                                                 void *user);

/** Makes a node without data, and those above it; that they are there already is fine.
 * @param flags  READABLE or PRIVATE, for those that are made; 0: anybody */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_make_path(weir_zk *zk, weir_zk_op *op, const char *path,
                                                    unsigned flags, weir_zk_fn fn, void *user);

/** Reads a node's data. @param watch  fires when they change, or the node is deleted */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_get(weir_zk *zk, weir_zk_op *op, const char *path,
                                              weir_zk_watch *watch, weir_zk_fn fn, void *user);

/** Replaces a node's data. @param version  of the data to be replaced, or WEIR_ZK_ANY_VERSION */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_set(weir_zk *zk, weir_zk_op *op, const char *path,
                                              weir_str data, int32_t version, weir_zk_fn fn,
                                              void *user);

/** Deletes a node. @param version  of its data, or WEIR_ZK_ANY_VERSION */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_delete(weir_zk *zk, weir_zk_op *op, const char *path,
                                                 int32_t version, weir_zk_fn fn, void *user);

/** Asks whether a node is there: WEIR_OK or WEIR_ENOENT. @param watch  fires when it is made,
 * changed or deleted */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_exists(weir_zk *zk, weir_zk_op *op, const char *path,
                                                 weir_zk_watch *watch, weir_zk_fn fn, void *user);

/** Lists a node's children. @param watch  fires when one is made or deleted, or the node itself
 * is */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_children(weir_zk *zk, weir_zk_op *op, const char *path,
                                                   weir_zk_watch *watch, weir_zk_fn fn, void *user);

WEIR_END_DECLS

#endif
