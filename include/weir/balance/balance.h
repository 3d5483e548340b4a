/** @file All of the balance layer. */
#ifndef WEIR_BALANCE_BALANCE_H
#define WEIR_BALANCE_BALANCE_H

#include <weir/balance/balancer.h>
#include <weir/balance/outlier.h>

#endif
