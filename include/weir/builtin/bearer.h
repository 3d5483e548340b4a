/**
 * @file
 * Bearer tokens (RFC 6750: "authorization: Bearer TOKEN"), as interceptors: a server lets in who
 * brings a good one, a channel sends its own with every call.
 */
#ifndef WEIR_BUILTIN_BEARER_H
#define WEIR_BUILTIN_BEARER_H

#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** A token that is known, and whose it is. */
typedef struct weir_bearer_token {
    const char *token;
    const char *identity; /**< what weir_call_identity() says of calls that bring it */
} weir_bearer_token;

/** Who may call. A zeroed field means the default written beside it. */
typedef struct weir_bearer_auth_opts {
    const weir_bearer_token *tokens; /**< compared in constant time; NULL: none */
    size_t token_count;
    /**
     * Asked about other tokens, in the loop; NULL: they are refused. May hold the call
     * (weir_call_hold()), return WEIR_EAGAIN, and be asked again after weir_call_proceed_post().
     * @param identity  set to whose it is; must live as long as the call
     * @return WEIR_OK: let in. Anything else, unless it is held: UNAUTHENTICATED
     */
    weir_err (*check)(weir_call *call, weir_str token, weir_str *identity, void *user);
    void *user;
    /** Beginnings of paths that need no token, such as "/grpc.health.v1.Health/"; NULL ends the
     * list; NULL: all need one. */
    const char *const *open_paths;
} weir_bearer_auth_opts;

/** Server: `user` is a weir_bearer_auth_opts, borrowed. Calls without a good token end with
 * UNAUTHENTICATED. */
extern WEIR_API const weir_interceptor weir_bearer_auth;

/** What a channel sends. */
typedef struct weir_bearer_credentials_opts {
    const char *token; /**< NULL: ask `get` */
    /**
     * Gives the token of a call, in the loop; may hold the call (weir_call_hold()), return
     * WEIR_EAGAIN, and be asked again after weir_call_proceed_post().
     * @param token  must live as long as the call
     * @return anything but WEIR_OK and WEIR_EAGAIN ends the call with UNAUTHENTICATED
     */
    weir_err (*get)(weir_call *call, weir_str *token, void *user);
    void *user;
    bool allow_plaintext; /**< else calls of a channel without TLS end with UNAUTHENTICATED, unsent
                           */
} weir_bearer_credentials_opts;

/** Channel: `user` is a weir_bearer_credentials_opts, borrowed. */
extern WEIR_API const weir_interceptor weir_bearer_credentials;

WEIR_END_DECLS

#endif
