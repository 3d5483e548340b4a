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

/** A call's identity is text: "ID:GENERATION:NAME". */
static weir_err check(weir_call *call, weir_str token, weir_str *identity, void *user)
{
    const app *self = user;
    caller who;
    if (!token_read(token, self->secret, weir_wall_now().us, &who))
        return WEIR_EACCES;
    *identity = weir_call_printf(call, "%llu:%llu:%s", (unsigned long long)who.id,
                                 (unsigned long long)who.generation, who.name);
    return identity->len > 0 ? WEIR_OK : WEIR_ENOMEM;
}

weir_bearer_auth_opts auth_opts(app *self)
{
    return (weir_bearer_auth_opts){.check = check, .user = self, .open_paths = open_paths};
}

static uint64_t take_number(const char **at, const char *end)
{
    uint64_t number = 0;
    while (*at < end && **at != ':')
        number = number * 10 + (uint64_t)(*(*at)++ - '0');
    if (*at < end)
        ++*at;
    return number;
}

/** Of what check() has made. */
static caller of_identity(weir_str identity)
{
    caller who = {0};
    const char *at = identity.ptr, *end = identity.ptr + identity.len;
    who.id = take_number(&at, end);
    who.generation = take_number(&at, end);
    size_t len = (size_t)(end - at);
    memcpy(who.name, at, len < sizeof who.name ? len : sizeof who.name - 1);
    return who;
}

caller auth_caller(const weir_call *call)
{
    return of_identity(weir_call_identity(call));
}

caller auth_blocking_caller(const weir_blocking_call *call)
{
    return of_identity(weir_blocking_identity(call));
}

weir_err auth_log_in(const app *self, const caller *who, weir_arena *mem, weir_str *token,
                     int64_t *expires_us)
{
    char text[TOKEN_MAX];
    *expires_us = weir_wall_now().us + TOKEN_LIFE_US;
    *token = weir_arena_copy(mem, token_make(text, self->secret, who, *expires_us));
    return token->ptr ? WEIR_OK : WEIR_ENOMEM;
}
