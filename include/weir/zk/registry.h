/**
 * @file
 * The registry "zk://HOST:PORT,HOST:PORT/PATH": services register in ZooKeeper, where
 * weir_resolver_zk finds them. Give its type to weir_registry_open() in weir_registry_opts.types.
 */
#ifndef WEIR_ZK_REGISTRY_H
#define WEIR_ZK_REGISTRY_H

#include <weir/naming/registry.h>

WEIR_BEGIN_DECLS

/** Where services are when a registry's target has no path. */
#define WEIR_ZK_SERVICES "/weir/services"

/**
 * A registration is an ephemeral node PATH/SERVICE/ID with the endpoint as JSON. It is looked
 * after: when the session has ended, when somebody removes or rewrites it, and every three session
 * timeouts in any case, it is put back; a node of that name that belongs to another session, which
 * would vanish with it, is replaced.
 *
 * With weir_registry_opts.auth ("USER:PASSWORD", ZooKeeper's scheme "digest") only who has these
 * credentials may change what is registered, or register in the same folders; anybody may read.
 *
 * WEIR_REGISTRATION_LOST is told when the session has ended, when ZooKeeper has not been reached
 * for a session's timeout (3 s at the start), or when it refuses, for example for want of
 * permission. A withdrawal waits for ZooKeeper for 3 s; a node that is left goes with the session.
 */
extern WEIR_API const weir_registry_type weir_registry_zk;

WEIR_END_DECLS

#endif
