#include "marks.h"

#include <pthread.h>
#include <stdlib.h>

#include "model/messages.h"
#include "tell.h"

enum {
    BUCKETS = 8192,
    SLICES = 10, /* of the buckets: all of them in a second, few enough that messages do not wait */
    PER_JOB = 500
};

#define FLUSH_US (WEIR_SECONDS(1) / SLICES)

/** One user's marks in one conversation. */
typedef struct waiting {
    struct waiting *next;
    uint64_t user;
    chat_mark mark;
    char name[33];
    bool tell;
} waiting;

struct marks {
    app *app;
    pthread_mutex_t lock;
    size_t count;
    waiting *buckets[BUCKETS];
    size_t slice; /* the next one */
    weir_timer timer;
};

/** Up to PER_JOB of them on their way to the store. */
typedef struct batch {
    storage_job job;
    app *app;
    size_t count;
    waiting *items[PER_JOB];
} batch;

static weir_err store(db *d, storage_job *job)
{
    batch *self = WEIR_CONTAINER_OF(job, batch, job);
    weir_err err = WEIR_OK;
    for (size_t i = 0; !err && i < self->count; i++)
        err = messages_mark(d, self->items[i]->user, &self->items[i]->mark);
    return err;
}

static void end(storage_job *job, weir_err err, const char *why)
{
    batch *self = WEIR_CONTAINER_OF(job, batch, job);
    if (err)
        WEIR_LOG_WARN("%zu marks were not stored (%s): later ones say as much", self->count,
                      why ? why : weir_err_text(err));
    else
        atomic_fetch_add(&self->app->counters.marks, self->count);
    for (size_t i = 0; i < self->count; i++) {
        waiting *item = self->items[i];
        if (!err && item->tell)
            tell_conversation_post(
                self->app, item->mark.conversation,
                &(chat_server_frame){CHAT_SERVER_FRAME_FRAME_MARK, .frame.mark = &item->mark});
        free(item);
    }
    free(self);
}

static void submit(app *host, waiting *list)
{
    while (list) {
        batch *made = calloc(1, sizeof *made);
        if (made)
            *made = (batch){.job = {.run = store, .done = end}, .app = host};
        for (size_t i = 0; list && i < PER_JOB; i++) {
            waiting *item = list;
            list = item->next;
            if (made)
                made->items[made->count++] = item;
            else
                free(item);
        }
        weir_err err = made ? storage_submit(host->storage, &made->job) : WEIR_ENOMEM;
        if (err && made)
            end(&made->job, err, NULL);
    }
}

/** Every `step`th bucket from `first` on. */
static waiting *take(struct marks *self, size_t first, size_t step)
{
    waiting *list = NULL;
    pthread_mutex_lock(&self->lock);
    for (size_t i = first; self->count > 0 && i < BUCKETS; i += step) {
        while (self->buckets[i]) {
            waiting *item = self->buckets[i];
            self->buckets[i] = item->next;
            item->next = list;
            list = item;
            self->count--;
        }
    }
    pthread_mutex_unlock(&self->lock);
    return list;
}

static void on_time(weir_timer *timer, void *user)
{
    struct marks *self = user;
    submit(self->app, take(self, self->slice, SLICES));
    self->slice = (self->slice + 1) % SLICES;
    weir_loop_after(self->app->loop, timer, FLUSH_US, on_time, self);
}

weir_err marks_new(struct marks **out, app *host)
{
    struct marks *self = calloc(1, sizeof *self);
    if (!self)
        return WEIR_ENOMEM;
    self->app = host;
    pthread_mutex_init(&self->lock, NULL);
    weir_loop_after(host->loop, &self->timer, FLUSH_US, on_time, self);
    *out = self;
    return WEIR_OK;
}

void marks_close(struct marks *self)
{
    if (!self)
        return;
    weir_loop_cancel(self->app->loop, &self->timer);
    submit(self->app, take(self, 0, 1)); /* closing the store runs what is queued */
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void raise_to(waiting *item, const chat_mark *mark)
{
    if (mark->delivered_seq > item->mark.delivered_seq)
        item->mark.delivered_seq = mark->delivered_seq;
    if (mark->read_seq > item->mark.read_seq)
        item->mark.read_seq = mark->read_seq;
}

static void add(struct marks *self, const caller *who, const chat_mark *mark, bool tell)
{
    uint64_t hash = weir_random_mix(who->id ^ weir_random_mix(mark->conversation));
    waiting **at = &self->buckets[hash % BUCKETS];
    while (*at && ((*at)->user != who->id || (*at)->mark.conversation != mark->conversation))
        at = &(*at)->next;
    if (!*at) {
        waiting *item = self->count < MARKS_MAX ? calloc(1, sizeof *item) : NULL;
        if (!item) {
            atomic_fetch_add(&self->app->counters.marks_dropped, 1);
            return;
        }
        item->user = who->id;
        item->tell = tell;
        memcpy(item->name, who->name, sizeof item->name);
        item->mark.conversation = mark->conversation;
        item->mark.user = weir_str_from(item->name);
        *at = item;
        self->count++;
    }
    raise_to(*at, mark);
}

void marks_add(struct marks *self, const caller *who, const chat_mark *mark, bool tell)
{
    pthread_mutex_lock(&self->lock);
    add(self, who, mark, tell);
    pthread_mutex_unlock(&self->lock);
}
