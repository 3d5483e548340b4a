/**
 * @file
 * What the connector's test looks at.
 */
#ifndef WEIR_NET_CONNECTOR_IMPL_H
#define WEIR_NET_CONNECTOR_IMPL_H

#include <weir/net/connector.h>

/** Whether the socket's peer is the socket: without a listener, the kernel joins it to itself when
 * its own port happens to be the one that it connects to. */
bool weir__is_self_connected(int fd);

#endif
