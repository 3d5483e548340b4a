/**
 * @file
 * Who may call what: an interceptor for servers that asks a rule per method. Put it inside whatever
 * finds out who the client is (weir_bearer_auth), or read the TLS certificate in the rule.
 */
#ifndef WEIR_BUILTIN_AUTHORIZE_H
#define WEIR_BUILTIN_AUTHORIZE_H

#include <weir/rpc/interceptor.h>

WEIR_BEGIN_DECLS

/** Asked in the call's loop; must not block. @return whether the call may go on */
typedef bool (*weir_authorize_fn)(weir_call *call, void *user);

typedef struct weir_authorize_rule {
    const char *path; /**< "/pkg.Service/Method"; with a "/" at its end all that begins so:
                         "/pkg.Service/", "/" */
    weir_authorize_fn allow;
    void *user;
} weir_authorize_rule;

typedef struct weir_authorize_opts {
    const weir_authorize_rule *rules; /**< the first that fits decides */
    size_t rule_count;
} weir_authorize_opts;

/** Server: `user` is a weir_authorize_opts, borrowed. A call that no rule fits, or whose rule says
 * no, ends with PERMISSION_DENIED. */
extern WEIR_API const weir_interceptor weir_authorize;

/** A rule: everyone. @thread the call's loop's */
WEIR_API bool weir_allow_all(weir_call *call, void *user);
/** A rule: everyone whose identity is known (weir_call_identity()). @thread the
 * call's loop's */
WEIR_API bool weir_allow_known(weir_call *call, void *user);

WEIR_END_DECLS

#endif
