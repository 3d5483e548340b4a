/* AccountService: who one is. */
#include <stdio.h>

#include "auth.h"
#include "devices.h"
#include "model/people.h"
#include "password.h"
#include "work.h"

typedef struct account_work {
    work is;
    account account;
    chat_relation theirs; /* what the one who is looked at has of the caller */
} account_work;

static weir_status too_many(weir_blocking_call *call, app *self, int64_t wait_us)
{
    atomic_fetch_add(&self->counters.logins_refused, 1);
    return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                              "too many attempts: try again in %lld s",
                              (long long)(wait_us / 1000000 + 1));
}

/** Before anything costs something: how often one address may try, and how often with one name. */
static weir_status check_rate(weir_blocking_call *call, app *self, weir_str name)
{
    int64_t wait_us = 0;
    weir_time now = weir_time_now();
    weir_addr peer = weir_blocking_peer(call);
    char text[WEIR_ADDR_TEXT_MAX + CHAT_MAX_USER + 2];
    weir_addr_text(&peer, text);
    char *port = strrchr(text, ':');
    size_t len = port ? (size_t)(port - text) : strlen(text);
    if (!weir_rate_limiter_take(self->logins, weir_str_of(text, len), now, &wait_us))
        return too_many(call, self, wait_us);
    text[len++] = ' ';
    memcpy(text + len, name.ptr, name.len);
    if (!weir_rate_limiter_take(self->login_names, weir_str_of(text, len + name.len), now,
                                &wait_us))
        return too_many(call, self, wait_us);
    return WEIR_BLOCKING_OK;
}

static weir_status hash_failed(weir_blocking_call *call, weir_err err)
{
    if (err == WEIR_EFULL)
        return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED,
                                  "too many log in at once: try again");
    return weir_blocking_fail(call, WEIR_STATUS_INTERNAL, "the password could not be hashed");
}

static bool password_is_valid(weir_str password)
{
    return password.len >= 8 && password.len <= 128;
}

static weir_status give_token(weir_blocking_call *call, const app *self, const account *of,
                              chat_log_in_response *reply)
{
    caller who = {.id = of->id, .generation = of->generation};
    memcpy(who.name, of->name.ptr, of->name.len);
    chat_profile *profile = weir_arena_zalloc(weir_blocking_arena(call), sizeof *profile);
    if (!profile ||
        auth_log_in(self, &who, weir_blocking_arena(call), &reply->token, &reply->expires_us))
        return weir_blocking_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    *profile =
        (chat_profile){.name = of->name, .display_name = of->display_name, .about = of->about};
    reply->profile = profile;
    return WEIR_BLOCKING_OK;
}

static weir_err add_account(db *d, work *is)
{
    account_work *self = WEIR_CONTAINER_OF(is, account_work, is);
    uint64_t taken;
    weir_err err = accounts_id_of(d, self->account.name, &taken);
    if (!err)
        is->why = refuse(WEIR_STATUS_ALREADY_EXISTS, "that name is taken");
    if (err != WEIR_ENOENT)
        return err;
    self->account.id = ids_next(&is->app->ids);
    self->account.last_seen_us = weir_wall_now().us;
    err = accounts_add(d, &self->account);
    return err == WEIR_EEXIST ? WEIR_EAGAIN : err; /* taken at this moment: look again */
}

static weir_status register_(weir_blocking_call *call, const chat_register_request *request,
                             chat_log_in_response *reply, void *user)
{
    app *self = user;
    char hash[PASSWORD_HASH_MAX];
    if (!chat_name_is_valid(request->name, CHAT_MAX_USER))
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "a name is 1 to 32 of a-z 0-9 . _ -");
    if (!password_is_valid(request->password))
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "a password has 8 to 128 bytes");
    if (request->display_name.len > 64)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "display_name is longer than 64 bytes");
    weir_status status = check_rate(call, self, request->name);
    if (status.code != WEIR_STATUS_OK)
        return status;
    weir_err err =
        password_hash(self->passwords, request->password, self->opts->password_cost, hash);
    if (err)
        return hash_failed(call, err);
    account_work added = {.is = {.app = self, .run = add_account}};
    added.account = (account){.name = request->name,
                              .password = weir_str_from(hash),
                              .display_name = request->display_name.len > 0 ? request->display_name
                                                                            : request->name,
                              .generation = 1};
    status = work_run(&added.is, call);
    if (status.code != WEIR_STATUS_OK)
        return status;
    atomic_fetch_add(&self->counters.logins, 1);
    return give_token(call, self, &added.account, reply);
}

static weir_err find_account(db *d, work *is)
{
    account_work *self = WEIR_CONTAINER_OF(is, account_work, is);
    weir_err err = accounts_find(d, self->account.name, is->mem, &self->account);
    if (err == WEIR_ENOENT)
        is->why = refuse(WEIR_STATUS_NOT_FOUND, "nobody has that name");
    if (!err && is->who.id != 0)
        err = people_relation(d, self->account.id, is->who.id, &self->theirs);
    return err == WEIR_ENOENT ? WEIR_OK : err;
}

/** A name that nobody has takes as long as a wrong password: so nobody learns which names there
 * are.
 */
