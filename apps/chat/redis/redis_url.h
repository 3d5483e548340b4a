/**
 * @file
 * Where Redis is: "redis://[:PASSWORD@]HOST:PORT" or "redis+unix://PATH". A password is taken as it
 * is, without %-escapes, and ends at the last '@'.
 */
#ifndef CHAT_REDIS_REDIS_URL_H
#define CHAT_REDIS_REDIS_URL_H

#include <weir/base/err.h>

/** What is needed to connect. */
typedef struct redis_url {
    char target[280];   /* as weir_tcp_client_new() reads it: "HOST:PORT" or "unix:PATH" */
    char password[256]; /* "": none */
} redis_url;

/** @param why  a sentence on failure, without the password @errors WEIR_EINVAL */
WEIR_MUST_CHECK weir_err redis_url_parse(redis_url *out, const char *text, weir_why *why);

#endif
