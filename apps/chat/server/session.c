#include "session.h"

#include <stdlib.h>

#include "auth.h"
#include "channels.h"
#include "devices.h"
#include "model/conversations.h"
#include "tell.h"
#include "work.h"

/* Between two looks of a stream. */
#define BETWEEN_US INT64_C(20000)

typedef struct joined {
    uint64_t conversation;
    chat_conversation_kind kind;
    hub_member *member;
} joined;

/* Looking at which conversations there are: a job, whose result goes to the call's loop, which
 * joins those that are new. If there were any, the bus must hear them before the list is read
 * again. */

typedef struct look {
    storage_job job;
    fence fence;
    app *app;
    weir_call_id call;
    caller who;
    weir_arena *mem;
    chat_conversation *conversations;
    size_t count;
    weir_err err;
} look;

static void free_look(look *self)
{
    weir_arena_free(self->mem);
    free(self);
}

static weir_err read_conversations(db *d, storage_job *job)
{
    look *self = WEIR_CONTAINER_OF(job, look, job);
    weir_arena_reset(self->mem);
    weir_err err = accounts_check(d, &self->who);
    return err ? err
               : conversations_list(d, self->who.id, self->mem, &self->conversations, &self->count);
}

static void on_looked(weir_call *call, void *user);

static void looked(storage_job *job, weir_err err, const char *why)
{
    look *self = WEIR_CONTAINER_OF(job, look, job);
    if (err)
        work_status(err, why); /* logs what is worth it */
    self->err = err;
    if (weir_call_run_post(self->call, on_looked, self))
        free_look(self);
}

static weir_err begin_look(look *self)
{
    self->job = (storage_job){.run = read_conversations, .done = looked, .reads_only = true};
    return storage_submit(self->app->storage, &self->job);
}

static void leave(session *self, joined *gone)
{
    hub_leave(self->app->chats, gone->member);
    free(gone->member);
}

static joined *find(const session *self, uint64_t conversation)
{
    for (size_t i = 0; i < self->joined_count; i++) {
        if (self->joined[i].conversation == conversation)
            return &self->joined[i];
    }
    return NULL;
}

static hub_member *join(session *self, uint64_t conversation)
{
    char channel[CHAT_CHANNEL_MAX];
    hub_member *member = calloc(1, sizeof *member);
    if (!member)
        return NULL;
    member->call = weir_call_id_of(self->call);
    member->missed = &self->missed;
    if (hub_join(self->app->chats, chat_channel(channel, 'c', conversation), member,
                 weir_call_loop(self->call))) {
        free(member);
        return NULL;
    }
    return member;
}

/** Joins those of the list that it is not in yet and leaves the others.
 * @param added  whether it joined any. @return false: out of memory, and nothing has changed */
static bool follow(session *self, const look *seen, bool *added)
{
    joined *list = calloc(seen->count > 0 ? seen->count : 1, sizeof *list);
    size_t count = 0;
    *added = false;
    if (!list)
        return false;
    for (size_t i = 0; i < seen->count; i++) {
        const chat_conversation *of = &seen->conversations[i];
        joined *known = find(self, of->id);
        hub_member *member = known ? known->member : join(self, of->id);
        if (!member)
            continue; /* out of memory: it is not pushed, but in the Heads */
        *added |= !known;
        if (known)
            known->member = NULL;
        list[count++] = (joined){of->id, of->kind, member};
    }
    for (size_t i = 0; i < self->joined_count; i++) {
        if (self->joined[i].member)
            leave(self, &self->joined[i]);
    }
    free(self->joined);
    self->joined = list;
    self->joined_count = count;
    return true;
}

static void send_heads(session *self, const look *seen)
{
    unsigned long long missed = atomic_exchange(&self->missed, 0);
    chat_heads heads = {
        .conversations = {seen->conversations, seen->count},
        .node = weir_str_from(self->app->node),
        .missed = missed,
    };
    chat_server_frame frame = {CHAT_SERVER_FRAME_FRAME_HEADS, .frame.heads = &heads};
    atomic_fetch_add(&self->app->counters.heads, 1);
    if (weir_call_send(self->call, &frame))
        atomic_fetch_add(&self->missed, missed + 1); /* again, when it reads */
}

static void end_refresh(session *self)
{
    bool again = self->again;
    self->refreshing = self->again = false;
    if (again)
        session_refresh(self);
}

static void fail(session *self, weir_err err)
{
    weir_status why = work_status(err, NULL);
    weir_call_finish_status(self->call, &why);
}

static void on_fence(fence *waiting, weir_err err)
{
    look *self = WEIR_CONTAINER_OF(waiting, look, fence);
    if (!err)
        err = begin_look(self);
    if (err) {
        self->err = err;
        if (weir_call_run_post(self->call, on_looked, self))
            free_look(self);
    }
}

