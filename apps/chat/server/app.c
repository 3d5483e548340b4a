#include "app.h"

#include <stdio.h>

#include "channels.h"
#include "crypto.h"
#include "devices.h"
#include "marks.h"
#include "password.h"
#include "tell.h"
#include "weir/chat/v1/chat.weir.h"

/* A lost message of the bus is pulled by a subscription within this; streams ask by themselves. */
#define CHECK_US WEIR_SECONDS(30)

enum {
    MAX_PASSWORDS_WAITING = 64,
    LOGINS_PER_NAME = 1, /* a second, from one address */
    LOGINS_PER_NAME_BURST = 10,
    LIMIT_SLOTS = 65536
};

bool chat_name_is_valid(weir_str name, size_t max)
{
    if (name.len == 0 || name.len > max)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool good =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!good)
            return false;
    }
    return true;
}

weir_str chat_channel(char out[CHAT_CHANNEL_MAX], char kind, uint64_t id)
{
    int len = snprintf(out, CHAT_CHANNEL_MAX, "%c/%llu", kind, (unsigned long long)id);
    return weir_str_of(out, (size_t)len);
}

/* The bus. */

static void on_message(weir_str channel, weir_str bytes, void *user)
{
    tell_from_bus(user, channel, bytes);
}

static void on_ready(weir_str channel, void *user)
{
    app *self = user;
    channels_ready(self->channels, channel);
}

static void refresh_later(weir_call_id call, void *user WEIR_UNUSED)
{
    session_refresh_later_post(call);
}

static void check_subscription(weir_call_id call, void *user WEIR_UNUSED)
{
    subscription_check_post(call);
}

static void on_bus_changed(bool up, void *user)
{
    app *self = user;
    WEIR_LOG_WARN("the bus is %s", up ? "back: what was missed is looked up" : "away");
    channels_bus_changed(self->channels, up);
    if (up) {
        hub_each(self->chats, WEIR_STR("all"), refresh_later, NULL);
        hub_each(self->topics, WEIR_STR("all"), check_subscription, NULL);
    }
}

static void on_check(weir_timer *timer, void *user)
{
    app *self = user;
    hub_each(self->topics, WEIR_STR("all"), check_subscription, NULL);
    weir_loop_after(self->loop, timer, CHECK_US, on_check, self);
}

/* What all nodes share, and the number that none of the others has. */

typedef struct identity {
    storage_job job;
    app *app;
    unsigned char made[32];
    weir_arena *mem;
} identity;

static weir_err read_identity(db *d, storage_job *job)
{
    identity *self = WEIR_CONTAINER_OF(job, identity, job);
    app *host = self->app;
    weir_str secret;
    uint64_t number;
    weir_err err =
        settings_get_or_make(d, WEIR_STR("token_secret"),
                             weir_str_of(self->made, sizeof self->made), self->mem, &secret);
    if (!err && secret.len != sizeof host->secret)
        err = WEIR_EINVAL;
    if (!err)
        err = nodes_add(d, weir_str_from(host->node), weir_wall_now().us, &number);
    if (err)
        return err;
    memcpy(host->secret, secret.ptr, sizeof host->secret);
    ids_init(&host->ids, number);
    return WEIR_OK;
}

static weir_err find_identity(app *self, weir_why *why)
{
    identity job = {.job.run = read_identity, .app = self, .mem = weir_arena_new()};
    weir_err err = job.mem ? WEIR_OK : WEIR_ENOMEM;
    if (!err && (RAND_bytes(job.made, sizeof job.made) != 1 ||
                 RAND_bytes((unsigned char *)&self->origin, sizeof self->origin) != 1))
        err = WEIR_EIO;
    if (err)
        weir_why_set(why, err, "%s", weir_err_text(err));
    else
        err = storage_run(self->storage, &job.job, why);
    weir_arena_free(job.mem);
    return err;
}

