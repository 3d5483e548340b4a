/**
 * @file
 * A place in a line: an ephemeral sequential node below a folder, and a watch on the one before it.
 * Locks and elections are made of it.
 *
 * The line's order is that of the nodes; the first one has what the line is for. When the session
 * is lost the place is lost with it, and another one is taken at the end of the line. What is left
 * behind on the way (create's answer was lost) is cleaned up when the place is left.
 */
#ifndef WEIR_ZK_PLACE_H
#define WEIR_ZK_PLACE_H

#include <weir/zk/node.h>

typedef struct weir__zk_place weir__zk_place;

/** All come in the loop, never inside weir__zk_place_new() or _leave(). The place may be left in
 * each of them. */
typedef struct weir__zk_place_ops {
    /** The line was read. @param leader  its first node's name; `mine`: that is ours. May be NULL
     */
    void (*listed)(void *user, const char *leader, bool mine);
    /** It is the first. @param fence  the transaction that made the node */
    void (*first)(void *user, int64_t fence);
    /** It was the first and is not any more; it lines up again. */
    void (*gone)(void *user);
    /** It is the first, and the connection has been lost for longer than allowed. */
    void (*unsure)(void *user);
    /** It is the first still. */
    void (*sure)(void *user);
    /** It cannot go on. The place has left. */
    void (*failed)(void *user, weir_err err, const char *why);
} weir__zk_place_ops;

typedef struct weir__zk_place_opts {
    weir_str data;     /* of the node; copied */
    unsigned flags;    /* WEIR_ZK_READABLE or WEIR_ZK_PRIVATE */
    int64_t unsure_us; /* without a connection; 0: a sixth of the session's timeout */
} weir__zk_place_opts;

/** Whether it can be the path of a folder. */
bool weir__zk_place_path_fits(const char *folder);

/**
 * Lines up.
 * @param folder  made if it is not there; copied
 * @errors as weir_zk_create()
 */
weir_err weir__zk_place_new(weir__zk_place **out, weir_zk *zk, const char *folder,
                            const weir__zk_place_ops *ops, void *user,
                            const weir__zk_place_opts *opts);

/** Leaves the line: nothing is called any more, and the node is deleted as soon as ZooKeeper can be
 * reached. NULL is fine. */
void weir__zk_place_leave(weir__zk_place *place);

/** Reads the line again; listed follows. */
void weir__zk_place_look(weir__zk_place *place);

#endif
