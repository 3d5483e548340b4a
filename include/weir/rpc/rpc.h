/** @file All of layer rpc. */
#ifndef WEIR_RPC_RPC_H
#define WEIR_RPC_RPC_H

#include <weir/rpc/blocking.h>
#include <weir/rpc/call.h>
#include <weir/rpc/cancellation.h>
#include <weir/rpc/channel.h>
#include <weir/rpc/inspect.h>
#include <weir/rpc/interceptor.h>
#include <weir/rpc/method.h>
#include <weir/rpc/queue.h>
#include <weir/rpc/server.h>
#include <weir/rpc/stream.h>

#endif
