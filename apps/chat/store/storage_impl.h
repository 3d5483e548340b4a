/**
 * @file
 * The inside of a storage, for its files.
 */
#ifndef CHAT_STORE_STORAGE_IMPL_H
#define CHAT_STORE_STORAGE_IMPL_H

#include "storage.h"

#include <pthread.h>

/** Jobs that wait for the same threads; each has its own opinion of whether the database is there,
 * since SQLite can be read while another process keeps it from being written. */
typedef struct storage_queue {
    weir_list jobs;      /* lock */
    size_t count;        /* lock */
    unsigned idle;       /* lock: threads that wait for `some` */
    size_t wanted;       /* lock: they are woken when there are as many jobs */
    pthread_cond_t some; /* a job has come, or the end */
    bool is_away;        /* lock: the database, when last tried */
    int64_t probe_us;    /* lock: from the next try to the one after it */
    weir_time probe_at;  /* lock: the next try, while it is away */
} storage_queue;

/** What became of a job of a batch, until the batch is committed. */
typedef struct storage_outcome {
    storage_job *job;
    weir_err err;
    weir_why why;
} storage_outcome;

typedef struct storage_thread {
    storage *storage;
    storage_queue *queue;
    db *d;
    weir_thread *thread;
    int64_t reopened; /* of db_reopened(), what has been counted */
    uint64_t random;
    bool in_batches;           /* it is the one that writes */
    storage_outcome *outcomes; /* of a batch: max_batch of them */
    size_t last_batch;         /* jobs of the last one */
    weir_time last_end;        /* when it was answered */
} storage_thread;

struct storage {
    storage_opts opts; /* with the defaults filled in */
    pthread_mutex_t lock;
    storage_queue writes; /* or all, without a single writer */
    storage_queue reads;
    storage_stats stats; /* lock; but for these two: */
    _Atomic uint64_t jobs, failed;
    bool is_ending; /* lock */
    unsigned count;
    storage_thread threads[];
};

/* storage_thread.c */

/** What a thread does until the storage ends. @param user  the storage_thread */
void storage_thread_main(void *user);
/** Begins a transaction, and notes whether the database is there: WEIR_ECLOSED, if it is not. */
weir_err storage_begin(storage_thread *self, bool reads_only);
/** Runs the job in a transaction of its own, again after a deadlock, and answers it. */
void storage_run_alone(storage_thread *self, storage_job *job);
/** Calls the job's `done`. @param why  NULL or "": the error's own text */
void storage_answer(storage_thread *self, storage_job *job, weir_err err, const char *why);
/** Adds to the counters. */
void storage_count(storage *self, uint64_t commits, uint64_t retries);

/* storage_batch.c */

/** Group commit of the first `count` of self->outcomes, whose jobs are set. */
void storage_run_batch(storage_thread *self, size_t count);

#endif
