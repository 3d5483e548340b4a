/* Start, stop, and the writer's thread. */
#include <weir/base/log.h>

#include "log_impl.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/thread.h>

#define DEFAULT_BUFFER ((size_t)32 << 20)
#define LARGEST_CHUNK  ((size_t)64 << 10)
#define SMALLEST_CHUNK ((size_t)2 * WEIR_LOG_LINE_MAX)

enum {
    CHUNKS_PER_BUFFER = 16
};

weir__log weir__log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .room = PTHREAD_COND_INITIALIZER};

static weir__log *const shared = &weir__log_shared;

/** Under the shared lock. */
static struct {
    unsigned starts;
    bool stopping;
    weir_thread *thread;
    uint64_t flushes_wanted, flushes_done;
    pthread_cond_t changed; /* flushes_done, stopping */
} back = {.changed = PTHREAD_COND_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The writer's thread. */

/** Until there is something to do, at most `flush_us`. Under lock. */
static void wait_for_work(void)
{
    weir_time until = weir_time_add(weir_time_now(), shared->flush_us);
    struct timespec ts = {until.us / WEIR_SECONDS(1), until.us % WEIR_SECONDS(1) * 1000};
    int result = 0;
    while (result == 0 && !back.stopping && !shared->filled &&
           back.flushes_wanted == back.flushes_done)
        result = pthread_cond_timedwait(&shared->wake, &shared->lock, &ts);
    shared->filled = false;
}

static void run_writer(void *user WEIR_UNUSED)
{
    bool last = false;
    pthread_mutex_lock(&shared->lock);
    shared->writer = weir_thread_id();
    while (!last) {
        wait_for_work();
        last = back.stopping;
        uint64_t wanted = back.flushes_wanted;
        pthread_mutex_unlock(&shared->lock);
        weir__log_drain();
        pthread_mutex_lock(&shared->lock);
        back.flushes_done = wanted;
        pthread_cond_broadcast(&back.changed);
    }
    pthread_mutex_unlock(&shared->lock);
}

/* Fork and exit. */

static void init_wake(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&shared->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void lock_for_fork(void)
{
    pthread_mutex_lock(&shared->lock);
}

static void unlock_after_fork(void)
{
    pthread_mutex_unlock(&shared->lock);
}

/** The child has no writer thread: its log is off until it starts one. */
static void reset_in_child(void)
{
    weir__log_switch(false);
    if (shared->running)
        weir__log_file_close(&shared->file);
    shared->running = false;
    shared->waiting = 0;
    back.thread = NULL;
    back.starts = 0;
    back.stopping = false;
    back.flushes_done = back.flushes_wanted;
    weir__log_crash_reset();
    weir__log_forget_fronts();
    weir__log_free_spare();
    init_wake();
    pthread_cond_init(&shared->room, NULL);
    pthread_cond_init(&back.changed, NULL);
    pthread_mutex_unlock(&shared->lock);
}

/** A program that ends without weir_log_stop() still gets its last lines. */
static void stop_at_exit(void)
{
    pthread_mutex_lock(&shared->lock);
    bool running = back.starts > 0;
    if (running)
        back.starts = 1;
    pthread_mutex_unlock(&shared->lock);
    if (running)
        weir_log_stop();
}

static void prepare_once(void)
{
    init_wake();
    pthread_atfork(lock_for_fork, unlock_after_fork, reset_in_child);
    atexit(stop_at_exit);
}

static weir_err open_output(const weir_log_opts *opts)
{
    weir__log_file_opts file = {.roll_bytes = opts->roll_bytes,
                                .roll_daily = opts->roll_daily,
                                .keep_files = opts->keep_files};
    shared->sink = opts->sink;
    shared->sink_user = opts->sink_user;
    if (!opts->sink && opts->file)
        return weir__log_file_open(&shared->file, opts->file, &file);
    weir__log_file_borrow(&shared->file, STDERR_FILENO);
    return WEIR_OK;
}

static void set_bounds(const weir_log_opts *opts)
{
    size_t limit = opts->buffer_bytes ? opts->buffer_bytes : DEFAULT_BUFFER;
    size_t chunk = limit / CHUNKS_PER_BUFFER;
    if (chunk > LARGEST_CHUNK)
        chunk = LARGEST_CHUNK;
    if (chunk < SMALLEST_CHUNK)
        chunk = SMALLEST_CHUNK;
    shared->chunk_bytes = chunk;
    shared->limit_bytes = limit;
}

void weir__log_first_line(void)
{
    pthread_mutex_lock(&shared->lock);
    if (shared->running && !back.stopping && !back.thread &&
        !weir_thread_start(&back.thread, "weir-log", run_writer, NULL))
        atomic_store(&shared->silent, false);
    pthread_mutex_unlock(&shared->lock);
}

/* Start. Under lock. */

static weir_err open_log(const weir_log_opts *opts)
{
    weir_err err = open_output(opts);
    if (err)
        return err;
    set_bounds(opts);
    shared->format = opts->format;
    shared->when_full = opts->when_full;
    shared->flush_us = opts->flush_us > 0 ? opts->flush_us : WEIR_SECONDS(3);
    shared->running = true;
    atomic_store(&shared->silent, true);
    weir__log_set_main_level(opts->level);
    weir__log_switch(true);
    return WEIR_OK;
}

weir_err weir_log_start(const weir_log_opts *opts)
{
    static const weir_log_opts defaults = {.level = WEIR_LOG_LEVEL_INFO};
    pthread_once(&once, prepare_once);
    pthread_mutex_lock(&shared->lock);
    while (back.stopping)
        pthread_cond_wait(&back.changed, &shared->lock);
    weir_err err = back.starts > 0 ? WEIR_OK : open_log(opts ? opts : &defaults);
    if (!err)
        back.starts++;
    pthread_mutex_unlock(&shared->lock);
    return err;
}

/* Stop. */

/** The writer is gone: nothing runs but threads that were within a log call. Under lock. */
static void clean_up(void)
{
    shared->running = false;
    weir__log_enter();
    weir__log_file_close(&shared->file);
    weir__log_leave();
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        front->drained = atomic_load(&front->ended);
    weir__log_free_drained();
    weir__log_free_spare();
    back.stopping = false;
    back.thread = NULL;
    pthread_cond_broadcast(&shared->room);
    pthread_cond_broadcast(&back.changed);
}

void weir_log_stop(void)
{
    pthread_mutex_lock(&shared->lock);
    bool last = back.starts == 1 && !back.stopping;
    if (back.starts > 0)
        back.starts--;
    if (last) {
        weir__log_switch(false);
        back.stopping = true;
        pthread_cond_signal(&shared->wake);
        weir_thread *thread = back.thread;
        pthread_mutex_unlock(&shared->lock);
        if (thread)
            weir_thread_join(thread);
        else
            weir__log_drain(); /* lines for which there was no thread */
        pthread_mutex_lock(&shared->lock);
        clean_up();
    }
    pthread_mutex_unlock(&shared->lock);
}

void weir_log_flush(void)
{
    pthread_mutex_lock(&shared->lock);
    uint64_t wanted = ++back.flushes_wanted;
    if (shared->running)
        pthread_cond_signal(&shared->wake);
    while (shared->running && back.thread && back.flushes_done < wanted)
        pthread_cond_wait(&back.changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

void weir_log_reopen(void)
{
    atomic_store(&weir__log_file_reopen, true);
}

void weir_log_get_stats(weir_log_stats *out)
{
    weir_log_stats stats = {.bytes = atomic_load(&shared->bytes), .dropped = weir__log_dropped()};
    pthread_mutex_lock(&shared->lock);
    stats.lines = shared->retired.lines;
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        stats.lines += atomic_load_explicit(&front->lines, memory_order_relaxed);
    pthread_mutex_unlock(&shared->lock);
    *out = stats;
}
