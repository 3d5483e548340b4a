/* What a subscriber gets comes by seq: a push that is the next one is passed on; one that is not,
 * or that finds the reader too slow, has the rest pulled from the store. So none is left out, and
 * none comes twice. */
#include "subscription.h"

#include <stdio.h>
#include <stdlib.h>

#include "auth.h"
#include "channels.h"
#include "model/messages.h"
#include "tell.h"
#include "work.h"

enum {
    MAX_RECENT = 100,
    PULLED = 100 /* notifications at a time */
};

/** One topic of a subscription. */
typedef struct followed {
    hub_member member;
    weir_str name;
    uint64_t sent; /* up to there it has everything, */
    bool started;  /* which is known */
    bool behind;   /* the store may have more */
} followed;

/** A running Subscribe call, in the call's arena. */
struct subscription {
    app *app;
    weir_call *call;
    caller who;
    atomic_ullong missed;
    hub_member all;
    unsigned recent;
    const followed *pulling; /* whose notifications are being read */
    bool waiting;            /* it has not begun: nothing is sent yet */
    bool blocked;            /* the reader is too slow: wait for writable */
    size_t count;
    followed topics[];
};

static followed *find(subscription *sub, weir_str topic)
{
    for (size_t i = 0; i < sub->count; i++) {
        if (weir_str_eq(sub->topics[i].name, topic))
            return &sub->topics[i];
    }
    return NULL;
}

/* Pulling: one job at a time, for the first topic that is behind. */

typedef struct pull {
    storage_job job;
    app *app;
    weir_call_id call;
    caller who;
    weir_arena *mem;
    size_t index;    /* of the topic */
    size_t name_len; /* its name's */
    uint64_t after;
    chat_notification *items;
    size_t count;
    bool more;
    weir_err err;
    char name[CHAT_MAX_NAME];
} pull;

static void free_pull(pull *self)
{
    weir_arena_free(self->mem);
    free(self);
}

static weir_err read_notes(db *d, storage_job *job)
{
    pull *self = WEIR_CONTAINER_OF(job, pull, job);
    weir_arena_reset(self->mem);
    weir_err err = accounts_check(d, &self->who);
    if (err)
        return err;
    return messages_of_topic(d, weir_str_of(self->name, self->name_len), self->after, PULLED,
                             self->mem, &self->items, &self->count, &self->more);
}

static void on_pulled(weir_call *call, void *user);

static void pulled(storage_job *job, weir_err err, const char *why)
{
    pull *self = WEIR_CONTAINER_OF(job, pull, job);
    if (err)
        work_status(err, why); /* logs what is worth it */
    self->err = err;
    if (weir_call_run_post(self->call, on_pulled, self))
        free_pull(self);
}

static weir_err begin_pull(subscription *sub, followed *topic)
{
    pull *made = calloc(1, sizeof *made);
    weir_arena *mem = weir_arena_new();
    weir_err err = WEIR_ENOMEM;
    if (made && mem) {
        *made = (pull){
            .job = {.run = read_notes, .done = pulled, .reads_only = true},
            .app = sub->app,
            .call = weir_call_id_of(sub->call),
            .who = sub->who,
            .mem = mem,
            .index = (size_t)(topic - sub->topics),
            .name_len = topic->name.len,
            .after = topic->sent,
        };
        memcpy(made->name, topic->name.ptr, topic->name.len);
        err = storage_submit(sub->app->storage, &made->job);
    }
    if (err) {
        weir_arena_free(mem);
        free(made);
        return err;
    }
    sub->pulling = topic;
    topic->behind = false; /* what is pushed from now on may not be in it */
    return WEIR_OK;
}

static void fail(subscription *sub, weir_err err)
{
    weir_status why = work_status(err, NULL);
    weir_call_finish_status(sub->call, &why);
}

static void pull_next(subscription *sub)
{
    for (size_t i = 0; i < sub->count; i++) {
        if (sub->pulling || sub->waiting || sub->blocked)
            return;
        weir_err err = sub->topics[i].behind ? begin_pull(sub, &sub->topics[i]) : WEIR_OK;
        if (err)
            fail(sub, err);
    }
}

