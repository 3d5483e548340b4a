/**
 * @file
 * Session: a connection to ZooKeeper that lives in a loop, without a thread of its own.
 *
 * It connects to one of the hosts, goes to another one when that is lost, and begins a new session
 * when ZooKeeper has ended the old one; each attempt is later by chance, so that many clients do
 * not come at once. Whatever hangs on a session (ephemeral nodes, watches, queued operations) ends
 * with it: who owns such things listens, and makes them again. <weir/zk/node.h> has what can be
 * done with it.
 *
 * Everything here belongs to the loop's thread. ZooKeeper's client for C is used, in its
 * single-threaded form; it has neither TLS nor SASL in Debian 12.
 */
#ifndef WEIR_ZK_SESSION_H
#define WEIR_ZK_SESSION_H

#include <weir/net/loop.h>

WEIR_BEGIN_DECLS

typedef struct weir_zk weir_zk;

typedef enum weir_zk_state {
    WEIR_ZK_CONNECTING,   /**< there is no session yet, or no new one yet */
    WEIR_ZK_CONNECTED,    /**< operations go out */
    WEIR_ZK_DISCONNECTED, /**< the connection is lost; the session may live or may have ended, which
                               only ZooKeeper can tell: CONNECTED or LOST follows */
    WEIR_ZK_LOST,         /**< the session has ended: its ephemeral nodes are gone, its watches have
                               fired, its operations have failed; CONNECTING follows at once */
    WEIR_ZK_CLOSED        /**< for good: ZooKeeper has refused the credentials */
} weir_zk_state;

/** A zeroed field means the default written beside it. */
typedef struct weir_zk_opts {
    int64_t session_us; /**< ZooKeeper ends a session of which it has heard nothing for so long; the
                             server has bounds of its own; 0: 10 s */
    int64_t operation_us; /**< an operation that has not ended by then ends with WEIR_ETIMEDOUT;
                               0: 10 s */
    size_t operations;    /**< so many may wait or be under way; 0: 20,000 */
    const char *auth;     /**< "USER:PASSWORD" for ZooKeeper's "digest" scheme; NULL: nobody */
} weir_zk_opts;

/**
 * Begins a session; that it cannot be reached is told by its state and weir_zk_why(), and it goes
 * on trying.
 * @param out    yours until weir_zk_free()
 * @param hosts  "HOST:PORT,HOST:PORT/CHROOT": names are looked up without blocking; the port may be
 *               left out (2181), as may the chroot, a path that stands before all others
 * @param opts   copied; NULL is all defaults
 * @param why    a sentence on failure; may be NULL
 * @thread the loop's, or any before the loop runs
 * @errors WEIR_EINVAL: not of that form, or auth without a colon. WEIR_ENOMEM.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_zk_new(weir_zk **out, weir_loop *loop, const char *hosts,
                                              const weir_zk_opts *opts, weir_why *why);

/**
 * Ends the session: ephemeral nodes go away at once if it is connected, else when the session
 * times out. Operations that have not ended get WEIR_ECANCELED within this call; nothing is called
 * afterwards. Fine within callbacks of the session. NULL is fine.
 * @thread the loop's
 */
WEIR_API void weir_zk_free(weir_zk *zk);

/** Never WEIR_ZK_LOST, but while listeners are told so. @thread the loop's */
WEIR_API weir_zk_state weir_zk_get_state(const weir_zk *zk);

/** What ZooKeeper calls the session; 0: there is none. Nodes name it as their ephemeral owner.
 * @thread the loop's */
WEIR_API int64_t weir_zk_session_id(const weir_zk *zk);

/** The timeout that ZooKeeper has granted, in microseconds; what was asked for until then.
 * @thread the loop's */
WEIR_API int64_t weir_zk_session_us(const weir_zk *zk);

/** The latest failure in a sentence, which names the hosts; "" when there has been none since it
 * was connected. Good until the loop's next turn. @thread the loop's */
WEIR_API const char *weir_zk_why(const weir_zk *zk);

/** @thread any */
WEIR_API weir_loop *weir_zk_loop(const weir_zk *zk);

/** "connected" and so on. @thread any */
WEIR_API const char *weir_zk_state_text(weir_zk_state state);

typedef struct weir_zk_listener weir_zk_listener;

/** The state has changed. The session may be freed, listeners may be added and removed. */
typedef void (*weir_zk_state_fn)(weir_zk *zk, weir_zk_state state, void *user);

/** In the caller's object; zeroed is valid and listens to nothing. The fields are weir's own. */
struct weir_zk_listener {
    weir_list node;
    weir_zk *zk;
    weir_zk_state_fn fn;
    void *user;
};

/** Tells of every change from now on, not of the state there is. @thread the loop's */
WEIR_API void weir_zk_listen(weir_zk *zk, weir_zk_listener *listener, weir_zk_state_fn fn,
                             void *user);
/** Fine for one that does not listen. @thread the loop's */
WEIR_API void weir_zk_unlisten(weir_zk_listener *listener);

WEIR_END_DECLS

#endif
