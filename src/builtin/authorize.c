#include <weir/builtin/authorize.h>

#include "method_path.h"

static void authorize(weir_call *call, void *state WEIR_UNUSED, void *user)
{
    const weir_authorize_opts *opts = user;
    weir_str path = weir_str_from(weir_call_method(call)->path);
    for (size_t i = 0; i < opts->rule_count; i++) {
        const weir_authorize_rule *rule = &opts->rules[i];
        if (!weir__path_fits(rule->path, path))
            continue;
        if (rule->allow(call, rule->user))
            return;
        break;
    }
    weir_str who = weir_call_identity(call);
    weir_call_fail(call, WEIR_STATUS_PERMISSION_DENIED, "%.*s may not call %.*s",
                   who.len ? (int)who.len : 7, who.len ? who.ptr : "unknown", WEIR_STR_ARGS(path));
}

const weir_interceptor weir_authorize = {.name = "authorize", .open = authorize};

bool weir_allow_all(weir_call *call WEIR_UNUSED, void *user WEIR_UNUSED)
{
    return true;
}

bool weir_allow_known(weir_call *call, void *user WEIR_UNUSED)
{
    return weir_call_identity(call).len > 0;
}
