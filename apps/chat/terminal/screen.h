/** @file Lines on standard output: above the one that is edited, wrapped when it is a terminal. */
#ifndef CHAT_TERMINAL_SCREEN_H
#define CHAT_TERMINAL_SCREEN_H

#include <weir/weir.h>

#include "weir/chat/v1/conversation.weir.h"
#include "weir/chat/v1/notification.weir.h"

/** Once, before the others: sets the locale and looks what standard output is. */
void screen_open(void);
bool screen_is_terminal(void);

/**
 * One line, or as many as its text has; flushed. Other people's parts must be clean (text_clean()).
 * @param hang  columns that rows behind the first are indented by, at a terminal
 */
void screen_put(weir_str line, unsigned hang);
/** The same as printf. Lines are cut at 8 KiB. */
void screen_print(const char *fmt, ...) WEIR_PRINTF(1, 2);

/** "12:00:01 <ann> hello". @param where  in front of the sender, "": nothing */
void screen_message(const chat_message *message, const char *where);
/** "12:00:01 [topic warning] title: body (ann)". */
void screen_notification(const chat_notification *notification);

#endif
