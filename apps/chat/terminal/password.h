/** @file Asking for a password. */
#ifndef CHAT_TERMINAL_PASSWORD_H
#define CHAT_TERMINAL_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

/** Asks at the terminal, without echo. @return false: there is no terminal, or nothing was typed */
bool password_ask(const char *prompt, char *out, size_t room);

#endif
