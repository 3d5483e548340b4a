/**
 * @file
 * Listening sockets, without a loop.
 */
#ifndef WEIR_NET_LISTEN_SOCKET_H
#define WEIR_NET_LISTEN_SOCKET_H

#include <weir/net/listener.h>

/** @param addr  the port that port 0 became is in it then. @errors as weir_listener_open() */
weir_err weir__listen_socket_open(int *out, weir_addr *addr, const weir_listener_opts *opts);

/** Makes an inherited one fit for a loop. @errors WEIR_EINVAL: it does not listen */
weir_err weir__listen_socket_adopt(int fd, weir_addr *addr);

/** And removes a unix socket's path. */
void weir__listen_socket_close(int fd, const weir_addr *addr);

#endif
