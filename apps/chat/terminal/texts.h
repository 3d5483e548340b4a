/** @file What the terminal program says, in English and Chinese: one table. */
#ifndef CHAT_TERMINAL_TEXTS_H
#define CHAT_TERMINAL_TEXTS_H

#include <stddef.h>

typedef enum text_id {
    TEXT_USAGE,
    TEXT_HELP,
    TEXT_SEE_HELP,
    TEXT_BAD_NUMBER,
    TEXT_BAD_OPTION,
    TEXT_BAD_COMMAND,
    TEXT_MISSING_VALUE,
    TEXT_PASSWORD,
    TEXT_NO_PASSWORD,
    TEXT_WELCOME,
    TEXT_TALKING_TO,
    TEXT_CONNECTED,
    TEXT_WAITING,
    TEXT_ENDED,
    TEXT_GAVE_UP,
    TEXT_REGISTER,
    TEXT_MOVING,
    TEXT_NOT_SENT,
    TEXT_QUEUE_FULL,
    TEXT_FAILED,
    TEXT_NO_TARGET,
    TEXT_NO_CONVERSATION,
    TEXT_UNKNOWN_COMMAND,
    TEXT_NEEDS_ARGUMENT,
    TEXT_JOINED_GROUP,
    TEXT_LEFT,
    TEXT_PRESENCE_ONLINE,
    TEXT_PRESENCE_AWAY,
    TEXT_PRESENCE_OFFLINE,
    TEXT_ASKS,
    TEXT_ASKED,
    TEXT_FRIEND,
    TEXT_BLOCKED,
    TEXT_STRANGER,
    TEXT_NO_FRIENDS,
    TEXT_MEMBERS,
    TEXT_MORE,
    TEXT_CONVERSATIONS,
    TEXT_HISTORY_OF,
    TEXT_STATUS,
    TEXT_NOTIFIED,
    TEXT_DRAINING,
    TEXT_STATE_FILE,
    TEXT_TYPE_WELCOME,
    TEXT_TYPE_SYSTEM,
    TEXT_TYPE_INFO,
    TEXT_TYPE_WARNING,
    TEXT_TYPE_ALERT,
    TEXTS
} text_id;

typedef enum text_language {
    TEXT_ENGLISH,
    TEXT_CHINESE,
    TEXT_LANGUAGES
} text_language;

/** Chinese when the first of LC_ALL, LC_MESSAGES and LANG that is not empty begins with "zh". */
text_language text_language_of(const char *lc_all, const char *lc_messages, const char *lang);
/** "en" or "zh". @return -1: neither */
int text_language_named(const char *name);
void text_set_language(text_language language);
/** In the language that was set; a printf format in some. Static. */
const char *text(text_id id);
const char *text_in(text_language language, text_id id);

#endif
