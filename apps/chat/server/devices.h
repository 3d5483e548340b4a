/**
 * @file
 * Presence as this node sees it: each chat stream is a device, kept alive in `presence` while it is
 * there; friends are told when a user comes or goes. A device that goes counts as there for a
 * little longer, since most come back at once.
 */
#ifndef CHAT_SERVER_DEVICES_H
#define CHAT_SERVER_DEVICES_H

#include "app.h"
#include "weir/chat/v1/account.weir.h"

/** @thread as app_open() */
WEIR_MUST_CHECK weir_err devices_new(struct devices **out, app *host);
/** NULL is fine. */
void devices_free(struct devices *self);
/** A device is there, in that state; PRESENCE_OFFLINE: it has gone. @thread any */
void devices_set(struct devices *self, const caller *who, weir_call_id call, presence_state state);

/** Asks for users' presence and waits. Users that nobody knows of, and all of them while Redis is
 * away, are offline. @param infos  one per user @thread a worker's */
void devices_ask(app *host, const uint64_t *users, size_t count, presence_info *infos);

/** Into a profile. @param stored_us  when the store saw the user last, for want of something better
 */
void devices_show(const presence_info *info, int64_t stored_us, chat_profile *out);

#endif
