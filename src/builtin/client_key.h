/**
 * @file
 * What tells one client from another, and where it goes in a table.
 */
#ifndef WEIR_BUILTIN_CLIENT_KEY_H
#define WEIR_BUILTIN_CLIENT_KEY_H

#include <weir/net/addr.h>

/** An address without its port; of IPv6 the /64, the whole of which a client has. A view of `peer`;
 * "" for unix sockets. */
weir_str weir__client_address(const weir_addr *peer);

/** FNV-1a, mixed. */
uint32_t weir__client_hash(weir_str key);

#endif
