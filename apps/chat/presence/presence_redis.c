#define WEIR_LOG_MODULE "chat"

#include "presence_impl.h"
#include "presence_scripts.h"
#include "redis_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/base/log.h>

enum {
    KEY_MAX = 48,
    SHA_LEN = 40
};

/** A script by the name that Redis has given it; "": not known, so that its text is sent. */
typedef struct script {
    const char *text;
    char sha[SHA_LEN + 1];
} script;

typedef struct presence_redis {
    presence base;
    redis_client *client;
    presence_answers answers; /* of requests that Redis has never seen */
    script set_script, get_script;
    char ttl_ms[24], keep_ms[24];
    char node[PRESENCE_MAX_NODE + 1];
    bool closed;
} presence_redis;

/* Scripts. */

static void on_loaded(weir_err err, const redisReply *reply, void *user)
{
    script *s = user;
    weir_str sha = redis_reply_text(reply);
    if (err || reply->type != REDIS_REPLY_STRING || sha.len != SHA_LEN)
        return;
    memcpy(s->sha, sha.ptr, SHA_LEN);
}

static void load(presence_redis *self, script *s)
{
    const weir_str args[] = {WEIR_STR("SCRIPT"), WEIR_STR("LOAD"), weir_str_from(s->text)};
    if (redis_client_send(self->client, args, 3, on_loaded, s))
        s->sha[0] = '\0';
}

static void on_up(void *user)
{
    presence_redis *self = user;
    load(self, &self->set_script);
    load(self, &self->get_script);
}

/* Answers. */

static bool read_state(const redisReply *reply, presence_state *out)
{
    if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer < PRESENCE_OFFLINE ||
        reply->integer > PRESENCE_ONLINE)
        return false;
    *out = (presence_state)reply->integer;
    return true;
}

static bool read_seen(const redisReply *reply, int64_t *out_us)
{
    if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer < 0 ||
        reply->integer > INT64_MAX / 1000)
        return false;
    *out_us = reply->integer * 1000;
    return true;
}

static bool read_infos(presence_request *request, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != request->count * 2)
        return false;
    for (size_t i = 0; i < request->count; i++) {
        presence_info *info = &request->infos[i];
        if (!read_state(redis_reply_at(reply, i * 2), &info->state) ||
            !read_seen(redis_reply_at(reply, i * 2 + 1), &info->last_seen_us))
            return false;
    }
    return true;
}

static weir_err read_reply(presence_request *request, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_WARN, WEIR_SECONDS(10), "presence: Redis says: %.200s",
                       reply->str);
        return WEIR_EIO;
    }
    bool good = request->on_get ? read_infos(request, reply)
                                : read_state(redis_reply_at(reply, 0), &request->before) &&
                                      read_state(redis_reply_at(reply, 1), &request->after);
    return good ? WEIR_OK : WEIR_EPROTO;
}

static weir_err send_request(presence_request *request, bool as_text);

/** The end of the request comes last: it may close the presence. */
static void on_reply(weir_err err, const redisReply *reply, void *user)
{
    presence_request *request = user;
    if (!err && !request->retried && reply->type == REDIS_REPLY_ERROR &&
        weir_str_starts(redis_reply_text(reply), WEIR_STR("NOSCRIPT"))) {
        request->retried = true;
        err = send_request(request, true);
        if (!err)
            return;
    }
    if (!err)
        err = read_reply(request, reply);
    presence_request_end(request, err);
}

/* Requests. */

static weir_str key_of(uint64_t user_id, char out[KEY_MAX])
{
    int len = snprintf(out, KEY_MAX, "weir:presence:%" PRIu64, user_id);
    return weir_str_of(out, (size_t)len);
}

/** The script's name if Redis has told one. */
static void name_script(const script *s, bool as_text, weir_str args[2])
{
    bool text = as_text || s->sha[0] == '\0';
    args[0] = text ? WEIR_STR("EVAL") : WEIR_STR("EVALSHA");
    args[1] = text ? weir_str_from(s->text) : weir_str_of(s->sha, SHA_LEN);
}

static weir_err send_set(presence_request *request, bool as_text)
{
    presence_redis *self = request->owner;
    char key[KEY_MAX], field[PRESENCE_MAX_NODE + 32], state[4], most[16];
    snprintf(field, sizeof field, "%s/%" PRIu64, self->node, request->device);
    snprintf(state, sizeof state, "%d", (int)request->state % 10);
    snprintf(most, sizeof most, "%d", PRESENCE_MAX_DEVICES);
    weir_str args[9] = {[2] = WEIR_STR("1"),
                        [3] = key_of(request->ids[0], key),
                        [4] = weir_str_from(field),
                        [5] = weir_str_from(state),
                        [6] = weir_str_from(self->ttl_ms),
                        [7] = weir_str_from(most),
                        [8] = weir_str_from(self->keep_ms)};
    name_script(&self->set_script, as_text, args);
    return redis_client_send(self->client, args, 9, on_reply, request);
}

