/**
 * @file
 * The standard reflection service (grpc/doc/server-reflection.md), as grpc.reflection.v1 and
 * v1alpha: tools such as grpcurl learn from it what a server serves, and the types of it, and can
 * make calls without the .proto files.
 */
#ifndef WEIR_BUILTIN_REFLECTION_H
#define WEIR_BUILTIN_REFLECTION_H

#include <weir/rpc/server.h>

WEIR_BEGIN_DECLS

/**
 * Adds the service in both versions to a server that has not started; it tells of all services that
 * the server has when the first question comes, whenever they were added, and of itself.
 * @thread one at a time, before the start
 * @errors WEIR_EEXIST, WEIR_ESTATE: as weir_server_add(). WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_reflection_serve(weir_server *server);

WEIR_END_DECLS

#endif
