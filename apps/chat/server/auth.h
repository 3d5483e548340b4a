/**
 * @file
 * Who calls: the token in "authorization", checked before any handler runs.
 */
#ifndef CHAT_SERVER_AUTH_H
#define CHAT_SERVER_AUTH_H

#include "app.h"

/** The interceptor's options; `user` is the app. */
weir_bearer_auth_opts auth_opts(app *self);

/** The caller of a call that needs a token. */
caller auth_caller(const weir_call *call);
caller auth_blocking_caller(const weir_blocking_call *call);

/** What a log-in gives. @param out  its texts in `mem` */
WEIR_MUST_CHECK weir_err auth_log_in(const app *self, const caller *who, weir_arena *mem,
                                     weir_str *token, int64_t *expires_us);

#endif
