/**
 * @file
 * What the client does with a connector beside using it.
 */
#ifndef WEIR_NET_CONNECTOR_IMPL_H
#define WEIR_NET_CONNECTOR_IMPL_H

#include <weir/net/connector.h>

/** The connection was no good after all: weir_connector_start() waits as after a failed attempt.
 * @return how long */
int64_t weir__connector_back_off(weir_connector *connector);

#endif
