/**
 * @file
 * Threads: a cached id and name, and a count-down latch.
 */
#ifndef WEIR_BASE_THREAD_H
#define WEIR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <weir/base/attr.h>
#include <weir/base/err.h>
#include <weir/base/time.h>

WEIR_BEGIN_DECLS

/** The kernel's id of this thread, cached; right again in a forked child. @thread any */
WEIR_API int weir_thread_id(void);

/** CPUs that this process may run on, at least 1. @thread any */
WEIR_API unsigned weir_thread_cpus(void);

typedef void (*weir_thread_fn)(void *user);

typedef struct weir_thread weir_thread;

/**
 * Starts a thread with every signal blocked but those of a fault (SIGSEGV and the like, SIGABRT),
 * so that signals go to the program's own threads.
 * @param out   joined with weir_thread_join(), never detached
 * @param name  at most 15 bytes are kept; shown by `top -H` and in the log
 * @thread any
 * @errors WEIR_ENOMEM, WEIR_EAGAIN: the system has no more threads
 */
WEIR_API WEIR_MUST_CHECK weir_err weir_thread_start(weir_thread **out, const char *name,
                                                    weir_thread_fn fn, void *user);

/** Waits for its end and frees it. NULL is fine. @thread any but itself */
WEIR_API void weir_thread_join(weir_thread *thread);

/** Waiters go on when it has been counted down to zero. In the caller's memory. */
typedef struct weir_latch {
    pthread_mutex_t lock;
    pthread_cond_t zero;
    unsigned count;
} weir_latch;

WEIR_API void weir_latch_init(weir_latch *latch, unsigned count);
WEIR_API void weir_latch_fini(weir_latch *latch);
/** @thread any */
WEIR_API void weir_latch_down(weir_latch *latch);
/** @thread any */
WEIR_API void weir_latch_wait(weir_latch *latch);
/** @return false: the time came first. @thread any */
WEIR_API bool weir_latch_wait_until(weir_latch *latch, weir_time deadline);

WEIR_END_DECLS

#endif
