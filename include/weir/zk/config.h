/**
 * @file
 * Configuration in ZooKeeper: a folder of nodes, each a value as text, which programs follow.
 *
 * A program names its values in a table, each with a type and a default. Reading one asks nobody:
 * what is current lies in memory, and changes come by themselves. A node that is not there means
 * the default. A node whose text is not of the type keeps the last good value, and says so. While
 * ZooKeeper is away, and after its session has ended, values stay as they are; what has changed
 * meanwhile comes when it is back.
 *
 *     enum { GREETING, LIMIT };
 *     static const weir_zk_config_item items[] = {
 *         [GREETING] = {"greeting", WEIR_ZK_STRING, "hello"},
 *         [LIMIT] = {"limit", WEIR_ZK_DURATION, "250ms", 1000, 60000000},
 *     };
 *     weir_zk_config_new(&config, zk, "/weir/config/shop", items, 2, NULL, NULL, NULL, &why);
 *     wait_us = weir_zk_config_int64(config, LIMIT);
 */
#ifndef WEIR_ZK_CONFIG_H
#define WEIR_ZK_CONFIG_H

#include <weir/zk/node.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk_config weir_zk_config;

/** How a node's text is read. Spaces and line ends around it do not count. */
typedef enum weir_zk_config_type {
    WEIR_ZK_STRING,   /**< UTF-8, without a NUL */
    WEIR_ZK_INT64,    /**< "-12" */
    WEIR_ZK_DOUBLE,   /**< "0.25", "1e6"; finite, with a point in every locale */
    WEIR_ZK_BOOL,     /**< "true" or "false" */
    WEIR_ZK_DURATION, /**< "250ms", "1.5s": a number, not negative, and us, ms, s, m, h or d */
    WEIR_ZK_JSON      /**< any one JSON value; given out as text */
} weir_zk_config_type;

/** So many values in one table. */
#define WEIR_ZK_CONFIG_ITEMS 1000

/** One value. Static const: it is borrowed for the configuration's life. */
typedef struct weir_zk_config_item {
    const char *name; /**< of the node, below the folder; may have folders of its own: "db/host" */
    weir_zk_config_type type;
    const char *fallback; /**< its text while there is no node; NULL: "", 0, false, 0 s, null */
    int64_t min, max;     /**< of INT64, and of DURATION in microseconds; both 0: any */
} weir_zk_config_item;

/** All come in the session's loop. Each may be NULL. The configuration may be freed in them. */
typedef struct weir_zk_config_ops {
    /** A value is another one; the getters tell it already. Also while it is first read, when it
     * is not the default. */
    void (*changed)(weir_zk_config *config, unsigned item, void *user);
    /** The node has text that is no value, or cannot be read: the last good value stays. Once for
     * each version of the node. It is logged too. @param why  a sentence that names the node */
    void (*rejected)(weir_zk_config *config, unsigned item, const char *why, void *user);
    /** Every value has been looked for once. Comes once. */
    void (*loaded)(weir_zk_config *config, void *user);
} weir_zk_config_ops;

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_config_opts {
    size_t value_bytes; /**< longer text is rejected; 0: 64 KiB; at most WEIR_ZK_DATA_MAX */
    unsigned flags;     /**< of nodes that weir_zk_config_set() makes: WEIR_ZK_READABLE or
                             WEIR_ZK_PRIVATE; 0: anybody */
} weir_zk_config_opts;

