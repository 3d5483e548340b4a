/**
 * @file
 * Delivered and read marks on their way to the store: they are cumulative, so that those of one
 * second become one write each, and one that is lost is said again by the next.
 */
#ifndef CHAT_SERVER_MARKS_H
#define CHAT_SERVER_MARKS_H

#include "app.h"
#include "weir/chat/v1/conversation.weir.h"

enum {
    MARKS_MAX = 65536 /* waiting; more are dropped and counted */
};

/** @thread as app_open() */
WEIR_MUST_CHECK weir_err marks_new(struct marks **out, app *host);
/** Stores what waits, and waits for it. NULL is fine. */
void marks_close(struct marks *self);
/** @param tell  whether others are told, once it is stored @thread any */
void marks_add(struct marks *self, const caller *who, const chat_mark *mark, bool tell);

#endif
