/**
 * @file
 * Worker pool: threads for work that blocks or computes, so that loops need not. Its queue is
 * bounded; at the bound a job is refused, and the caller slows its source down.
 */
#ifndef WEIR_BASE_WORKERS_H
#define WEIR_BASE_WORKERS_H

#include <stddef.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>

WEIR_BEGIN_DECLS

typedef struct weir_workers weir_workers;

/** A zeroed field means the default written beside it. */
typedef struct weir_workers_opts {
    unsigned threads; /**< 0: one per CPU */
    size_t queue_max; /**< jobs that wait; 0: 1024 */
    const char *name; /**< of the threads; NULL: "weir-worker" */
} weir_workers_opts;

typedef struct weir_job weir_job;

/** Runs once, in a worker with WEIR_OK, or with WEIR_ECANCELED in the thread that ends the pool.
 * The job is not the pool's any more and may be posted again or freed. */
typedef void (*weir_job_fn)(weir_job *job, weir_err err);

/** In the caller's object, which must live until it has run. */
struct weir_job {
    weir_job *next;
    weir_job_fn fn;
};

/**
 * @param out   yours until weir_workers_free()
 * @param opts  copied; NULL is all defaults
 * @thread any
 * @errors WEIR_ENOMEM; WEIR_EAGAIN: the system has no more threads
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_workers_new(weir_workers **out,
                                                   const weir_workers_opts *opts);

/**
 * Queues a job; jobs begin in the order of their posts, and several run at a time.
 * @thread any
 * @errors WEIR_EAGAIN: `queue_max` jobs wait. WEIR_ECLOSED: the pool is ending. `fn` does not run.
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_workers_post(weir_workers *workers, weir_job *job,
                                                    weir_job_fn fn);

/** Jobs that wait now. @thread any */
WEIR_API size_t weir_workers_queued(weir_workers *workers);

/**
 * Waits for the jobs that run; those that wait run here with WEIR_ECANCELED. NULL is fine.
 * @thread any but a worker; nobody may post any more when it returns
 */
WEIR_API void weir_workers_free(weir_workers *workers);

WEIR_END_DECLS

#endif
