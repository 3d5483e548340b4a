/**
 * @file
 * The modules of the application. Each adds its service to a server; what it needs of others it
 * calls through their service's name, wherever that runs.
 */
#ifndef SOCIAL_MODULES_H
#define SOCIAL_MODULES_H

#include <weir/weir.h>

#include "social.weir.h"

/** Channels to the services, for modules that call others. */
typedef struct peers {
    weir_channel *users, *relations, *messages;
} peers;

/** The status for an error of weir's. */
static inline weir_status failed_with(weir_blocking_call *call, weir_err err)
{
    return weir_blocking_fail(call, (weir_status_code)weir_err_status(err), "%s",
                              weir_err_text(err));
}

weir_err users_serve(weir_server *server);
weir_err relations_serve(weir_server *server);
weir_err messages_serve(weir_server *server);
weir_err gateway_serve(weir_server *server, peers *others);

#endif