static void take(subscription *sub, const pull *got)
{
    followed *topic = &sub->topics[got->index];
    topic->behind |= got->more;
    for (size_t i = 0; i < got->count; i++) {
        if (weir_call_send(sub->call, &got->items[i])) {
            sub->blocked = topic->behind = true;
            break;
        }
        topic->sent = got->items[i].seq;
    }
}

static void on_pulled(weir_call *call, void *user)
{
    pull *got = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (sub) {
        sub->pulling = NULL;
        if (got->err) {
            fail(sub, got->err);
        } else {
            take(sub, got);
            pull_next(sub);
        }
    }
    free_pull(got);
}

/* Pushing. */

typedef struct pushed {
    weir_payload *payload;
    uint64_t seq;
    size_t len;
    char topic[CHAT_MAX_NAME];
} pushed;

static void push(subscription *sub, followed *topic, const pushed *note)
{
    if (topic->started && note->seq <= topic->sent)
        return;
    bool next = !sub->waiting && !topic->behind && sub->pulling != topic && !sub->blocked &&
                note->seq == topic->sent + 1;
    if (next && !weir_call_send_payload(sub->call, note->payload)) {
        topic->sent = note->seq;
        return;
    }
    sub->blocked |= next;
    topic->behind = true;
    pull_next(sub);
}

static void on_push(weir_call *call, void *user)
{
    pushed *note = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    followed *topic = sub ? find(sub, weir_str_of(note->topic, note->len)) : NULL;
    if (topic)
        push(sub, topic, note);
    else if (sub && note->seq == 0 && !sub->waiting && !sub->blocked) /* the server's own, to all */
        sub->blocked = weir_call_send_payload(call, note->payload) != WEIR_OK;
    weir_payload_unref(note->payload);
    free(note);
}

void subscription_push_post(weir_call_id call, weir_payload *payload, uint64_t seq, weir_str topic)
{
    pushed *note = malloc(sizeof *note);
    if (!note)
        return; /* the next one brings it along */
    note->payload = weir_payload_ref(payload);
    note->seq = seq;
    note->len = topic.len;
    if (topic.len > 0)
        memcpy(note->topic, topic.ptr, topic.len);
    if (weir_call_run_post(call, on_push, note)) {
        weir_payload_unref(payload);
        free(note);
    }
}

/** Everything is looked up again. */
static void on_check(weir_call *call, void *user WEIR_UNUSED)
{
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (!sub)
        return;
    for (size_t i = 0; i < sub->count; i++)
        sub->topics[i].behind = true;
    pull_next(sub);
}

void subscription_check_post(weir_call_id call)
{
    if (weir_call_run_post(call, on_check, NULL))
        WEIR_LOG_DEBUG("a subscription was gone before it could be checked");
}

subscription *subscription_new(app *self, weir_call *call, const chat_subscribe_request *request)
{
    size_t count = request->topics.len;
    subscription *sub =
        weir_arena_zalloc(weir_call_arena(call), sizeof *sub + count * sizeof *sub->topics);
    if (!sub)
        return NULL;
    sub->app = self;
    sub->call = call;
    sub->who = auth_caller(call);
    sub->recent = request->recent < MAX_RECENT ? request->recent : MAX_RECENT;
    sub->waiting = true;
    for (size_t i = 0; i < count; i++) {
        if (!find(sub, request->topics.items[i]))
            sub->topics[sub->count++].name = request->topics.items[i];
    }
    for (size_t i = 0; i < request->positions.len; i++) {
        followed *topic = find(sub, request->positions.items[i].topic);
        if (topic) {
            topic->sent = request->positions.items[i].after_seq;
            topic->started = true;
        }
    }
    weir_call_set_data(call, sub);
    atomic_fetch_add(&self->counters.subscriptions, 1);
    return sub;
}

static weir_err join_all(subscription *sub)
{
    weir_loop *loop = weir_call_loop(sub->call);
    sub->all.call = weir_call_id_of(sub->call);
    sub->all.missed = &sub->missed;
    weir_err err = hub_join(sub->app->topics, WEIR_STR("all"), &sub->all, loop);
    for (size_t i = 0; !err && i < sub->count; i++) {
        char channel[CHAT_CHANNEL_MAX];
        followed *topic = &sub->topics[i];
        topic->member.call = weir_call_id_of(sub->call);
        topic->member.missed = &sub->missed;
        int len = snprintf(channel, sizeof channel, "t/%.*s", WEIR_STR_ARGS(topic->name));
        err = hub_join(sub->app->topics, weir_str_of(channel, (size_t)len), &topic->member, loop);
    }
    return err;
}

