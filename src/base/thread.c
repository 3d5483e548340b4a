#include <weir/base/thread.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local int cached_id; /* 0: not asked yet */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void forget_id(void)
{
    cached_id = 0;
}

static void watch_fork(void)
{
    pthread_atfork(NULL, NULL, forget_id);
}

int weir_thread_id(void)
{
    if (WEIR_UNLIKELY(cached_id == 0)) {
        pthread_once(&fork_once, watch_fork);
        cached_id = (int)syscall(SYS_gettid);
    }
    return cached_id;
}

unsigned weir_thread_cpus(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (unsigned)count : 1;
}

struct weir_thread {
    pthread_t handle;
    weir_thread_fn fn;
    void *user;
    char name[16];
};

static void *run(void *argument)
{
    weir_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->fn(thread->user);
    return NULL;
}

/** Those that a fault raises stay open: blocked, they end the process without their handler. */
static void fill_blocked(sigset_t *set)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigfillset(set);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(set, faults[i]);
}

weir_err weir_thread_start(weir_thread **out, const char *name, weir_thread_fn fn, void *user)
{
    weir_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return WEIR_ENOMEM;
    thread->fn = fn;
    thread->user = user;
    snprintf(thread->name, sizeof thread->name, "%s", name);
    sigset_t blocked, before;
    fill_blocked(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(&thread->handle, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free(thread);
        return failed == EAGAIN ? WEIR_EAGAIN : WEIR_ENOMEM;
    }
    *out = thread;
    return WEIR_OK;
}

void weir_thread_join(weir_thread *thread)
{
    if (!thread)
        return;
    pthread_join(thread->handle, NULL);
    free(thread);
}

void weir_latch_init(weir_latch *latch, unsigned count)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&latch->lock, NULL);
    pthread_cond_init(&latch->zero, &attributes);
    pthread_condattr_destroy(&attributes);
    latch->count = count;
}

void weir_latch_fini(weir_latch *latch)
{
    pthread_cond_destroy(&latch->zero);
    pthread_mutex_destroy(&latch->lock);
}

void weir_latch_down(weir_latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    if (latch->count > 0 && --latch->count == 0)
        pthread_cond_broadcast(&latch->zero);
    pthread_mutex_unlock(&latch->lock);
}

void weir_latch_wait(weir_latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    while (latch->count > 0)
        pthread_cond_wait(&latch->zero, &latch->lock);
    pthread_mutex_unlock(&latch->lock);
}

bool weir_latch_wait_until(weir_latch *latch, weir_time deadline)
{
    if (deadline.us < 0)
        deadline.us = 0;
    struct timespec until = {deadline.us / WEIR_SECONDS(1), deadline.us % WEIR_SECONDS(1) * 1000};
    int result = 0;
    pthread_mutex_lock(&latch->lock);
    while (latch->count > 0 && result == 0)
        result = pthread_cond_timedwait(&latch->zero, &latch->lock, &until);
    bool reached = latch->count == 0;
    pthread_mutex_unlock(&latch->lock);
    return reached;
}
