/* NotificationService: topics that users subscribe to. What a subscriber gets comes by seq: a push that
 * is the next one is passed on; one that is not, or that finds the reader too slow, has the rest pulled
 * from the store. So none is left out, and none comes twice. */
#include <stdio.h>
#include <stdlib.h>

#include "auth.h"
#include "channels.h"
#include "sending.h"
#include "store/messages.h"
#include "tell.h"
#include "weir/chat/v1/notification.weir.h"
#include "work.h"

enum {
    MAX_TOPICS = 64,
    MAX_RECENT = 100,
    PULLED = 100 /* notifications at a time */
};

/** One topic of a subscription. */
typedef struct followed {
    hub_member member;
    weir_str name;
    uint64_t sent;   /* up to there it has everything */
    uint64_t newest; /* that was heard of */
    bool started;    /* `sent` is known */
} followed;

/** A running Subscribe call, in the call's arena. */
typedef struct subscription {
    app *app;
    weir_call *call;
    atomic_ullong missed;
    bool pulling;
    bool blocked; /* the reader is too slow: wait for writable */
    size_t count;
    followed topics[];
} subscription;

/* Pulling: one job at a time, for the first topic that is behind. */

typedef struct pull {
    storage_job job;
    fence fence;
    app *app;
    weir_call_id call;
    size_t index; /* of the topic */
    weir_arena *mem;
    char topic[CHAT_MAX_NAME + 1];
    bool find_start; /* from `recent` before the end; else from `after` */
    unsigned recent;
    uint64_t after;
    chat_notification *items;
    size_t count;
    bool more;
    weir_err err;
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
    uint64_t after = self->after;
    weir_err err = WEIR_OK;
    if (self->find_start) {
        err = messages_topic_end(d, self->topic, &after);
        after = after > self->recent ? after - self->recent : 0;
    }
    if (!err)
        err = messages_of_topic(d, self->topic, after, PULLED, self->mem, &self->items,
                                &self->count, &self->more);
    if (!err)
        self->after = after;
    return err;
}

static void on_pulled(weir_call *call, void *user);

static void pulled(storage_job *job, weir_err err, const char *why)
{
    pull *self = WEIR_CONTAINER_OF(job, pull, job);
    if (err)
        work_status(err, why);
    self->err = err;
    if (weir_call_run_post(self->call, on_pulled, self))
        free_pull(self);
}

static void submit(pull *self)
{
    self->job = (storage_job){.run = read_notes, .done = pulled, .reads_only = true};
    weir_err err = storage_submit(self->app->storage, &self->job);
    if (err)
        pulled(&self->job, err, NULL);
}

static void on_fence(fence *waiting)
{
    submit(WEIR_CONTAINER_OF(waiting, pull, fence));
}

static pull *new_pull(subscription *sub, size_t index)
{
    pull *made = calloc(1, sizeof *made);
    weir_arena *mem = weir_arena_new();
    if (!made || !mem) {
        weir_arena_free(mem);
        free(made);
        return NULL;
    }
    made->app = sub->app;
    made->call = weir_call_id_of(sub->call);
    made->index = index;
    made->mem = mem;
    memcpy(made->topic, sub->topics[index].name.ptr, sub->topics[index].name.len);
    return made;
}

/** Passes on what is next. @return false: the reader is too slow */
static bool pass(subscription *sub, followed *topic, const chat_notification *note)
{
    if (weir_call_send(sub->call, note)) {
        sub->blocked = true;
        return false;
    }
    topic->sent = note->seq;
    return true;
}

