/* The life of a client: its options, its channel, what it does next, and how it ends. */
#include <stdlib.h>
#include <sys/random.h>

#include "client_impl.h"

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static size_t count_or(size_t value, size_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static void fill_defaults(chat_client_opts *o)
{
    o->request_us = or_default(o->request_us, WEIR_SECONDS(10));
    o->answer_us = or_default(o->answer_us, WEIR_SECONDS(10));
    o->silence_us = or_default(o->silence_us, WEIR_SECONDS(10));
    o->heads_us = or_default(o->heads_us, WEIR_SECONDS(30));
    o->gap_us = or_default(o->gap_us, WEIR_MILLISECONDS(30));
    o->mark_us = or_default(o->mark_us, WEIR_MILLISECONDS(200));
    o->backoff_us = or_default(o->backoff_us, WEIR_MILLISECONDS(100));
    o->backoff_max_us = or_default(o->backoff_max_us, WEIR_SECONDS(5));
    o->stable_us = or_default(o->stable_us, WEIR_SECONDS(5));
    o->queue_max = count_or(o->queue_max, 1000);
    o->window = count_or(o->window, 32);
    o->held_max = count_or(o->held_max, 256);
    if (!o->target)
        o->target = "127.0.0.1:50051";
    if (!o->device)
        o->device = "weir";
    if (o->seed == 0 && getrandom(&o->seed, sizeof o->seed, 0) != sizeof o->seed)
        o->seed = (uint64_t)weir_time_now().us;
}

/** @return false: out of memory */
static bool copy_text(chat_client *self, const char **text)
{
    if (*text)
        *text = weir_arena_copy(&self->mem, weir_str_from(*text)).ptr;
    return true;
}

static bool copy_texts(chat_client *self)
{
    chat_client_opts *o = &self->opts;
    bool password = o->password != NULL;
    bool good = copy_text(self, &o->target) && copy_text(self, &o->name) &&
                copy_text(self, &o->password) && copy_text(self, &o->device);
    return good && o->target && o->name && o->device && (!password || o->password);
}

static bool opts_are_good(const chat_client_opts *o)
{
    size_t name = o->name ? strlen(o->name) : 0;
    return name > 0 && name <= CHAT_CLIENT_NAME_MAX && (o->password || o->token) &&
           (!o->device || strlen(o->device) <= 64);
}

/* The channel. */

/** Of several nodes, clients take different ones. */
static const char spread[] =
    "{\"loadBalancingConfig\": [{\"pick_first\": {\"shuffleAddressList\": true}}]}";

static client_link *link_new(chat_client *self)
{
    client_link *link = malloc(sizeof *link);
    if (!link)
        return NULL;
    link->users = 1; /* the client */
    link->channel =
        weir_channel_new(self->opts.target, &(weir_channel_opts){
                                                .loop = self->loop,
                                                .backoff_us = self->opts.backoff_us,
                                                .backoff_max_us = self->opts.backoff_max_us,
                                                .service_config = spread,
                                                .tls = self->opts.tls,
                                            });
    if (!link->channel) {
        free(link);
        return NULL;
    }
    return link;
}

client_link *client_link_use(chat_client *self)
{
    self->link->users++;
    return self->link;
}

void client_link_done(client_link *link)
{
    if (--link->users > 0)
        return;
    weir_channel_free(link->channel); /* NULL when the client is gone */
    free(link);
}

void client_link_replace(chat_client *self)
{
    client_link *link = link_new(self);
    if (!link)
        return; /* the old one has to do */
    client_link_done(self->link);
    self->link = link;
}

/* References: the owner's, and one per call that may still call back. */

void client_ref(chat_client *self)
{
    self->refs++;
}

void client_unref(chat_client *self)
{
    if (--self->refs > 0)
        return;
    client_conversations_fini(self);
    client_login_fini(self);
    weir_tls_unref(self->opts.tls);
    weir_arena_fini(&self->mem);
    free(self);
}

/** Everything of `self` is zero but the options. */
static weir_err set_up(chat_client *self, const chat_client_opts *opts)
{
    weir_arena_init(&self->mem, NULL, 0);
    weir_list_init(&self->conversations);
    weir_list_init(&self->dirty);
    client_sends_init(self);
    client_login_init(self);
    self->random = self->opts.seed;
    self->presence = CHAT_PRESENCE_ONLINE;
    if (self->opts.tls)
        weir_tls_ref(self->opts.tls);
    if (!copy_texts(self))
        return WEIR_ENOMEM;
    self->opts.token = NULL;
    weir_err err = opts->token ? client_set_token(self, weir_str_from(opts->token)) : WEIR_OK;
    if (err)
        return err;
    self->link = link_new(self);
    return self->link ? WEIR_OK : WEIR_ENOMEM;
}

weir_err chat_client_new(chat_client **out, weir_loop *loop, const chat_client_opts *opts,
                         const chat_client_events *events, void *user)
{
    if (!opts_are_good(opts))
        return WEIR_EINVAL;
    chat_client *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->loop = loop;
    self->events = events;
    self->user = user;
    self->refs = 1;
    self->opts = *opts;
    fill_defaults(&self->opts);
    weir_err err = set_up(self, opts);
    if (err) {
        client_unref(self);
        return err;
    }
    *out = self;
    return WEIR_OK;
}

static void stop_timers(chat_client *self)
{
    client_stream_stop_timers(self);
    weir_loop_cancel(self->loop, &self->wait);
    weir_loop_cancel(self->loop, &self->login.renew);
    weir_loop_cancel(self->loop, &self->pulls.timer);
    weir_loop_cancel(self->loop, &self->sends.timer);
    weir_loop_cancel(self->loop, &self->mark_timer);
}

void chat_client_free(chat_client *self)
{
    if (!self)
        return;
    self->freed = true;
    stop_timers(self);
    client_stream_cancel(self);
    client_calls_unpark(self, &(weir_status){.code = WEIR_STATUS_CANCELLED});
    client_sends_fini(self);
    /* The other calls end with the channel, which goes now whoever still uses it. */
    weir_channel_free(self->link->channel);
    self->link->channel = NULL;
    client_link_done(self->link);
    self->link = NULL;
    client_unref(self);
}

/* What it does next. */

void client_set_status(chat_client *self, const chat_client_status *status)
{
    self->state = status->state;
    if (self->events->status && !self->freed)
        self->events->status(self, status, self->user);
}

void client_set_state(chat_client *self, chat_client_state state)
{
    if (self->state != state)
        client_set_status(self, &(chat_client_status){.state = state, .text = ""});
}

void client_begin(chat_client *self)
{
    if (self->freed || self->state == CHAT_CLIENT_ENDED || self->stream.open)
        return;
    if (self->stopping)
        client_end(self, WEIR_STATUS_OK, "stopped");
    else if (!client_has_token(self))
        client_login_start(self);
    else if (self->opts.calls_only)
        client_set_state(self, CHAT_CLIENT_LIVE);
    else
        client_stream_open(self);
}

void chat_client_start(chat_client *self)
{
    client_ref(self);
    if (self->state == CHAT_CLIENT_IDLE)
        client_begin(self);
    client_unref(self);
}

void chat_client_stop(chat_client *self)
{
    if (self->state == CHAT_CLIENT_ENDED || self->stopping)
        return;
    self->stopping = true;
    if (!self->stream.open || !self->stream.ready) {
        client_end(self, WEIR_STATUS_OK, "stopped");
        return;
    }
    client_stream_leave(self);
}

static void on_wait_over(weir_timer *timer, void *user)
{
    (void)timer;
    client_ref(user);
    client_begin(user);
    client_unref(user);
}

void client_wait(chat_client *self, int64_t wait_us, weir_status_code code, const char *text)
{
    if (self->freed || self->state == CHAT_CLIENT_ENDED)
        return;
    if (self->stopping) {
        client_end(self, WEIR_STATUS_OK, "stopped");
        return;
    }
    weir_loop_after(self->loop, &self->wait, wait_us, on_wait_over, self);
    client_set_status(self, &(chat_client_status){.state = CHAT_CLIENT_WAITING,
                                                  .wait_ms = (uint32_t)(wait_us / 1000),
                                                  .code = code,
                                                  .text = text});
}

int64_t client_backoff_us(chat_client *self, unsigned attempts)
{
    int64_t most = self->opts.backoff_max_us;
    int64_t wait = self->opts.backoff_us;
    for (unsigned i = 1; i < attempts && wait < most; i++)
        wait *= 2;
    if (wait > most)
        wait = most;
    /* Half of it is jitter, so that those whom one server has lost do not come back together. */
    uint32_t half_ms = (uint32_t)(wait / 2000) + 1;
    return wait / 2 + WEIR_MILLISECONDS(weir_random_below(&self->random, half_ms));
}

void client_retry(chat_client *self, weir_status_code code, const char *text)
{
    self->attempts++;
    client_wait(self, client_backoff_us(self, self->attempts), code, text);
}

void client_end(chat_client *self, weir_status_code code, const char *text)
{
    if (self->state == CHAT_CLIENT_ENDED)
        return;
    stop_timers(self);
    client_stream_cancel(self);
    client_ref(self);
    client_set_status(
        self, &(chat_client_status){.state = CHAT_CLIENT_ENDED, .code = code, .text = text});
    client_unref(self);
}

bool client_is_retryable(weir_status_code code)
{
    switch (code) {
    case WEIR_STATUS_INVALID_ARGUMENT:
    case WEIR_STATUS_NOT_FOUND:
    case WEIR_STATUS_ALREADY_EXISTS:
    case WEIR_STATUS_PERMISSION_DENIED:
    case WEIR_STATUS_FAILED_PRECONDITION:
    case WEIR_STATUS_OUT_OF_RANGE:
    case WEIR_STATUS_UNIMPLEMENTED:
    case WEIR_STATUS_UNAUTHENTICATED:
        return false;
    default:
        return true;
    }
}

/* What others ask. */

chat_client_state chat_client_state_of(const chat_client *self)
{
    return self->state;
}

void chat_client_get_counters(const chat_client *self, chat_client_counters *out)
{
    *out = self->counters;
    out->queued_now = self->sends.count;
}

const char *chat_client_name(const chat_client *self)
{
    return self->opts.name;
}

const char *chat_client_node(const chat_client *self)
{
    return self->node;
}

weir_channel *chat_client_channel(const chat_client *self)
{
    return self->link->channel;
}

const weir_metadata *chat_client_metadata(const chat_client *self)
{
    return &self->login.auth;
}