static void welcome(weir_call *call, const subscription *sub)
{
    chat_notification hello = {
        .type = CHAT_NOTIFICATION_TYPE_WELCOME,
        .title = WEIR_STR("welcome"),
        .body = weir_call_printf(call, "%s, you hear %zu topic%s", sub->who.name, sub->count,
                                 sub->count == 1 ? "" : "s"),
        .time_us = weir_wall_now().us,
    };
    if (weir_call_send(call, &hello))
        weir_call_cancel(call);
}

/* The beginning: the bus must bring what comes later, then the topics' ends are read, from which
 * the subscriber hears on; only then is it welcome, since it misses nothing from there. */

typedef struct starting {
    storage_job job;
    fence fence;
    app *app;
    weir_call_id call;
    caller who;
    weir_err err;
    size_t count;
    struct {
        size_t len;
        char name[CHAT_MAX_NAME];
        uint64_t end;
    } topics[];
} starting;

static void begin(subscription *sub, const starting *read)
{
    for (size_t i = 0; i < sub->count; i++) {
        followed *topic = &sub->topics[i];
        uint64_t end = read->topics[i].end;
        if (!topic->started)
            topic->sent = end > sub->recent ? end - sub->recent : 0;
        topic->started = topic->behind = true;
    }
    sub->waiting = false;
    welcome(sub->call, sub);
    pull_next(sub);
}

static void on_ends(weir_call *call, void *user)
{
    starting *read = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (sub && read->err)
        fail(sub, read->err);
    else if (sub)
        begin(sub, read);
    free(read);
}

static weir_err read_ends(db *d, storage_job *job)
{
    starting *self = WEIR_CONTAINER_OF(job, starting, job);
    weir_err err = accounts_check(d, &self->who);
    for (size_t i = 0; !err && i < self->count; i++)
        err = messages_topic_end(d, weir_str_of(self->topics[i].name, self->topics[i].len),
                                 &self->topics[i].end);
    return err;
}

static void ends_read(storage_job *job, weir_err err, const char *why)
{
    starting *self = WEIR_CONTAINER_OF(job, starting, job);
    if (err)
        work_status(err, why); /* logs what is worth it */
    self->err = err;
    if (weir_call_run_post(self->call, on_ends, self))
        free(self);
}

static void on_channels(fence *waiting, weir_err err)
{
    starting *self = WEIR_CONTAINER_OF(waiting, starting, fence);
    self->job = (storage_job){.run = read_ends, .done = ends_read, .reads_only = true};
    if (!err)
        err = storage_submit(self->app->storage, &self->job);
    if (err)
        ends_read(&self->job, err, NULL);
}

weir_err subscription_start(subscription *sub)
{
    weir_err err = join_all(sub);
    starting *made = err ? NULL : calloc(1, sizeof *made + sub->count * sizeof made->topics[0]);
    if (!made)
        return err ? err : WEIR_ENOMEM;
    made->fence.done = on_channels;
    made->app = sub->app;
    made->call = weir_call_id_of(sub->call);
    made->who = sub->who;
    made->count = sub->count;
    for (size_t i = 0; i < sub->count; i++) {
        made->topics[i].len = sub->topics[i].name.len;
        memcpy(made->topics[i].name, sub->topics[i].name.ptr, sub->topics[i].name.len);
    }
    channels_wait(sub->app->channels, &made->fence);
    return WEIR_OK;
}

void subscription_writable(subscription *self)
{
    self->blocked = false;
    pull_next(self);
}

void subscription_end(subscription *self)
{
    hub_leave(self->app->topics, &self->all);
    for (size_t i = 0; i < self->count; i++)
        hub_leave(self->app->topics, &self->topics[i].member);
    atomic_fetch_sub(&self->app->counters.subscriptions, 1);
}