static weir_err open_limits(app *self)
{
    const options *opts = self->opts;
    weir_err err = weir_rate_limiter_new(
        &self->sends, &(weir_rate_limit_opts){.per_second = opts->send_rate,
                                              .burst = (uint32_t)(opts->send_rate * 4),
                                              .slots = LIMIT_SLOTS});
    if (!err)
        err = weir_rate_limiter_new(
            &self->calls, &(weir_rate_limit_opts){.per_second = opts->send_rate * 2,
                                                  .burst = (uint32_t)(opts->send_rate * 8),
                                                  .slots = LIMIT_SLOTS});
    if (!err)
        err = weir_rate_limiter_new(
            &self->logins, &(weir_rate_limit_opts){.per_second = opts->login_rate,
                                                   .burst = (uint32_t)(opts->login_rate * 4),
                                                   .slots = LIMIT_SLOTS});
    if (!err)
        err = weir_rate_limiter_new(&self->login_names,
                                    &(weir_rate_limit_opts){.per_second = LOGINS_PER_NAME,
                                                            .burst = LOGINS_PER_NAME_BURST,
                                                            .slots = LIMIT_SLOTS});
    if (!err)
        err = password_gate_new(&self->passwords, weir_thread_cpus(), MAX_PASSWORDS_WAITING);
    return err;
}

/** What needs nobody else. */
static weir_err open_parts(app *self)
{
    weir_err err = open_limits(self);
    if (!err)
        err = channels_new(&self->channels, self);
    if (!err)
        err = hub_new(&self->chats, &(hub_opts){.changed = channels_changed,
                                                .user = self,
                                                .pushed = &self->counters.pushed,
                                                .missed = &self->counters.missed});
    if (!err)
        err = hub_new(&self->topics, &(hub_opts){.changed = channels_changed, .user = self});
    if (!err)
        err = devices_new(&self->devices, self);
    return err ? err : marks_new(&self->marks, self);
}

weir_err app_open(app *self, weir_loop *loop, const options *opts, weir_why *why)
{
    self->loop = loop;
    self->opts = opts;
    snprintf(self->node, sizeof self->node, "%s", opts->node ? opts->node : opts->listen);
    weir_err err = open_parts(self);
    if (err) {
        weir_why_set(why, err, "%s", weir_err_text(err));
        return err;
    }
    err = storage_open(&self->storage, &(storage_opts){.url = opts->store}, why);
    if (!err)
        err = find_identity(self, why);
    if (!err)
        err = bus_open(&self->bus, loop, opts->bus,
                       &(bus_events){on_message, on_ready, on_bus_changed, self}, why);
    if (!err)
        err = presence_open(&self->presence, loop,
                            &(presence_opts){.url = opts->presence, .node = self->node}, why);
    if (!err && strcmp(opts->bus, "local") != 0)
        weir_loop_after(loop, &self->check, CHECK_US, on_check, self);
    return err;
}

static void drain_stream(weir_call_id call, void *user)
{
    if (weir_call_send_payload_post(call, user))
        WEIR_LOG_DEBUG("a stream was not told that the node stops: it will see it end");
}

static void end_subscription(weir_call_id call, void *user WEIR_UNUSED)
{
    weir_call_finish_post(call, &(weir_status){WEIR_STATUS_UNAVAILABLE,
                                               WEIR_STR("the node stops: subscribe again"),
                                               WEIR_STR("")});
}

void app_drain(app *self)
{
    weir_payload *payload;
    chat_drain drain = {.reconnect_after_ms = 100};
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_DRAIN, .frame.drain = &drain};
    hub_each(self->topics, WEIR_STR("all"), end_subscription, NULL);
    if (weir_payload_new(&payload, &chat_server_frame_descriptor, &frame))
        return;
    hub_each(self->chats, WEIR_STR("all"), drain_stream, payload);
    weir_payload_unref(payload);
}

void app_close(app *self)
{
    weir_loop_cancel(self->loop, &self->check);
    marks_close(self->marks);
    storage_close(self->storage);
    devices_free(self->devices);
    presence_close(self->presence);
    bus_close(self->bus);
    hub_free(self->chats);
    hub_free(self->topics);
    channels_free(self->channels);
    password_gate_free(self->passwords);
    weir_rate_limiter_free(self->sends);
    weir_rate_limiter_free(self->calls);
    weir_rate_limiter_free(self->logins);
    weir_rate_limiter_free(self->login_names);
}
