/**
 * @file
 * A connection to Redis that is kept: made again when it is lost, 50 ms to 2 s apart with jitter.
 *
 * A Redis that does not answer counts as lost: in each second without a byte there is a PING, and
 * after REDIS_ANSWER_US without any byte while something is unanswered the connection is dropped.
 * Attempts to connect end after 2 s. Nothing waits for a connection: commands meanwhile are
 * refused.
 * @thread the loop's
 */
#ifndef CHAT_REDIS_REDIS_CLIENT_H
#define CHAT_REDIS_REDIS_CLIENT_H

#include "pending.h"
#include "redis_reply.h"

#include <weir/net/loop.h>

typedef struct redis_client redis_client;

#define REDIS_CONNECT_US     WEIR_SECONDS(2)
#define REDIS_PING_US        WEIR_MILLISECONDS(1000)
#define REDIS_ANSWER_US      WEIR_MILLISECONDS(1500)
#define REDIS_BACKOFF_US     WEIR_MILLISECONDS(50)
#define REDIS_BACKOFF_MAX_US WEIR_SECONDS(2)

/** What happens to the connection. Each may be NULL; the client may be freed in any. */
typedef struct redis_client_events {
    /** Connected, and Redis has taken the password and answered. */
    void (*up)(void *user);
    /** Lost, once after each `up`; unanswered commands have had WEIR_ECLOSED before. */
    void (*down)(void *user);
    /** Of pub/sub, also the answers to SUBSCRIBE and UNSUBSCRIBE: an array that begins with two
     * strings. Once there is a subscription, no other commands are allowed. */
    void (*push)(const redisReply *push, void *user);
    void *user;
} redis_client_events;

/** A zeroed field means the default written beside it. */
typedef struct redis_client_opts {
    size_t max_unsent;  /**< bytes; a command that finds more is refused; 0: 16 MiB */
    size_t max_pending; /**< unanswered commands; 0: 200,000 */
} redis_client_opts;

/**
 * Connects from now on.
 * @param url     see redis_url.h; copied
 * @param events  copied
 * @param opts    copied; NULL is all defaults
 * @param why     a sentence on failure
 * @errors WEIR_EINVAL: the URL. WEIR_ENOMEM.
 */
WEIR_MUST_CHECK weir_err redis_client_new(redis_client **out, weir_loop *loop, const char *url,
                                          const redis_client_events *events,
                                          const redis_client_opts *opts, weir_why *why);

/** No event follows; unanswered commands have WEIR_ECANCELED, inside this function. NULL is fine.
 */
void redis_client_free(redis_client *self);

/** From `up` until `down`. */
bool redis_client_is_up(const redis_client *self);
/** How often it was up again. */
uint64_t redis_client_reconnects(const redis_client *self);

/**
 * Sends a command at the end of the turn.
 * @param fn  the answer, once, not inside this function: Redis's, or WEIR_ECLOSED, WEIR_ECANCELED
 *            without one; NULL: of no interest
 * @errors WEIR_ECLOSED: Redis is away. WEIR_EFULL: too much unsent or unanswered. WEIR_ENOMEM. `fn`
 *         does not come then.
 */
WEIR_MUST_CHECK weir_err redis_client_send(redis_client *self, const weir_str *args, size_t count,
                                           redis_reply_fn fn, void *user);

/** A command whose answers come as pushes: SUBSCRIBE, UNSUBSCRIBE. @errors as above */
WEIR_MUST_CHECK weir_err redis_client_send_pubsub(redis_client *self, const weir_str *args,
                                                  size_t count);

/** Redis has said what it may not: the connection is dropped, and made again. */
void redis_client_reject(redis_client *self, const char *what);

#endif
