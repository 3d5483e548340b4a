/**
 * @file
 * The standard health service (grpc/doc/health-checking.md, grpc.health.v1.Health: Check, List,
 * Watch): what load balancers and orchestrators ask before they send calls.
 *
 * A server that serves it says SERVING of itself (service "") from its start, and NOT_SERVING of
 * everything from the first moment of a graceful stop, so that no new calls come while the running
 * ones finish.
 */
#ifndef WEIR_BUILTIN_HEALTH_H
#define WEIR_BUILTIN_HEALTH_H

#include <weir/rpc/server.h>

WEIR_BEGIN_DECLS

/** What is known of a server's services; shared by any threads. */
typedef struct weir_health weir_health;

/** The numbers are those of HealthCheckResponse.ServingStatus. */
typedef enum weir_health_status {
    WEIR_HEALTH_UNKNOWN = 0,
    WEIR_HEALTH_SERVING = 1,
    WEIR_HEALTH_NOT_SERVING = 2
} weir_health_status;

/**
 * Adds the service to a server that has not started.
 * @param out  to say more with; belongs to the server and is gone with it; may be NULL
 * @thread one at a time, before the start
 * @errors WEIR_EEXIST, WEIR_ESTATE: as weir_server_add(). WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_health_serve(weir_server *server, weir_health **out);

/**
 * Who watches the service is told if it is a change; of changes that a slow watcher has not read,
 * only the last. During a graceful stop it is kept, but NOT_SERVING is what clients see.
 * @param service  its full name, copied; "" is the whole server
 * @thread any
 * @errors WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_health_set(weir_health *health, const char *service,
                                                  weir_health_status status);

/** NOT_SERVING of everything, whatever is set; a graceful stop does it by itself. @thread any */
WEIR_API void weir_health_shutdown(weir_health *health);

WEIR_END_DECLS

#endif