static void on_looked(weir_call *call, void *user)
{
    look *seen = user;
    session *self = call ? weir_call_data(call) : NULL;
    bool added = false;
    if (!self) {
        free_look(seen);
        return;
    }
    if (seen->err || !follow(self, seen, &added)) {
        fail(self, seen->err ? seen->err : WEIR_ENOMEM);
        free_look(seen);
        return;
    }
    if (added) {
        seen->fence.done = on_fence;
        channels_wait(self->app->channels, &seen->fence);
        return;
    }
    send_heads(self, seen);
    free_look(seen);
    end_refresh(self);
}

static void on_later(weir_timer *timer WEIR_UNUSED, void *user)
{
    session_refresh(user);
}

/** Whether one began just now: then the next comes a little later, however often it is asked for.
 */
static bool is_too_soon(session *self)
{
    weir_loop *loop = weir_call_loop(self->call);
    weir_time now = weir_loop_now(loop);
    if (self->last.us == 0 || now.us - self->last.us >= BETWEEN_US) {
        self->last = now;
        return false;
    }
    weir_loop_after(loop, &self->later, BETWEEN_US - (now.us - self->last.us), on_later, self);
    return true;
}

void session_refresh(session *self)
{
    if (!self->begun)
        return;
    if (self->refreshing) {
        self->again = true;
        return;
    }
    if (is_too_soon(self))
        return;
    look *made = calloc(1, sizeof *made);
    weir_arena *mem = weir_arena_new();
    weir_err err = WEIR_ENOMEM;
    if (made && mem) {
        made->app = self->app;
        made->call = weir_call_id_of(self->call);
        made->who = self->who;
        made->mem = mem;
        self->refreshing = true;
        err = begin_look(made);
    }
    if (err) {
        weir_arena_free(mem);
        free(made);
        fail(self, err);
    }
}

static void on_refresh(weir_call *call, void *user WEIR_UNUSED)
{
    session *self = call ? weir_call_data(call) : NULL;
    if (self)
        session_refresh(self);
}

void session_refresh_post(weir_call_id call)
{
    if (weir_call_run_post(call, on_refresh, NULL))
        WEIR_LOG_DEBUG("a stream was gone before it could be refreshed");
}

static void on_refresh_later(weir_call *call, void *user WEIR_UNUSED)
{
    session *self = call ? weir_call_data(call) : NULL;
    uint64_t random = call ? weir_call_id_of(call).value : 0;
    if (self)
        weir_loop_after(weir_call_loop(call), &self->later,
                        200000 + weir_random_below(&random, 1800000), on_later, self);
}

void session_refresh_later_post(weir_call_id call)
{
    if (weir_call_run_post(call, on_refresh_later, NULL))
        WEIR_LOG_DEBUG("a stream was gone before it could be refreshed");
}

session *session_new(app *host, weir_call *call)
{
    session *self = weir_arena_zalloc(weir_call_arena(call), sizeof *self);
    if (!self)
        return NULL;
    self->app = host;
    self->call = call;
    self->who = auth_caller(call);
    self->user.call = self->all.call = weir_call_id_of(call);
    self->user.missed = self->all.missed = &self->missed;
    weir_call_set_data(call, self);
    return self;
}

void session_begin(session *self, const chat_hello *hello)
{
    char channel[CHAT_CHANNEL_MAX];
    weir_loop *loop = weir_call_loop(self->call);
    weir_err err =
        hub_join(self->app->chats, chat_channel(channel, 'u', self->who.id), &self->user, loop);
    if (!err)
        err = hub_join(self->app->chats, WEIR_STR("all"), &self->all, loop);
    if (err) {
        fail(self, err);
        return;
    }
    self->begun = true;
    atomic_fetch_add(&self->app->counters.sessions, 1);
    devices_set(self->app->devices, &self->who, weir_call_id_of(self->call),
                hello->presence == CHAT_PRESENCE_AWAY ? PRESENCE_AWAY : PRESENCE_ONLINE);
    session_refresh(self);
}

bool session_hears(const session *self, uint64_t conversation, chat_conversation_kind *kind)
{
    const joined *is = find(self, conversation);
    if (is)
        *kind = is->kind;
    return is != NULL;
}

void session_end(session *self)
{
    weir_call_id id = weir_call_id_of(self->call);
    weir_loop_cancel(weir_call_loop(self->call), &self->later);
    hub_leave(self->app->chats, &self->user);
    hub_leave(self->app->chats, &self->all);
    for (size_t i = 0; i < self->joined_count; i++)
        leave(self, &self->joined[i]);
    free(self->joined);
    if (!self->begun)
        return;
    atomic_fetch_sub(&self->app->counters.sessions, 1);
    devices_set(self->app->devices, &self->who, id, PRESENCE_OFFLINE);
}
