#include "auth.h"

#include "token.h"

#define TOKEN_LIFE_US (WEIR_SECONDS(24 * 3600))

/* What needs no token: how one gets one, and the standard services that say nothing of users. */
static const char *const open_paths[] = {
    "/weir.chat.v1.AccountService/Register",
    "/weir.chat.v1.AccountService/LogIn",
    "/grpc.health.v1.Health/",
    "/grpc.reflection.",
    NULL,
};

/** The name within a `caller` in the call's arena is the call's identity: so one leads to the
 * other. */
static weir_err check(weir_call *call, weir_str token, weir_str *identity, void *user)
{
    const app *self = user;
    caller who;
    if (!token_read(token, self->secret, weir_wall_now().us, &who))
        return WEIR_EACCES;
    caller *kept = weir_arena_zalloc(weir_call_arena(call), sizeof *kept);
    if (!kept)
        return WEIR_ENOMEM;
    *kept = who;
    *identity = weir_str_of(kept->name, strlen(kept->name));
    return WEIR_OK;
}

weir_bearer_auth_opts auth_opts(app *self)
{
    return (weir_bearer_auth_opts){.check = check, .user = self, .open_paths = open_paths};
}

static const caller *of_identity(weir_str identity)
{
    return (const caller *)(identity.ptr - offsetof(caller, name));
}

const caller *auth_caller(const weir_call *call)
{
    return of_identity(weir_call_identity(call));
}

caller auth_blocking_caller(const weir_blocking_call *call)
{
    return *of_identity(weir_blocking_identity(call));
}

weir_err auth_log_in(const app *self, const caller *who, weir_arena *mem, weir_str *token,
                     int64_t *expires_us)
{
    char text[TOKEN_MAX];
    *expires_us = weir_wall_now().us + TOKEN_LIFE_US;
    *token = weir_arena_copy(mem, token_make(text, self->secret, who, *expires_us));
    return token->ptr ? WEIR_OK : WEIR_ENOMEM;
}
