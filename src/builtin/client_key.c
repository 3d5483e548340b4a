#include "client_key.h"

#include <netinet/in.h>

weir_str weir__client_address(const weir_addr *peer)
{
    if (peer->storage.ss_family == AF_INET)
        return weir_str_of(&((const struct sockaddr_in *)&peer->storage)->sin_addr, 4);
    if (peer->storage.ss_family == AF_INET6)
        return weir_str_of(&((const struct sockaddr_in6 *)&peer->storage)->sin6_addr, 8);
    return WEIR_STR("");
}

uint32_t weir__client_hash(weir_str key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return (uint32_t)(hash ^ hash >> 32);
}
