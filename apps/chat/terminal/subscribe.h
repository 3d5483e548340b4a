/** @file Hearing the notifications of topics, each once, over reconnects. */
#ifndef CHAT_TERMINAL_SUBSCRIBE_H
#define CHAT_TERMINAL_SUBSCRIBE_H

#include "chat_client.h"

enum {
    SUBSCRIPTION_TOPICS_MAX = 64
};

typedef struct subscription subscription;

/**
 * Prints them from now on.
 * @param client  logged in; must outlive the subscription
 * @param topics  borrowed
 * @param recent  stored ones of each topic that come first
 * @param ended   it was refused for good
 * @errors WEIR_ENOMEM, WEIR_EMSGSIZE
 */
WEIR_MUST_CHECK weir_err subscription_open(subscription **out, chat_client *client, weir_loop *loop,
                                           char **topics, size_t count, uint32_t recent,
                                           void (*ended)(const weir_status *status, void *user),
                                           void *user);
/** NULL is fine; before the loop's last turn. */
void subscription_close(subscription *self);

#endif
