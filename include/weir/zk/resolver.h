/**
 * @file
 * The resolver for "zk://HOST:PORT,HOST:PORT/PATH": the endpoints of a service are the children of
 * a node in ZooKeeper, as weir_registry_zk makes them; each one's data are an endpoint as JSON
 * (weir_endpoint_read(), which reads Curator's form too).
 */
#ifndef WEIR_ZK_RESOLVER_H
#define WEIR_ZK_RESOLVER_H

#include <weir/naming/resolver.h>

WEIR_BEGIN_DECLS

/**
 * Children are watched, and what has changed is read again: after up to 100 ms, so that many
 * changes are one, and many clients do not come at once. Whenever the connection is made anew
 * everything is asked again. While ZooKeeper cannot be reached the last list stays.
 *
 * A node that cannot be read or understood is left out, or stays as it was, with a warning in the
 * log. `failed` comes when the path does not exist or may not be read, when every node is malformed
 * (it goes on watching), and when ZooKeeper cannot be reached for 3 s at the start. At most
 * WEIR_ENDPOINTS_MAX nodes are taken.
 *
 * Changes of a node's data are seen at once for the nodes whose paths fit into 512 KiB, which is
 * what ZooKeeper takes of watches when a connection is made; the others are read again within
 * minutes.
 */
extern WEIR_API const weir_resolver_type weir_resolver_zk;

WEIR_END_DECLS

#endif
