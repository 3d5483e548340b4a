/** @file All of layer net. */
#ifndef WEIR_NET_NET_H
#define WEIR_NET_NET_H

#include <weir/net/addr.h>
#include <weir/net/conn.h>
#include <weir/net/connector.h>
#include <weir/net/dialer.h>
#include <weir/net/listener.h>
#include <weir/net/lookup.h>
#include <weir/net/loop.h>
#include <weir/net/loop_timers.h>
#include <weir/net/prefork.h>
#include <weir/net/signals.h>
#include <weir/net/tcp_client.h>
#include <weir/net/tcp_server.h>
#include <weir/net/tls.h>
#include <weir/net/watcher.h>

#endif
