/** @file All of layer base. */
#ifndef WEIR_BASE_BASE_H
#define WEIR_BASE_BASE_H

#include <weir/base/arena.h>
#include <weir/base/attr.h>
#include <weir/base/buf.h>
#include <weir/base/err.h>
#include <weir/base/list.h>
#include <weir/base/log.h>
#include <weir/base/mpsc.h>
#include <weir/base/pool.h>
#include <weir/base/random.h>
#include <weir/base/slots.h>
#include <weir/base/str.h>
#include <weir/base/thread.h>
#include <weir/base/time.h>
#include <weir/base/timers.h>
#include <weir/base/workers.h>

#endif
