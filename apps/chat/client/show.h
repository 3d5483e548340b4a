/** @file How messages look in a terminal: one line each, no control characters of others. */
#ifndef CHAT_CLIENT_SHOW_H
#define CHAT_CLIENT_SHOW_H

#include <stdio.h>

#include "weir/chat/v1/chat.weir.h"

void show_notification(FILE *out, const chat_notification *note);
void show_message(FILE *out, const chat_chat_message *message);

#endif
