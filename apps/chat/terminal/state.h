/** @file The file that remembers how far each conversation was shown: --state. */
#ifndef CHAT_TERMINAL_STATE_H
#define CHAT_TERMINAL_STATE_H

#include "chat_client.h"

/** One that does not exist is empty. Before the client's start. @return 0 or an errno; EINVAL: the
 * file is not one of ours, or another user's */
int state_load(const char *path, chat_client *client);
/** Replaces the file as a whole. @return 0 or an errno */
int state_save(const char *path, const chat_client *client);

#endif
