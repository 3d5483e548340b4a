/**
 * @file
 * The implementations that bus_open() chooses from.
 */
#ifndef CHAT_BUS_BUS_IMPL_H
#define CHAT_BUS_BUS_IMPL_H

#include "bus.h"

WEIR_MUST_CHECK weir_err bus_local_open(bus **out, weir_loop *loop, const bus_events *events);
WEIR_MUST_CHECK weir_err bus_redis_open(bus **out, weir_loop *loop, const char *url,
                                        const bus_events *events, weir_why *why);

#endif