/** Pulls for the first topic that is behind, if there is one and nothing is in the way. */
static void pull_next(subscription *sub)
{
    for (size_t i = 0; i < sub->count && !sub->pulling && !sub->blocked; i++) {
        followed *topic = &sub->topics[i];
        if (topic->started && topic->newest <= topic->sent)
            continue;
        pull *made = new_pull(sub, i);
        if (!made) {
            weir_call_fail(sub->call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
            return;
        }
        made->after = topic->sent;
        sub->pulling = true;
        submit(made);
    }
}

static void take(subscription *sub, const pull *got)
{
    followed *topic = &sub->topics[got->index];
    if (!topic->started)
        topic->sent = got->after;
    topic->started = true;
    for (size_t i = 0; i < got->count; i++) {
        if (got->items[i].seq > topic->sent && !pass(sub, topic, &got->items[i]))
            break;
    }
    uint64_t end = got->count > 0 ? got->items[got->count - 1].seq : got->after;
    if (got->more || sub->blocked)
        end++; /* at least one more is there, or some of these were not passed on */
    if (end > topic->newest)
        topic->newest = end;
    else if (!got->more && !sub->blocked && topic->sent < topic->newest)
        topic->newest = topic->sent; /* heard of, but not there: a push of what was never stored */
}

static void on_pulled(weir_call *call, void *user)
{
    pull *got = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (sub) {
        sub->pulling = false;
        if (got->err) {
            weir_status why = work_status(got->err, NULL);
            weir_call_finish_status(call, &why);
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

static void push(subscription *sub, const pushed *note)
{
    weir_str name = weir_str_of(note->topic, note->len);
    for (size_t i = 0; i < sub->count; i++) {
        followed *topic = &sub->topics[i];
        if (!weir_str_eq(topic->name, name) || note->seq <= topic->newest)
            continue;
        bool next = topic->started && !sub->pulling && !sub->blocked &&
                    topic->newest <= topic->sent && note->seq == topic->sent + 1;
        topic->newest = note->seq;
        if (next && !weir_call_send_payload(sub->call, note->payload))
            topic->sent = note->seq;
        else if (next)
            sub->blocked = true;
        else
            pull_next(sub);
    }
}

static void on_push(weir_call *call, void *user)
{
    pushed *note = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (sub)
        push(sub, note);
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
    memcpy(note->topic, topic.ptr, topic.len);
    if (weir_call_run_post(call, on_push, note)) {
        weir_payload_unref(payload);
        free(note);
    }
}

static void on_check(weir_call *call, void *user WEIR_UNUSED)
{
    subscription *sub = call ? weir_call_data(call) : NULL;
    if (!sub)
        return;
    for (size_t i = 0; i < sub->count; i++)
        sub->topics[i].newest++; /* as if there were one more: the store says whether there is */
    pull_next(sub);
}

void subscription_check_post(weir_call_id call)
{
    if (weir_call_run_post(call, on_check, NULL))
        WEIR_LOG_DEBUG("a subscription was gone before it could be checked");
}

/* The call. */

static const char *check(const chat_subscribe_request *request)
{
    if (request->topics.len == 0 || request->topics.len > MAX_TOPICS)
        return "topics must be 1 to 64";
    for (size_t i = 0; i < request->topics.len; i++) {
        if (!chat_name_is_valid(request->topics.items[i], CHAT_MAX_NAME))
            return "a topic's name is 1 to 64 of a-z 0-9 . _ -";
    }
    return NULL;
}

static weir_err join_all(subscription *sub, const chat_subscribe_request *request)
{
    for (size_t i = 0; i < request->topics.len; i++) {
        char channel[CHAT_CHANNEL_MAX];
        followed *topic = &sub->topics[i];
        topic->name = request->topics.items[i];
        topic->member.call = weir_call_id_of(sub->call);
        topic->member.missed = &sub->missed;
        int len = snprintf(channel, sizeof channel, "t/%.*s", WEIR_STR_ARGS(topic->name));
        weir_err err =
            hub_join(sub->app->topics, weir_str_of(channel, (size_t)len), &topic->member);
        if (err)
            return err;
        sub->count++;
    }
    return WEIR_OK;
}

/** The first pull of each topic says where it begins; the first of all waits for the bus. */
static void find_starts(subscription *sub, const chat_subscribe_request *request)
{
    for (size_t i = 0; i < sub->count; i++) {
        followed *topic = &sub->topics[i];
        for (size_t k = 0; k < request->positions.len; k++) {
            if (weir_str_eq(request->positions.items[k].topic, topic->name)) {
                topic->sent = request->positions.items[k].after_seq;
                topic->newest = topic->sent + 1;
                topic->started = true;
            }
        }
    }
}

typedef struct starting {
    fence fence;
    weir_call_id call;
    unsigned recent;
} starting;

/** All channels are heard: the topics without a position are read, each once, then those with one. */
static void on_heard(weir_call *call, void *user)
{
    starting *self = user;
    subscription *sub = call ? weir_call_data(call) : NULL;
    for (size_t i = 0; sub && i < sub->count; i++) {
        if (sub->topics[i].started)
            continue;
        pull *made = new_pull(sub, i);
        if (!made) {
            weir_call_fail(call, WEIR_STATUS_RESOURCE_EXHAUSTED, "out of memory");
            break;
        }
        made->find_start = true;
        made->recent = self->recent;
        submit(made);
    }
    if (sub)
        pull_next(sub);
    free(self);
}

static void on_channels(fence *waiting)
{
    starting *self = WEIR_CONTAINER_OF(waiting, starting, fence);
    if (weir_call_run_post(self->call, on_heard, self))
        free(self);
}
