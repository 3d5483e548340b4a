/**
 * @file
 * What a resolver knows of a service's nodes, in order of their names.
 */
#ifndef WEIR_ZK_RESOLVER_NODES_H
#define WEIR_ZK_RESOLVER_NODES_H

#include <weir/naming/endpoint.h>
#include <weir/zk/node.h>

/** One child. */
typedef struct weir__zk_node {
    weir_list unread; /* in the resolver's list, while its data are to be read */
    void *owner;
    weir_zk_op op;
    weir_zk_watch watch;
    bool reading, watched, bad;
    int64_t changed_zxid;   /* of the data that are known */
    weir_endpoint endpoint; /* its address is empty: not known */
    char *texts;
    char name[];
} weir__zk_node;

typedef struct weir__zk_nodes {
    weir__zk_node **items; /* in order of their names */
    size_t count;
} weir__zk_nodes;

/** @param names    what there is now
 *  @param added    called for each node that is new
 *  @param removed  called for each node that is gone, before it is freed
 *  @return WEIR_ENOMEM: the nodes are as they were */
weir_err weir__zk_nodes_set(weir__zk_nodes *nodes, const char *const *names, size_t count,
                            void (*added)(weir__zk_node *node, void *user),
                            void (*removed)(weir__zk_node *node, void *user), void *user);
void weir__zk_nodes_clear(weir__zk_nodes *nodes);
/** Takes an endpoint's JSON. After an error the node is as it was. @param why  a sentence */
weir_err weir__zk_node_read(weir__zk_node *node, weir_str json, weir_why *why);
/** The endpoints that are known. */
weir_err weir__zk_nodes_list(const weir__zk_nodes *nodes, weir_endpoints **out);

#endif
