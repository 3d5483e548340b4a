/**
 * @file
 * The inside of a dialer, for its test.
 */
#ifndef WEIR_NET_DIALER_IMPL_H
#define WEIR_NET_DIALER_IMPL_H

#include <weir/net/dialer.h>

/** How a connect() that is over has ended. Connected to itself: WEIR_ECONNREFUSED. */
weir_err weir__dial_result(int fd);

#endif