static weir_status check_password(weir_blocking_call *call, app *self, const account *of,
                                  weir_str password)
{
    char nobody[PASSWORD_HASH_MAX];
    snprintf(nobody, sizeof nobody, "scrypt:%u:%032d:%064d", self->opts->password_cost, 0, 0);
    weir_str hash = of ? of->password : weir_str_from(nobody);
    weir_err err = password_check(self->passwords, password, hash);
    if (err && err != WEIR_EACCES)
        return hash_failed(call, err);
    if (!err && of)
        return WEIR_BLOCKING_OK;
    atomic_fetch_add(&self->counters.logins_refused, 1);
    return weir_blocking_fail(call, WEIR_STATUS_UNAUTHENTICATED, "wrong name or password");
}

static weir_status log_in(weir_blocking_call *call, const chat_log_in_request *request,
                          chat_log_in_response *reply, void *user)
{
    app *self = user;
    if (!chat_name_is_valid(request->name, CHAT_MAX_USER) || request->password.len > 128)
        return weir_blocking_fail(call, WEIR_STATUS_UNAUTHENTICATED, "wrong name or password");
    weir_status status = check_rate(call, self, request->name);
    if (status.code != WEIR_STATUS_OK)
        return status;
    account_work found = {.is = {.app = self, .run = find_account, .job.reads_only = true}};
    found.account.name = request->name;
    status = work_run(&found.is, call);
    bool exists = status.code == WEIR_STATUS_OK;
    if (!exists && status.code != WEIR_STATUS_NOT_FOUND)
        return status;
    status = check_password(call, self, exists ? &found.account : NULL, request->password);
    if (status.code != WEIR_STATUS_OK)
        return status;
    atomic_fetch_add(&self->counters.logins, 1);
    return give_token(call, self, &found.account, reply);
}

static weir_status get_profile(weir_blocking_call *call, const chat_get_profile_request *request,
                               chat_profile *reply, void *user)
{
    app *self = user;
    presence_info there;
    account_work found = {.is = {.app = self,
                                 .who = auth_blocking_caller(call),
                                 .run = find_account,
                                 .job.reads_only = true}};
    found.account.name =
        request->name.len > 0 ? request->name : weir_blocking_printf(call, "%s", found.is.who.name);
    weir_status status = work_run(&found.is, call);
    if (status.code != WEIR_STATUS_OK)
        return status;
    const account *of = &found.account;
    *reply = (chat_profile){.name = of->name, .display_name = of->display_name, .about = of->about};
    if (of->id != found.is.who.id && found.theirs != CHAT_RELATION_FRIEND)
        return status;
    devices_ask(self, &of->id, 1, &there);
    devices_show(&there, of->last_seen_us, reply);
    return status;
}

static weir_err set_account(db *d, work *is)
{
    const chat_set_profile_request *request = is->request;
    return accounts_set_profile(d, is->who.id, request->display_name, request->about);
}

static weir_status set_profile(weir_blocking_call *call, const chat_set_profile_request *request,
                               chat_profile *reply, void *user)
{
    work is = {
        .app = user, .who = auth_blocking_caller(call), .request = request, .run = set_account};
    if (request->display_name.len == 0 || request->display_name.len > 64 ||
        request->about.len > 512)
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "display_name is 1 to 64 bytes, about 512 at most");
    weir_status status = work_run(&is, call);
    *reply = (chat_profile){.name = weir_blocking_printf(call, "%s", is.who.name),
                            .display_name = request->display_name,
                            .about = request->about};
    return status;
}

static weir_err set_password(db *d, work *is)
{
    account_work *self = WEIR_CONTAINER_OF(is, account_work, is);
    return accounts_set_password(d, is->who.id, self->account.password);
}

static weir_status change_password(weir_blocking_call *call,
                                   const chat_change_password_request *request,
                                   chat_log_in_response *reply, void *user)
{
    app *self = user;
    char hash[PASSWORD_HASH_MAX];
    account_work found = {.is = {.app = self,
                                 .who = auth_blocking_caller(call),
                                 .run = find_account,
                                 .job.reads_only = true}};
    if (!password_is_valid(request->new_password))
        return weir_blocking_fail(call, WEIR_STATUS_INVALID_ARGUMENT,
                                  "a password has 8 to 128 bytes");
    found.account.name = weir_blocking_printf(call, "%s", found.is.who.name);
    weir_status status = check_rate(call, self, found.account.name);
    if (status.code == WEIR_STATUS_OK)
        status = work_run(&found.is, call);
    if (status.code == WEIR_STATUS_OK)
        status = check_password(call, self, &found.account, request->old_password);
    if (status.code != WEIR_STATUS_OK)
        return status;
    weir_err err =
        password_hash(self->passwords, request->new_password, self->opts->password_cost, hash);
    if (err)
        return hash_failed(call, err);
    account_work changed = {.is = {.app = self, .who = found.is.who, .run = set_password}};
    changed.account = found.account;
    changed.account.password = weir_str_from(hash);
    status = work_run(&changed.is, call);
    if (status.code != WEIR_STATUS_OK)
        return status;
    changed.account.generation++;
    return give_token(call, self, &changed.account, reply);
}

weir_err account_serve(weir_server *server, app *self)
{
    static const chat_account_service_methods methods = {
        .blocking = {.register_ = register_,
                     .log_in = log_in,
                     .get_profile = get_profile,
                     .set_profile = set_profile,
                     .change_password = change_password},
    };
    return chat_account_service_serve(server, &methods, self);
}
