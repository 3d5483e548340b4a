/**
 * @file
 * The one door to hiredis: what Redis says, read within bounds.
 *
 * Only its reader and its writer of commands are used. Its asynchronous connections check what they
 * receive by assert(), so that a stranger at Redis's port could end the process, and look names up
 * while the loop waits; weir's own connections do neither.
 */
#ifndef CHAT_REDIS_REDIS_REPLY_H
#define CHAT_REDIS_REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <weir/base/err.h>
#include <weir/base/str.h>

enum {
    REDIS_MAX_REPLY = 32 << 20 /* bytes that one reply may occupy; more breaks the protocol */
};

/** Reads replies out of a stream. Its address is kept: must not move. */
typedef struct redis_replies {
    redisReader *reader;
    redisReplyObjectFunctions fns;      /* ours, which count */
    redisReplyObjectFunctions builtins; /* hiredis's, which make the objects */
    size_t budget;                      /* bytes that the current reply may still take */
} redis_replies;

/** @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err redis_replies_init(redis_replies *self);
/** Also one that is zeroed. */
void redis_replies_fini(redis_replies *self);

/** Bytes that have arrived. @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err redis_replies_feed(redis_replies *self, weir_str bytes);
/**
 * The next reply, NULL when none is whole; to be freed with freeReplyObject().
 * @errors WEIR_EPROTO: that was no Redis, or a reply larger than REDIS_MAX_REPLY: of no use any
 *         more
 */
WEIR_MUST_CHECK weir_err redis_replies_next(redis_replies *self, redisReply **out);

/** A string's, status's or error's text; else empty. */
weir_str redis_reply_text(const redisReply *reply);
/** Whether it is a string or status with these bytes. */
bool redis_reply_is(const redisReply *reply, const char *text);
/** An array's element; NULL: no array, or it has fewer. */
const redisReply *redis_reply_at(const redisReply *reply, size_t index);

/** A command as it is sent. @param out  to be freed with redisFreeCommand() @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err redis_command(char **out, size_t *len, const weir_str *args, size_t count);

#endif
