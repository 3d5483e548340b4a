#include <weir/builtin/bearer.h>

static const weir_str scheme = {"Bearer ", 7};

/** The token of "Bearer TOKEN", the scheme in any case (RFC 9110 11.1); empty: none. */
static weir_str token_of(weir_call *call)
{
    const weir_str *value = weir_metadata_get(weir_call_metadata(call), WEIR_STR("authorization"));
    if (!value || value->len < scheme.len)
        return WEIR_STR("");
    for (size_t i = 0; i < scheme.len; i++) {
        char c = value->ptr[i];
        if (c != scheme.ptr[i] && (c | 0x20) != (scheme.ptr[i] | 0x20))
            return WEIR_STR("");
    }
    return weir_str_of(value->ptr + scheme.len, value->len - scheme.len);
}

/** Takes as long for every wrong token of a length: nobody finds it out byte by byte. */
static bool equal_in_constant_time(weir_str a, weir_str b)
{
    if (a.len != b.len)
        return false;
    unsigned char differ = 0;
    for (size_t i = 0; i < a.len; i++)
        differ |= (unsigned char)(a.ptr[i] ^ b.ptr[i]);
    return differ == 0;
}

static weir_err check_token(weir_call *call, const weir_bearer_auth_opts *opts, weir_str token,
                            weir_str *identity)
{
    weir_err err = WEIR_EACCES;
    for (size_t i = 0; i < opts->token_count; i++) {
        if (equal_in_constant_time(token, weir_str_from(opts->tokens[i].token))) {
            *identity = weir_str_from(opts->tokens[i].identity);
            err = WEIR_OK;
        }
    }
    return err && opts->check ? opts->check(call, token, identity, opts->user) : err;
}

static bool is_open(const weir_bearer_auth_opts *opts, weir_call *call)
{
    weir_str path = weir_str_from(weir_call_method(call)->path);
    for (const char *const *at = opts->open_paths; at && *at; at++) {
        if (weir_str_starts(path, weir_str_from(*at)))
            return true;
    }
    return false;
}

static void authenticate(weir_call *call, void *state WEIR_UNUSED, void *user)
{
    const weir_bearer_auth_opts *opts = user;
    weir_str token = token_of(call), identity = WEIR_STR("");
    if (token.len == 0) {
        if (!is_open(opts, call))
            weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED,
                           "send a token: \"authorization: Bearer TOKEN\"");
        return;
    }
    weir_err err = check_token(call, opts, token, &identity);
    if (err && err != WEIR_EAGAIN)
        weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED, "the bearer token is not accepted");
    if (!err)
        weir_call_set_identity(call, identity);
}

const weir_interceptor weir_bearer_auth = {.name = "bearer-auth", .open = authenticate};

/* Client. */

static weir_err get_token(weir_call *call, const weir_bearer_credentials_opts *opts,
                          weir_str *token)
{
    if (!opts->token)
        return opts->get ? opts->get(call, token, opts->user) : WEIR_EINVAL;
    *token = weir_str_from(opts->token);
    return WEIR_OK;
}

static void send_token(weir_call *call, void *state WEIR_UNUSED, void *user)
{
    const weir_bearer_credentials_opts *opts = user;
    if (!opts->allow_plaintext && !weir_call_is_secure(call)) {
        weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED,
                       "a bearer token is not sent in plaintext: use TLS, or allow_plaintext");
        return;
    }
    weir_str token = WEIR_STR("");
    weir_err err = get_token(call, opts, &token);
    if (err == WEIR_EAGAIN)
        return;
    if (!err) {
        weir_str value = weir_call_printf(call, "Bearer %.*s", WEIR_STR_ARGS(token));
        err =
            value.ptr ? weir_call_add_header(call, WEIR_STR("authorization"), value) : WEIR_ENOMEM;
    }
    if (err)
        weir_call_fail(call, WEIR_STATUS_UNAUTHENTICATED, "no bearer token for the call: %s",
                       weir_err_text(err));
}

const weir_interceptor weir_bearer_credentials = {.name = "bearer-credentials", .open = send_token};
