/**
 * @file
 * What the layer does with addresses beside reading and writing them.
 */
#ifndef WEIR_NET_ADDR_IMPL_H
#define WEIR_NET_ADDR_IMPL_H

#include <weir/net/addr.h>

/** "::ffff:192.0.2.1" becomes "192.0.2.1". */
void weir__addr_unmap(weir_addr *addr);

#endif
