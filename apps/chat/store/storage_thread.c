#include "storage_impl.h"

#include <unistd.h>

enum {
    MAX_RETRIES = 5,
    RETRY_WAIT_US = 2000, /* up to so long, twice as long after each; by chance */
    PROBE_MIN_US = 200000,
    PROBE_MAX_US = 1000000
};

void storage_count(storage *self, uint64_t commits, uint64_t retries)
{
    pthread_mutex_lock(&self->lock);
    self->stats.commits += commits;
    self->stats.retries += retries;
    pthread_mutex_unlock(&self->lock);
}

void storage_answer(storage_thread *self, storage_job *job, weir_err err, const char *why)
{
    self->storage->jobs++;
    self->storage->failed += err != WEIR_OK;
    job->done(job, err, why && *why ? why : weir_err_text(err));
}

/** Whether to try the database: always, or now and then while it is away. */
static bool may_try(storage_thread *self)
{
    storage_queue *queue = self->queue;
    pthread_mutex_lock(&self->storage->lock);
    const weir_time now = weir_time_now();
    const bool may = !queue->is_away || !weir_time_before(now, queue->probe_at);
    if (queue->is_away && may)
        queue->probe_at = weir_time_add(now, queue->probe_us);
    pthread_mutex_unlock(&self->storage->lock);
    return may;
}

static void note_try(storage_thread *self, bool is_away)
{
    storage_queue *queue = self->queue;
    const int64_t reopened = db_reopened(self->d);
    pthread_mutex_lock(&self->storage->lock);
    self->storage->stats.reopened += (uint64_t)(reopened - self->reopened);
    if (!queue->is_away)
        queue->probe_us = PROBE_MIN_US;
    else if (2 * queue->probe_us < PROBE_MAX_US)
        queue->probe_us *= 2;
    else
        queue->probe_us = PROBE_MAX_US;
    if (is_away)
        queue->probe_at = weir_time_add(weir_time_now(), queue->probe_us);
    queue->is_away = is_away;
    pthread_mutex_unlock(&self->storage->lock);
    self->reopened = reopened;
}

weir_err storage_begin(storage_thread *self, bool reads_only)
{
    weir_err err = db_begin(self->d, reads_only);
    if (err == WEIR_EAGAIN) /* SQLite: another process has locked it, and keeps it */
        err = WEIR_ECLOSED;
    note_try(self, err == WEIR_ECLOSED);
    return err;
}

/** @param again  set: the transaction was rolled back for no fault of the job */
static weir_err run_once(storage_thread *self, storage_job *job, bool *again)
{
    *again = false;
    weir_err err = storage_begin(self, job->reads_only);
    if (err)
        return err;
    const int64_t changes = db_total_changes(self->d);
    err = job->run(self->d, job);
    if (err) { /* a connection lost before the commit has changed nothing either */
        *again = err == WEIR_EAGAIN || err == WEIR_ECLOSED;
        db_rollback(self->d);
        return err;
    }
    err = db_commit(self->d);
    *again = err == WEIR_EAGAIN;
    if (!err && db_total_changes(self->d) != changes)
        storage_count(self->storage, 1, 0);
    return err;
}

void storage_run_alone(storage_thread *self, storage_job *job)
{
    bool again = false;
    weir_err err = run_once(self, job, &again);
    for (unsigned i = 0; i < MAX_RETRIES && again; i++) {
        usleep(1 + weir_random_below(&self->random, (uint32_t)RETRY_WAIT_US << i));
        storage_count(self->storage, 0, 1);
        err = run_once(self, job, &again);
    }
    storage_answer(self, job, err, db_error(self->d));
}

/**
 * Under lock: those who were answered just now may be about to ask for more. Until as many jobs
 * wait as the last batch had, at most max_delay_us after its end: an idle storage waits for
 * nothing.
 */
static void gather(storage_thread *self)
{
    storage_queue *queue = self->queue;
    const weir_time until = weir_time_add(self->last_end, self->storage->opts.max_delay_us);
    const struct timespec deadline = {.tv_sec = until.us / 1000000,
                                      .tv_nsec = until.us % 1000000 * 1000};
    queue->wanted = self->last_batch;
    int timed_out = 0;
    while (!timed_out && queue->count < queue->wanted && !self->storage->is_ending) {
        queue->idle++;
        timed_out = pthread_cond_timedwait(&queue->some, &self->storage->lock, &deadline);
        queue->idle--;
    }
    queue->wanted = 0;
}

/** Under lock: waits for jobs and moves up to `max` of them. @return false: the end */
static bool take(storage_thread *self, weir_list *out, size_t max)
{
    storage_queue *queue = self->queue;
    while (weir_list_empty(&queue->jobs)) {
        if (self->storage->is_ending)
            return false;
        queue->idle++;
        pthread_cond_wait(&queue->some, &self->storage->lock);
        queue->idle--;
    }
    if (self->last_batch > 1)
        gather(self);
    for (; max > 0 && !weir_list_empty(&queue->jobs); max--) {
        weir_list_append(out, weir_list_pop(&queue->jobs));
        queue->count--;
        self->storage->stats.queued--;
    }
    return true;
}

/** Whether it is to be run; answered, if not. */
static bool is_wanted(storage_thread *self, storage_job *job, bool may)
{
    const int64_t waited_us = weir_time_diff(weir_time_now(), job->entered);
    if (waited_us > self->storage->opts.max_wait_us)
        storage_answer(self, job, WEIR_ETIMEDOUT, "the storage is too slow for what is asked");
    else if (!may)
        storage_answer(self, job, WEIR_ECLOSED, "the database is away");
    else
        return true;
    return false;
}

static void run_taken(storage_thread *self, weir_list *taken)
{
    const bool may = may_try(self);
    size_t count = 0;
    for (weir_list *node; (node = weir_list_pop(taken));) {
        storage_job *job = WEIR_CONTAINER_OF(node, storage_job, node);
        if (!is_wanted(self, job, may))
            continue;
        if (self->in_batches)
            self->outcomes[count++].job = job;
        else
            storage_run_alone(self, job);
    }
    if (count == 1)
        storage_run_alone(self, self->outcomes[0].job);
    else if (count > 1)
        storage_run_batch(self, count);
    if (self->in_batches) {
        self->last_batch = count;
        self->last_end = weir_time_now();
    }
}

void storage_thread_main(void *user)
{
    storage_thread *self = user;
    weir_list taken;
    weir_list_init(&taken);
    for (;;) {
        pthread_mutex_lock(&self->storage->lock);
        bool has_some = take(self, &taken, self->in_batches ? self->storage->opts.max_batch : 1);
        pthread_mutex_unlock(&self->storage->lock);
        if (!has_some)
            return;
        run_taken(self, &taken);
    }
}
