/** @file All of layer builtin. */
#ifndef WEIR_BUILTIN_BUILTIN_H
#define WEIR_BUILTIN_BUILTIN_H

#include <weir/builtin/access_log.h>
#include <weir/builtin/authorize.h>
#include <weir/builtin/bearer.h>
#include <weir/builtin/channelz.h>
#include <weir/builtin/health.h>
#include <weir/builtin/overload.h>
#include <weir/builtin/rate_limit.h>
#include <weir/builtin/reflection.h>

#endif
