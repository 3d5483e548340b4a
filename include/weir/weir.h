/** @file All of weir, for small programs. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/balance/balance.h>
#include <weir/base/base.h>
#include <weir/builtin/builtin.h>
#include <weir/codec/codec.h>
#include <weir/codec/compression.h>
#include <weir/codec/grpc.h>
#include <weir/codec/h2.h>
#include <weir/codec/message.h>
#include <weir/codec/metadata.h>
#include <weir/codec/status.h>
#include <weir/codec/status_details.h>
#include <weir/naming/naming.h>
#include <weir/net/net.h>
#include <weir/rpc/rpc.h>
#include <weir/zk/zk.h>

#endif
