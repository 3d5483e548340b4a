#include "storage_impl.h"

#include "schema.h"

#include <stdlib.h>

enum {
    MAX_THREADS = 256
};

static storage_opts with_defaults(const storage_opts *given)
{
    storage_opts o = *given;
    if (!o.threads)
        o.threads = db_is_single_writer(o.url) ? 2 : 8;
    if (o.threads > MAX_THREADS)
        o.threads = MAX_THREADS;
    o.max_queued = o.max_queued ? o.max_queued : 20000;
    o.max_batch = o.max_batch ? o.max_batch : 1000;
    o.max_delay_us = o.max_delay_us ? o.max_delay_us : WEIR_MILLISECONDS(1);
    o.max_wait_us = o.max_wait_us ? o.max_wait_us : WEIR_SECONDS(5);
    return o;
}

static void init_queue(storage_queue *queue)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->some, &attr);
    pthread_condattr_destroy(&attr);
    weir_list_init(&queue->jobs);
}

static weir_err start_thread(storage *self, unsigned index, bool is_writer, weir_why *why)
{
    storage_thread *t = &self->threads[index];
    *t = (storage_thread){.storage = self, .random = index + 1, .in_batches = is_writer};
    t->queue = db_is_single_writer(self->opts.url) && !is_writer ? &self->reads : &self->writes;
    weir_err err = db_open(&t->d, self->opts.url, why);
    if (!err && index == 0)
        err = schema_migrate(t->d, why);
    if (!err && is_writer) {
        t->outcomes = calloc(self->opts.max_batch, sizeof *t->outcomes);
        err = t->outcomes ? WEIR_OK : weir_why_set(why, WEIR_ENOMEM, "out of memory");
    }
    if (!err) {
        err = weir_thread_start(&t->thread, is_writer ? "store-write" : "store",
                                storage_thread_main, t);
        if (err)
            weir_why_set(why, err, "no thread: %s", weir_err_text(err));
    }
    return err;
}

weir_err storage_open(storage **out, const storage_opts *opts, weir_why *why)
{
    const storage_opts full = with_defaults(opts);
    const bool has_writer = db_is_single_writer(full.url);
    const unsigned count = full.threads + has_writer;
    storage *self = calloc(1, sizeof *self + count * sizeof self->threads[0]);
    char *url = strdup(full.url);
    if (!self || !url) {
        free(self);
        free(url);
        return weir_why_set(why, WEIR_ENOMEM, "out of memory");
    }
    self->opts = full;
    self->opts.url = url;
    pthread_mutex_init(&self->lock, NULL);
    init_queue(&self->writes);
    init_queue(&self->reads);
    weir_err err = WEIR_OK;
    while (!err && self->count < count) {
        err = start_thread(self, self->count, has_writer && self->count == 0, why);
        self->count++;
    }
    if (err)
        storage_close(self);
    else
        *out = self;
    return err;
}

void storage_close(storage *self)
{
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->is_ending = true;
    pthread_cond_broadcast(&self->writes.some);
    pthread_cond_broadcast(&self->reads.some);
    pthread_mutex_unlock(&self->lock);
    for (unsigned i = 0; i < self->count; i++) {
        weir_thread_join(self->threads[i].thread);
        db_close(self->threads[i].d);
        free(self->threads[i].outcomes);
    }
    pthread_cond_destroy(&self->writes.some);
    pthread_cond_destroy(&self->reads.some);
    pthread_mutex_destroy(&self->lock);
    free((char *)(uintptr_t)self->opts.url);
    free(self);
}

/** Under lock. */
static weir_err enter(storage *self, storage_job *job)
{
    if (self->is_ending)
        return WEIR_ECLOSED;
    if (self->stats.queued >= self->opts.max_queued) {
        self->stats.refused++;
        return WEIR_EFULL;
    }
    storage_queue *queue =
        self->threads[0].in_batches && job->reads_only ? &self->reads : &self->writes;
    job->entered = weir_time_now();
    weir_list_append(&queue->jobs, &job->node);
    queue->count++;
    self->stats.queued++;
    if (queue->idle && queue->count >= queue->wanted)
        pthread_cond_signal(&queue->some);
    return WEIR_OK;
}

weir_err storage_submit(storage *self, storage_job *job)
{
    pthread_mutex_lock(&self->lock);
    weir_err err = enter(self, job);
    pthread_mutex_unlock(&self->lock);
    return err;
}

/** A job around another one, for somebody who waits. */
typedef struct waiting_job {
    storage_job job;
    storage_job *inner;
    weir_latch done;
    weir_err err;
    weir_why *why;
} waiting_job;

static weir_err run_inner(db *d, storage_job *job)
{
    waiting_job *self = WEIR_CONTAINER_OF(job, waiting_job, job);
    return self->inner->run(d, self->inner);
}

static void done_inner(storage_job *job, weir_err err, const char *why)
{
    waiting_job *self = WEIR_CONTAINER_OF(job, waiting_job, job);
    self->err = err;
    if (err)
        weir_why_set(self->why, err, "%s", why);
    if (self->inner->done)
        self->inner->done(self->inner, err, why);
    weir_latch_down(&self->done);
}

weir_err storage_run(storage *self, storage_job *job, weir_why *why)
{
    waiting_job waiting = {
        .job = {run_inner, done_inner, .reads_only = job->reads_only}, .inner = job, .why = why};
    weir_latch_init(&waiting.done, 1);
    weir_err err = storage_submit(self, &waiting.job);
    if (err) {
        weir_why_set(why, err, "%s", weir_err_text(err));
    } else {
        weir_latch_wait(&waiting.done);
        err = waiting.err;
    }
    weir_latch_fini(&waiting.done);
    return err;
}

void storage_get_stats(storage *self, storage_stats *out)
{
    pthread_mutex_lock(&self->lock);
    *out = self->stats;
    out->jobs = self->jobs;
    out->failed = self->failed;
    pthread_mutex_unlock(&self->lock);
}
