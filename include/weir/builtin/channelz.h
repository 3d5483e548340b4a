/**
 * @file
 * The standard channelz service (gRPC proposal A14, grpc.channelz.v1.Channelz): what the channels,
 * servers and connections of the process are doing, for tools such as grpcdebug.
 * <weir/rpc/inspect.h> has the same for programs.
 *
 * It shows addresses of peers and targets to whoever may call it: serve it at an address that only
 * operators reach, or put weir_authorize in front.
 */
#ifndef WEIR_BUILTIN_CHANNELZ_H
#define WEIR_BUILTIN_CHANNELZ_H

#include <weir/rpc/server.h>

WEIR_BEGIN_DECLS

/**
 * Adds the service to a server that has not started. It tells of everything in the process, also of
 * other servers. Pages have at most WEIR_INSPECT_PAGE items; more questions about connections than
 * weir_inspect_sockets_post() takes end with RESOURCE_EXHAUSTED.
 * @thread one at a time, before the start
 * @errors WEIR_EEXIST, WEIR_ESTATE, WEIR_ENOMEM: as weir_server_add()
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_channelz_serve(weir_server *server);

WEIR_END_DECLS

#endif
