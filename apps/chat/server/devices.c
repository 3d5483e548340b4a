#include "devices.h"

#include <stdlib.h>

#include "model/people.h"
#include "tell.h"

enum {
    BUCKETS = 16384,
    REFRESH_SLICES = 20 /* of the devices, one each second: all of them within presence's 60 s */
};

#define TICK_US   WEIR_SECONDS(1)
#define LINGER_US WEIR_SECONDS(3)

typedef struct device {
    struct device *next; /* in its bucket */
    app *app;
    caller who;
    uint64_t number;
    presence_state state;
    weir_timer linger;
    bool leaving;
} device;

struct devices {
    app *app;
    weir_timer tick;
    unsigned slice;
    device *buckets[BUCKETS];
};

static const chat_presence as[] = {[PRESENCE_OFFLINE] = CHAT_PRESENCE_OFFLINE,
                                   [PRESENCE_AWAY] = CHAT_PRESENCE_AWAY,
                                   [PRESENCE_ONLINE] = CHAT_PRESENCE_ONLINE};

void devices_show(const presence_info *info, int64_t stored_us, chat_profile *out)
{
    out->presence = as[info->state];
    out->last_seen_us = info->last_seen_us > 0            ? info->last_seen_us
                        : info->state == PRESENCE_OFFLINE ? stored_us
                                                          : 0;
}

/* Friends are told. */

typedef struct change {
    storage_job job;
    app *app;
    caller who;
    presence_state state;
    weir_arena *mem;
    people_row *people;
    size_t count;
} change;

static weir_err read_friends(db *d, storage_job *job)
{
    change *self = WEIR_CONTAINER_OF(job, change, job);
    weir_arena_reset(self->mem);
    return people_list(d, self->who.id, self->mem, &self->people, &self->count);
}

static void tell_friends(storage_job *job, weir_err err, const char *why WEIR_UNUSED)
{
    change *self = WEIR_CONTAINER_OF(job, change, job);
    chat_presence_event event = {
        .user = weir_str_from(self->who.name),
        .presence = as[self->state],
        .last_seen_us = weir_wall_now().us,
    };
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_PRESENCE, .frame.presence = &event};
    for (size_t i = 0; !err && i < self->count; i++) {
        if (self->people[i].relation == CHAT_RELATION_FRIEND)
            tell_user_post(self->app, self->people[i].id, &frame);
    }
    weir_arena_free(self->mem);
    free(self);
}

static void begin_telling(const device *self, presence_state state)
{
    change *made = calloc(1, sizeof *made);
    weir_arena *mem = weir_arena_new();
    if (made && mem) {
        *made = (change){.job = {.run = read_friends, .done = tell_friends, .reads_only = true},
                         .app = self->app,
                         .who = self->who,
                         .state = state,
                         .mem = mem};
        if (!storage_submit(self->app->storage, &made->job))
            return;
    }
    weir_arena_free(mem);
    free(made);
}

/* What the loop keeps of each device. */

static device **find(struct devices *self, uint64_t number)
{
    device **at = &self->buckets[weir_random_mix(number) % BUCKETS];
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

/** The answer comes when the device may be gone: it brings a copy of what is needed. */
typedef struct asked {
    device copy;
} asked;

static void on_changed(weir_err err, uint64_t user_id WEIR_UNUSED, presence_state before,
                       presence_state after, void *user)
{
    asked *self = user;
    if (!err && before != after)
        begin_telling(&self->copy, after);
    free(self);
}

static void publish(const device *self, presence_state state)
{
    asked *made = malloc(sizeof *made);
    if (!made)
        return;
    made->copy = *self;
    if (presence_set(self->app->presence, self->who.id, self->number, state, on_changed, made))
        free(made);
}

static void remove_device(struct devices *self, device *gone)
{
    weir_loop_cancel(self->app->loop, &gone->linger);
    device **at = find(self, gone->number);
    *at = gone->next;
    free(gone);
}

static void on_lingered(weir_timer *timer, void *user)
{
    device *gone = WEIR_CONTAINER_OF(timer, device, linger);
    publish(gone, PRESENCE_OFFLINE);
    remove_device(user, gone);
}

static void apply(struct devices *self, const device *wanted)
{
    device **at = find(self, wanted->number);
    if (!*at && wanted->state == PRESENCE_OFFLINE)
        return;
    if (!*at) {
        device *made = malloc(sizeof *made);
        if (!made)
            return;
        *made = *wanted;
        made->linger = (weir_timer){0};
        made->next = NULL;
        *at = made;
    }
    device *is = *at;
    is->state = wanted->state == PRESENCE_OFFLINE ? is->state : wanted->state;
    is->leaving = wanted->state == PRESENCE_OFFLINE;
    if (is->leaving) {
        weir_loop_after(self->app->loop, &is->linger, LINGER_US, on_lingered, self);
    } else {
        weir_loop_cancel(self->app->loop, &is->linger);
        publish(is, is->state);
    }
}

typedef struct note {
    weir_task task;
    device wanted;
} note;

static void on_note(weir_task *task, weir_err err)
{
    note *self = WEIR_CONTAINER_OF(task, note, task);
    if (!err && self->wanted.app->devices)
        apply(self->wanted.app->devices, &self->wanted);
    free(self);
}

void devices_set(struct devices *self, const caller *who, weir_call_id call, presence_state state)
{
    note *made = calloc(1, sizeof *made);
    if (!made)
        return;
    made->wanted = (device){.app = self->app, .who = *who, .number = call.value, .state = state};
    weir_loop_post(self->app->loop, &made->task, on_note);
}

static void on_tick(weir_timer *timer, void *user)
{
    struct devices *self = user;
    for (size_t i = self->slice; i < BUCKETS; i += REFRESH_SLICES) {
        for (device *is = self->buckets[i]; is; is = is->next) {
            if (!is->leaving)
                publish(is, is->state);
        }
    }
    self->slice = (self->slice + 1) % REFRESH_SLICES;
    weir_loop_after(self->app->loop, timer, TICK_US, on_tick, self);
}

weir_err devices_new(struct devices **out, app *host)
{
    struct devices *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->app = host;
    weir_loop_after(host->loop, &self->tick, TICK_US, on_tick, self);
    *out = self;
    return WEIR_OK;
}

void devices_free(struct devices *self)
{
    if (!self)
        return;
    weir_loop_cancel(self->app->loop, &self->tick);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (self->buckets[i])
            remove_device(self, self->buckets[i]);
    }
    free(self);
}

/* A question from a worker. The loop's answer wakes it. */

typedef struct question {
    weir_task task;
    app *app;
    weir_latch answered;
    const uint64_t *users;
    size_t count;
    presence_info *infos;
} question;

static void on_answer(weir_err err, const presence_info *infos, size_t count, void *user)
{
    question *self = user;
    if (!err && infos)
        memcpy(self->infos, infos, count * sizeof *infos);
    weir_latch_down(&self->answered);
}

static void on_question(weir_task *task, weir_err err)
{
    question *self = WEIR_CONTAINER_OF(task, question, task);
    if (err || !self->app->presence ||
        presence_get(self->app->presence, self->users, self->count, on_answer, self))
        weir_latch_down(&self->answered);
}

void devices_ask(app *host, const uint64_t *users, size_t count, presence_info *infos)
{
    question put = {.app = host, .users = users, .count = count, .infos = infos};
    memset(infos, 0, count * sizeof *infos);
    if (count == 0)
        return;
    weir_latch_init(&put.answered, 1);
    weir_loop_post(host->loop, &put.task, on_question);
    weir_latch_wait(&put.answered);
    weir_latch_fini(&put.answered);
}