/**
 * Begins to follow the folder; the values are the defaults until `loaded`. It reads each node again
 * when it has changed and when the session is back, and nothing in between.
 * @param out     yours until weir_zk_config_free()
 * @param zk      borrowed: free the configuration first
 * @param folder  "/weir/config/shop"; need not exist; copied
 * @param items   borrowed for the configuration's life
 * @param ops     borrowed for its life; may be NULL
 * @param user    last argument of every callback
 * @param opts    copied; NULL is all defaults
 * @param why     a sentence on failure; may be NULL
 * @thread the session's loop's, or any before it runs
 * @errors WEIR_EINVAL: a default is not of its type, a name or the folder is no path, or there are
 *         too many items. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_config_new(weir_zk_config **out, weir_zk *zk,
                                                     const char *folder,
                                                     const weir_zk_config_item *items, size_t count,
                                                     const weir_zk_config_ops *ops, void *user,
                                                     const weir_zk_config_opts *opts,
                                                     weir_why *why);

/** Nobody may read it any more. Calls of weir_zk_config_set() that have not ended get
 * WEIR_ECANCELED within this call. Fine in callbacks; NULL is fine. @thread the session's loop's */
WEIR_API void weir_zk_config_free(weir_zk_config *config);

/**
 * Waits until every value has been looked for once.
 * @thread any but the session's loop's
 * @errors WEIR_ETIMEDOUT: the deadline came first; the values are good to be read all the same.
 *         WEIR_ESTATE: this is the loop's thread.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_config_wait_until(weir_zk_config *config,
                                                            weir_time deadline);

/* Values. Each call is a look into memory, of constant time but for the bytes it copies. `item` is
 * an index of the table; one that is not there, or a getter of another type, is a bug. */

/** Of INT64; of DURATION in microseconds. @thread any */
WEIR_API int64_t weir_zk_config_int64(const weir_zk_config *config, unsigned item);
/** @thread any */
WEIR_API double weir_zk_config_double(const weir_zk_config *config, unsigned item);
/** @thread any */
WEIR_API bool weir_zk_config_bool(const weir_zk_config *config, unsigned item);
/**
 * Copies the text of a value of any type, as it is in the node without the spaces around it, and a
 * NUL.
 * @param size  of `out` in bytes; the text is cut to fit
 * @return the whole text's length without the NUL, as snprintf() has it
 * @thread any
 */
WEIR_API size_t weir_zk_config_text(weir_zk_config *config, unsigned item, char *out, size_t size);
/** The version of the node that was read last, good or not; WEIR_ZK_CONFIG_ABSENT. @thread any */
WEIR_API int32_t weir_zk_config_version(const weir_zk_config *config, unsigned item);

/** A version: there is no node. */
#define WEIR_ZK_CONFIG_ABSENT (-2)

/** The end of a change. @param why  a sentence; "" after WEIR_OK */
typedef void (*weir_zk_config_fn)(weir_err err, const char *why, void *user);

/**
 * Changes a node, for tools. Everybody who follows it hears of that, this configuration too.
 *
 * `fn` comes exactly once after WEIR_OK, never inside this call. It is told WEIR_OK: the node has
 * this text; if the answer was lost on the way, it is looked for. WEIR_ESTATE: the version is
 * another one: read, and decide again. WEIR_ETIMEDOUT: it may be changed or not. WEIR_ECANCELED:
 * the configuration was freed. Others as <weir/zk/node.h> has them.
 * @param text      as in the node; copied
 * @param version   of the text to be replaced: of weir_zk_config_version(), WEIR_ZK_CONFIG_ABSENT,
 *                  or WEIR_ZK_ANY_VERSION
 * @param wait_us   the time allowed; WEIR_TIME_NEVER_US: without limit
 * @thread the session's loop's
 * @errors WEIR_EINVAL: not of the item's type; `why` says what is. WEIR_EMSGSIZE: longer than
 *         value_bytes. WEIR_EFULL: 100 changes are under way. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_config_set(weir_zk_config *config, unsigned item,
                                                     weir_str text, int32_t version,
                                                     int64_t wait_us, weir_zk_config_fn fn,
                                                     void *user, weir_why *why);

/** The same for another thread, which waits. @return what `fn` would be told, or what
 * weir_zk_config_set() returns; WEIR_ESTATE also: this is the loop's thread
 * @thread any but the session's loop's */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_config_set_until(weir_zk_config *config, unsigned item,
                                                           weir_str text, int32_t version,
                                                           weir_time deadline, weir_why *why);

WEIR_END_DECLS

#endif
