/** @file A client as the command line wants it. */
#ifndef CHAT_TERMINAL_CONNECT_H
#define CHAT_TERMINAL_CONNECT_H

#include "chat_client.h"
#include "options.h"

/** What is wrong is printed. @param calls_only  without a stream @errors as chat_client_new() and
 * weir_tls_client_new() */
WEIR_MUST_CHECK weir_err connect_new(chat_client **out, weir_loop *loop, const options *o,
                                     bool calls_only, const chat_client_events *events, void *user);

#endif
