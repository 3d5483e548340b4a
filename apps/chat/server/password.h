/**
 * @file
 * Passwords: scrypt (RFC 7914) of OpenSSL, N as configured, r 8, p 1. A hash says how it was made,
 * so that the cost can be raised later.
 *
 * A hash takes tens of milliseconds and 16 MiB, so few are made at once and few wait: a flood of
 * log-ins must not take the machine.
 * @thread any
 */
#ifndef CHAT_SERVER_PASSWORD_H
#define CHAT_SERVER_PASSWORD_H

#include <weir/base/base.h>

typedef struct password_gate password_gate;

/** @param at_once  hashes; twice as many CPUs help nobody. @param waiting  more are refused */
WEIR_MUST_CHECK weir_err password_gate_new(password_gate **out, unsigned at_once, unsigned waiting);
/** NULL is fine. */
void password_gate_free(password_gate *self);

#define PASSWORD_HASH_MAX 160

/** @param cost  log2(N), 10 to 20. @errors WEIR_EFULL: too many wait. WEIR_ENOMEM, WEIR_EIO:
 * OpenSSL failed */
WEIR_MUST_CHECK weir_err password_hash(password_gate *gate, weir_str password, unsigned cost,
                                       char out[PASSWORD_HASH_MAX]);
/** @param hash  a malformed one matches nothing. @errors WEIR_EACCES: another password. Else as
 * above */
WEIR_MUST_CHECK weir_err password_check(password_gate *gate, weir_str password, weir_str hash);

#endif
