/* The token: logging in, registering, and renewing it before it ends. */
#include "client_impl.h"

void client_login_init(chat_client *self)
{
    weir_arena_init(&self->login.mem, NULL, 0);
    weir_list_init(&self->login.parked);
}

void client_login_fini(chat_client *self)
{
    weir_arena_fini(&self->login.mem);
}

bool client_has_token(const chat_client *self)
{
    return self->login.auth.len > 0;
}

static void forget_token(chat_client *self)
{
    self->login.auth = (weir_metadata){0};
    weir_arena_reset(&self->login.mem);
}

weir_err client_set_token(chat_client *self, weir_str token)
{
    if (token.len == 0 || token.len > CLIENT_TOKEN_MAX)
        return WEIR_EINVAL;
    client_login *login = &self->login;
    forget_token(self);
    weir_str value = weir_arena_printf(&login->mem, "Bearer %.*s", WEIR_STR_ARGS(token));
    if (!value.ptr)
        return WEIR_ENOMEM;
    weir_err err = weir_metadata_add(&login->auth, &login->mem, WEIR_STR("authorization"), value);
    if (err)
        forget_token(self);
    else
        login->generation++;
    return err;
}

static void on_renew(weir_timer *timer, void *user)
{
    (void)timer;
    client_ref(user);
    client_login_start(user);
    client_unref(user);
}

/** A new one is asked for when four fifths of its time, or all but a minute, are over. */
static void renew_before(chat_client *self, int64_t expires_us)
{
    weir_loop_cancel(self->loop, &self->login.renew);
    if (!self->opts.password || expires_us <= 0)
        return;
    int64_t left = expires_us - weir_wall_now().us;
    if (left <= 0)
        return; /* the clocks differ: it is renewed when it is refused */
    int64_t before = left / 5 < WEIR_SECONDS(60) ? left / 5 : WEIR_SECONDS(60);
    weir_loop_after(self->loop, &self->login.renew, left - before, on_renew, self);
}

static void on_logged_in(const weir_status *status, const chat_log_in_response *reply, void *user);

static void on_registered(const weir_status *status, const chat_log_in_response *reply, void *user)
{
    chat_client *self = user;
    weir_status wrong = {.code = WEIR_STATUS_UNAUTHENTICATED,
                         .message = WEIR_STR("wrong password: the name is taken")};
    on_logged_in(status->code == WEIR_STATUS_ALREADY_EXISTS ? &wrong : status, reply, self);
}

/** Starts the call. @return whether its `done` will come */
static bool ask(chat_client *self, bool registering)
{
    weir_call_opts how = {.timeout_us = self->opts.request_us,
                          .wait_for_ready = self->attempts > 0};
    weir_str name = weir_str_from(self->opts.name);
    weir_str password = weir_str_from(self->opts.password);
    weir_channel *channel = self->link->channel;
    weir_err err;
    if (registering)
        err = chat_account_service_register_async(
            channel, &(chat_register_request){.name = name, .password = password}, on_registered,
            self, &how);
    else
        err = chat_account_service_log_in_async(
            channel, &(chat_log_in_request){.name = name, .password = password}, on_logged_in, self,
            &how);
    if (err)
        return false;
    self->login.running = true;
    self->login.registering = registering;
    client_ref(self);
    return true;
}

/** It did not work. */
static void refused(chat_client *self, const weir_status *status)
{
    client_calls_unpark(self, status);
    if (!client_is_retryable(status->code))
        client_end(self, status->code, weir_status_text(status));
    else if (!self->stream.open && !weir_timer_pending(&self->wait) &&
             self->state != CHAT_CLIENT_LIVE)
        client_retry(self, status->code, weir_status_text(status));
    else /* the old token may still do */
        weir_loop_after(self->loop, &self->login.renew, client_backoff_us(self, 9), on_renew, self);
}

static void accepted(chat_client *self, const chat_log_in_response *reply)
{
    weir_err err = client_set_token(self, reply->token);
    if (err) {
        weir_status bad = {.code = (weir_status_code)weir_err_status(err),
                           .message = WEIR_STR("the server's token cannot be used")};
        refused(self, &bad);
        return;
    }
    self->counters.logins++;
    renew_before(self, reply->expires_us);
    client_calls_unpark(self, NULL);
    if (!weir_timer_pending(&self->wait))
        client_begin(self);
}

static void on_logged_in(const weir_status *status, const chat_log_in_response *reply, void *user)
{
    chat_client *self = user;
    self->login.running = false;
    bool missing = status->code == WEIR_STATUS_UNAUTHENTICATED && !self->login.registering &&
                   self->opts.register_missing;
    if (self->freed || self->state == CHAT_CLIENT_ENDED)
        ; /* nobody waits for it */
    else if (status->code == WEIR_STATUS_OK)
        accepted(self, reply);
    else if (!missing || !ask(self, true))
        refused(self, status);
    client_unref(self);
}

void client_login_start(chat_client *self)
{
    if (self->login.running || self->freed || self->state == CHAT_CLIENT_ENDED)
        return;
    if (!self->opts.password) {
        client_end(self, WEIR_STATUS_UNAUTHENTICATED, "the token is not good any more");
        return;
    }
    if (!self->stream.open && self->state != CHAT_CLIENT_LIVE)
        client_set_state(self, CHAT_CLIENT_LOGGING_IN);
    if (self->freed)
        return;
    if (!ask(self, false))
        refused(self, &(weir_status){.code = WEIR_STATUS_RESOURCE_EXHAUSTED});
}

bool client_token_refused(chat_client *self, uint64_t generation)
{
    if (self->login.generation == generation)
        forget_token(self);
    return self->opts.password != NULL;
}