static weir_err send_get(presence_request *request, bool as_text)
{
    presence_redis *self = request->owner;
    char count[24];
    weir_str *args = malloc((3 + request->count) * sizeof *args);
    char(*keys)[KEY_MAX] = malloc(request->count * sizeof *keys);
    weir_err err = WEIR_ENOMEM;
    if (args && keys) {
        snprintf(count, sizeof count, "%zu", request->count);
        name_script(&self->get_script, as_text, args);
        args[2] = weir_str_from(count);
        for (size_t i = 0; i < request->count; i++)
            args[3 + i] = key_of(request->ids[i], keys[i]);
        err = redis_client_send(self->client, args, 3 + request->count, on_reply, request);
    }
    free(keys);
    free(args);
    return err;
}

static weir_err send_request(presence_request *request, bool as_text)
{
    return request->on_get ? send_get(request, as_text) : send_set(request, as_text);
}

/** Redis's absence is told later; what is refused is refused now. */
static weir_err begin(presence_redis *self, presence_request *request)
{
    weir_err err = request->count > 0 ? send_request(request, false) : WEIR_OK;
    if (err == WEIR_ECLOSED && self->answers.count >= PRESENCE_MAX_REQUESTS)
        err = WEIR_EFULL;
    if (err == WEIR_ECLOSED || (!err && request->count == 0)) {
        presence_answers_add(&self->answers, request, err);
        err = WEIR_OK;
    } else if (err) {
        free(request);
    }
    return err;
}

static weir_err set(presence *base, uint64_t user_id, uint64_t device, presence_state state,
                    presence_changed_fn fn, void *user)
{
    presence_redis *self = (presence_redis *)base;
    if (self->closed)
        return WEIR_ECLOSED;
    presence_request *request = presence_request_new(self, &user_id, 1);
    if (!request)
        return WEIR_ENOMEM;
    request->on_set = fn;
    request->user = user;
    request->device = device;
    request->state = state;
    return begin(self, request);
}

static weir_err get(presence *base, const uint64_t *user_ids, size_t count, presence_fn fn,
                    void *user)
{
    presence_redis *self = (presence_redis *)base;
    if (self->closed)
        return WEIR_ECLOSED;
    if (count > PRESENCE_MAX_ASKED || !fn)
        return WEIR_EINVAL;
    presence_request *request = presence_request_new(self, user_ids, count);
    if (!request)
        return WEIR_ENOMEM;
    request->on_get = fn;
    request->user = user;
    return begin(self, request);
}

/* Its life. */

static void on_gone(presence_answers *answers)
{
    free(WEIR_CONTAINER_OF(answers, presence_redis, answers));
}

static void close_presence(presence *base)
{
    presence_redis *self = (presence_redis *)base;
    if (self->closed)
        return;
    self->closed = true;
    redis_client_free(self->client);
    presence_answers_close(&self->answers);
}

static const presence_ops ops = {set, get, close_presence};

weir_err presence_redis_open(presence **out, weir_loop *loop, const presence_opts *opts,
                             weir_why *why)
{
    const redis_client_opts limits = {.max_pending = PRESENCE_MAX_REQUESTS};
    presence_redis *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    const redis_client_events events = {.up = on_up, .user = self};
    self->base.ops = &ops;
    self->set_script.text = presence_set_script;
    self->get_script.text = presence_get_script;
    int64_t ttl_ms = opts->ttl_us / 1000 > 0 ? opts->ttl_us / 1000 : 1;
    snprintf(self->ttl_ms, sizeof self->ttl_ms, "%" PRId64, ttl_ms);
    snprintf(self->keep_ms, sizeof self->keep_ms, "%" PRId64, PRESENCE_KEEP_US / 1000 + ttl_ms);
    snprintf(self->node, sizeof self->node, "%s", opts->node);
    presence_answers_init(&self->answers, loop, on_gone);
    weir_err err = redis_client_new(&self->client, loop, opts->url, &events, &limits, why);
    if (err) {
        free(self);
        return err;
    }
    *out = &self->base;
    return WEIR_OK;
}
