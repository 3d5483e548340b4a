/**
 * @file
 * A Subscribe call: the topics that it hears, and how far each has come.
 * @thread the call's loop
 */
#ifndef CHAT_SERVER_SUBSCRIPTION_H
#define CHAT_SERVER_SUBSCRIPTION_H

#include "app.h"
#include "weir/chat/v1/notification.weir.h"

enum {
    SUBSCRIPTION_MAX_TOPICS = 64
};

typedef struct subscription subscription;

/** In the call's arena; kept as the call's data. NULL: out of memory */
subscription *subscription_new(app *self, weir_call *call, const chat_subscribe_request *request);
/** The welcome follows when nothing can be missed any more, then the notifications.
 * @errors WEIR_ENOMEM, WEIR_EFULL: as hub_join() */
WEIR_MUST_CHECK weir_err subscription_start(subscription *self);
/** The reader has caught up. */
void subscription_writable(subscription *self);
/** The call is over. */
void subscription_end(subscription *self);

#endif
