/**
 * @file
 * Signals through a loop (signalfd). Nothing is touched until the program asks.
 */
#ifndef WEIR_NET_SIGNALS_H
#define WEIR_NET_SIGNALS_H

#include <signal.h>
#include <sys/select.h> /* sigset_t, also in strict C17 */
#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

typedef struct weir_signals weir_signals;

typedef void (*weir_signal_fn)(int number, void *user);

/**
 * From now on the signals of `set` come to `fn` in the loop. They are blocked in the calling
 * thread, so call it before starting others (weir's own threads block every signal). A program's
 * earlier mask comes back with weir_signals_close().
 * @thread the loop's; the main thread, as a rule
 * @errors WEIR_EMFILE, WEIR_ENOMEM
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_signals_open(weir_signals **out, weir_loop *loop,
                                                    const sigset_t *set, weir_signal_fn fn,
                                                    void *user);
/** NULL is fine. @thread the loop's */
WEIR_API void weir_signals_close(weir_signals *signals);

WEIR_END_DECLS

#endif
