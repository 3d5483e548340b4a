#include <weir/base/workers.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <weir/base/thread.h>

enum {
    QUEUE_MAX = 1024
};

struct weir_workers {
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job waits, or the end has come */
    weir_job *first, *last;
    size_t queued, queue_max;
    bool ending;
    unsigned count;
    weir_thread *threads[];
};

/** Under lock. */
static weir_job *take_first(weir_workers *workers)
{
    weir_job *job = workers->first;
    if (!job)
        return NULL;
    workers->first = job->next;
    workers->queued--;
    return job;
}

/** Under lock. */
static void append(weir_workers *workers, weir_job *job)
{
    if (workers->first)
        workers->last->next = job;
    else
        workers->first = job;
    workers->last = job;
    workers->queued++;
}

static void run(void *user)
{
    weir_workers *workers = user;
    pthread_mutex_lock(&workers->lock);
    while (!workers->ending) {
        weir_job *job = take_first(workers);
        if (!job) {
            pthread_cond_wait(&workers->work, &workers->lock);
            continue;
        }
        pthread_mutex_unlock(&workers->lock);
        job->fn(job, WEIR_OK);
        pthread_mutex_lock(&workers->lock);
    }
    pthread_mutex_unlock(&workers->lock);
}

weir_err weir_workers_new(weir_workers **out, const weir_workers_opts *opts)
{
    static const weir_workers_opts defaults;
    opts = opts ? opts : &defaults;
    unsigned count = opts->threads ? opts->threads : weir_thread_cpus();
    weir_workers *workers = calloc(1, sizeof *workers + count * sizeof workers->threads[0]);
    if (!workers)
        return WEIR_ENOMEM;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->work, NULL);
    workers->queue_max = opts->queue_max ? opts->queue_max : QUEUE_MAX;
    weir_err err = WEIR_OK;
    while (!err && workers->count < count) {
        err = weir_thread_start(&workers->threads[workers->count],
                                opts->name ? opts->name : "weir-worker", run, workers);
        workers->count += !err;
    }
    if (err)
        weir_workers_free(workers);
    else
        *out = workers;
    return err;
}

weir_err weir_workers_post(weir_workers *workers, weir_job *job, weir_job_fn fn)
{
    job->next = NULL;
    job->fn = fn;
    pthread_mutex_lock(&workers->lock);
    weir_err err = workers->ending                         ? WEIR_ECLOSED
                   : workers->queued >= workers->queue_max ? WEIR_EAGAIN
                                                           : WEIR_OK;
    if (!err) {
        append(workers, job);
        pthread_cond_signal(&workers->work);
    }
    pthread_mutex_unlock(&workers->lock);
    return err;
}

size_t weir_workers_queued(weir_workers *workers)
{
    pthread_mutex_lock(&workers->lock);
    size_t queued = workers->queued;
    pthread_mutex_unlock(&workers->lock);
    return queued;
}

void weir_workers_free(weir_workers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->ending = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->count; i++)
        weir_thread_join(workers->threads[i]);
    for (weir_job *job; (job = take_first(workers));)
        job->fn(job, WEIR_ECANCELED);
    pthread_cond_destroy(&workers->work);
    pthread_mutex_destroy(&workers->lock);
    free(workers);
}
