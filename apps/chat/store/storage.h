/**
 * @file
 * Storage threads: they take jobs from any thread and run each in a transaction.
 *
 * SQLite has one thread that writes and some that read. The writing one takes what has come (up to
 * 1,000 jobs), runs all of it in one transaction and commits once: group commit. An idle one runs
 * what comes at once; after a batch it waits until as many jobs have come, for 1 ms at most. With
 * MariaDB each thread has a connection and each job a transaction.
 *
 * All of it is bounded: jobs that find the queue full are refused, those that have waited longer
 * than max_wait_us are answered WEIR_ETIMEDOUT without being run, and while the database is away
 * they are answered WEIR_ECLOSED at once, but for one that tries now and then.
 */
#ifndef CHAT_STORE_STORAGE_H
#define CHAT_STORE_STORAGE_H

#include "db.h"

typedef struct storage storage;

/** A zeroed field means the default written beside it. */
typedef struct storage_opts {
    const char *url;      /**< as db_open()'s */
    unsigned threads;     /**< that read, or MariaDB's connections; 0: 2 and 8 */
    size_t max_queued;    /**< jobs; 0: 20,000 */
    unsigned max_batch;   /**< writing jobs of one commit; 0: 1,000 */
    int64_t max_delay_us; /**< that a batch waits for more jobs; 0: 1 ms */
    int64_t max_wait_us;  /**< a job waits in the queue; 0: 5 s */
} storage_opts;

/** Something to be done with the database; in the caller's object, which must live until `done`. */
typedef struct storage_job {
    /**
     * Does it, in a transaction, on a storage thread. May be run again after a rollback, so its
     * results go into the job, from the beginning. An error rolls its writes back; those of other
     * jobs stay. What is refused without having written anything is best said with a result in the
     * job and WEIR_OK.
     */
    weir_err (*run)(db *d, struct storage_job *job);
    /** Once, on a storage thread, after the commit or when it has failed; its last touch. Short.
     * @param why  the database's sentence with an error; until it returns */
    void (*done)(struct storage_job *job, weir_err err, const char *why);
    bool reads_only;
    weir_list node;    /**< the storage's own */
    weir_time entered; /**< the storage's own */
} storage_job;

/** Counters, read at any time. */
typedef struct storage_stats {
    uint64_t jobs;     /**< done, with or without an error */
    uint64_t failed;   /**< ended with an error */
    uint64_t refused;  /**< found the queue full */
    uint64_t commits;  /**< transactions that wrote */
    uint64_t retries;  /**< transactions run again after a deadlock or a failed batch */
    uint64_t reopened; /**< connections lost and made anew */
    uint64_t queued;   /**< now */
} storage_stats;

/**
 * Opens the database (which must be there now), brings its schema up to date (schema.h) and starts
 * the threads.
 * @thread any
 * @errors as db_open(); `why` says what to do
 */
WEIR_MUST_CHECK weir_err storage_open(storage **out, const storage_opts *opts, weir_why *why);
/** Runs what is queued, then ends the threads. NULL is fine. */
void storage_close(storage *self);
/** @thread any @errors WEIR_EFULL: the queue is. WEIR_ECLOSED: storage_close() has begun. `done`
 * will not run. */
WEIR_MUST_CHECK weir_err storage_submit(storage *self, storage_job *job);
/** Submits and waits, for programs' beginnings and tests. @return the job's error. @thread not a
 * storage thread */
weir_err storage_run(storage *self, storage_job *job, weir_why *why);
void storage_get_stats(storage *self, storage_stats *out);

#endif
