/** @file All of the zk layer. */
#ifndef WEIR_ZK_ZK_H
#define WEIR_ZK_ZK_H

#include <weir/zk/barrier.h>
#include <weir/zk/config.h>
#include <weir/zk/election.h>
#include <weir/zk/ids.h>
#include <weir/zk/lock.h>
#include <weir/zk/node.h>
#include <weir/zk/queue.h>
#include <weir/zk/registry.h>
#include <weir/zk/resolver.h>
#include <weir/zk/session.h>

#endif
