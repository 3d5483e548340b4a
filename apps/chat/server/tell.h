/**
 * @file
 * Telling those whom it concerns, on this node and by the bus on the others, what has been stored.
 * All of it is a hint: who misses it, pulls it from the store.
 * @thread the app's loop, where nothing else is said
 */
#ifndef CHAT_SERVER_TELL_H
#define CHAT_SERVER_TELL_H

#include "app.h"
#include "weir/chat/v1/chat.weir.h"
#include "weir/chat/v1/notification.weir.h"

/** A frame to everybody who is in a conversation. */
void tell_conversation(app *self, uint64_t conversation, const chat_server_frame *frame);
/** A frame to all devices of a user. With `conversation` or `left` in it they also look anew at
 * which conversations they are in. */
void tell_user(app *self, uint64_t user, const chat_server_frame *frame);
/** To the subscribers of its topic. */
void tell_topic(app *self, const chat_notification *note);
/** A notification of type SYSTEM to every subscription of this node; not stored. */
void tell_system(app *self, weir_str text);
/** What came by the bus. */
void tell_from_bus(app *self, weir_str channel, weir_str bytes);

/** The same frame to a user from any thread. @thread any */
void tell_user_post(app *self, uint64_t user, const chat_server_frame *frame);
/** @thread any */
void tell_conversation_post(app *self, uint64_t conversation, const chat_server_frame *frame);
/** @thread any */
void tell_topic_post(app *self, const chat_notification *note);

/* What a session and a subscription do with it, in the app's loop. */

/** Looks anew at its conversations, and sends Heads. (session.c) */
void session_refresh_post(weir_call_id call);
/** The same within two seconds: for all of them at once. (session.c) */
void session_refresh_later_post(weir_call_id call);
/** A new notification for a subscription. (subscription.c) */
void subscription_push_post(weir_call_id call, weir_payload *payload, uint64_t seq, weir_str topic);

/** Asks the store for what may have been missed. (subscription.c) */
void subscription_check_post(weir_call_id call);

#endif
