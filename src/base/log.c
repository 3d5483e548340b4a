/* Start, stop, and the writer thread. */
#include <weir/base/log.h>

#include "log_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/thread.h>
#include <weir/base/time.h>

#define DEFAULT_BUFFER ((size_t)32 << 20)
#define LARGEST_CHUNK  ((size_t)64 << 10)
#define SMALLEST_CHUNK ((size_t)2 * WEIR_LOG_LINE_MAX)

enum {
    CHUNKS_PER_BUFFER = 16,
    WRITABLE_WAIT_MS = 1000
};

int weir__log_level = WEIR_LOG_LEVEL_OFF;

static weir__log *const shared = &weir__log_shared;

/** The back end. Under the shared lock unless a word says otherwise. */
static struct {
    unsigned starts;
    bool stopping;
    weir_thread *thread;
    uint64_t flushes_wanted, flushes_done;
    pthread_cond_t changed; /* flushes_done, stopping */

    /* before the thread's start; the writer */
    int fd;
    weir_log_sink_fn sink;
    void *sink_user;
    int64_t flush_us;
    uint64_t reported; /* dropped lines that the output tells of */
    _Atomic uint64_t bytes;
} back = {.changed = PTHREAD_COND_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Writing. */

/** @return bytes written: all but after an error that lasts */
static size_t write_file(int fd, const char *bytes, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN) { /* stderr may be a pipe that somebody made non-blocking */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            if (poll(&ready, 1, WRITABLE_WAIT_MS) <= 0)
                break;
        } else if (errno != EINTR) {
            break;
        }
    }
    return done;
}

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    const char *end = bytes + len;
    for (; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))); bytes++)
        lines++;
    return lines;
}

/** @return how many lines could not be written */
static uint64_t write_lines(const char *lines, size_t len)
{
    size_t done = len;
    if (len == 0)
        return 0;
    if (back.sink)
        back.sink(lines, len, back.sink_user);
    else
        done = write_file(back.fd, lines, len);
    atomic_fetch_add_explicit(&back.bytes, done, memory_order_relaxed);
    return done < len ? count_lines(lines + done, len - done) : 0;
}

static uint64_t dropped_so_far(void)
{
    pthread_mutex_lock(&shared->lock);
    uint64_t dropped = shared->retired.dropped + atomic_load(&shared->lost);
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        dropped += atomic_load_explicit(&front->dropped, memory_order_relaxed);
    pthread_mutex_unlock(&shared->lock);
    return dropped;
}

static size_t format_line(char *out, int line, const char *fmt, ...) WEIR_PRINTF(3, 4);
static size_t format_line(char *out, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t len = weir__log_line(out, WEIR_LOG_LEVEL_WARN, __FILE__, line, fmt, args);
    va_end(args);
    return len;
}

static void report_dropped(void)
{
    uint64_t dropped = dropped_so_far();
    if (dropped == back.reported)
        return;
    char line[WEIR_LOG_LINE_MAX];
    size_t len =
        format_line(line, __LINE__, "%llu lines dropped: the log could not be written fast enough",
                    (unsigned long long)(dropped - back.reported));
    if (write_lines(line, len) == 0)
        back.reported = dropped;
}

/** Writes what the front has now; what comes meanwhile waits for the next round. */
static void drain_front(weir__log_front *front)
{
    bool ended = atomic_load(&front->ended);
    weir__log_chunk *newest = atomic_load_explicit(&front->filling, memory_order_acquire);
    for (weir__log_chunk *chunk = newest ? front->oldest : NULL; chunk; chunk = front->oldest) {
        size_t filled = atomic_load_explicit(&chunk->filled, memory_order_acquire);
        atomic_fetch_add(&shared->lost,
                         write_lines(chunk->bytes + chunk->taken, filled - chunk->taken));
        chunk->taken = filled;
        if (chunk == newest)
            break;
        front->oldest = chunk->next;
        weir__log_chunk_reuse(chunk);
    }
    front->drained = ended;
}

static void free_drained(void)
{
    weir__log_front **link = &shared->fronts;
    while (*link) {
        weir__log_front *front = *link;
        if (front->drained) {
            *link = front->next;
            weir__log_front_free(front);
        } else {
            link = &front->next;
        }
    }
}

static void drain_all(void)
{
    pthread_mutex_lock(&shared->lock);
    weir__log_front *front = shared->fronts; /* new ones come before it */
    pthread_mutex_unlock(&shared->lock);
    for (; front; front = front->next)
        drain_front(front);
    report_dropped();
    pthread_mutex_lock(&shared->lock);
    free_drained();
    pthread_mutex_unlock(&shared->lock);
}

/** Until there is something to do, at most `flush_us`. Under lock. */
static void wait_for_work(void)
{
    weir_time until = weir_time_add(weir_time_now(), back.flush_us);
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
    while (!last) {
        wait_for_work();
        last = back.stopping;
        uint64_t wanted = back.flushes_wanted;
        pthread_mutex_unlock(&shared->lock);
        drain_all();
        pthread_mutex_lock(&shared->lock);
        back.flushes_done = wanted;
        pthread_cond_broadcast(&back.changed);
    }
    pthread_mutex_unlock(&shared->lock);
}

/* Start and stop. */

static void init_wake(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&shared->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void set_level(weir_log_level level)
{
    __atomic_store_n(&weir__log_level, (int)level, __ATOMIC_RELAXED);
}

static void close_file(void)
{
    if (!back.sink && back.fd != STDERR_FILENO)
        close(back.fd);
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
    set_level(WEIR_LOG_LEVEL_OFF);
    if (shared->running)
        close_file();
    shared->running = false;
    back.starts = 0;
    back.stopping = false;
    back.flushes_done = back.flushes_wanted;
    weir__log_forget_fronts();
    weir__log_free_spare();
    init_wake();
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
    int fd = STDERR_FILENO;
    if (!opts->sink && opts->file) {
        fd = open(opts->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return weir_err_from_errno(errno);
    }
    back.fd = fd;
    back.sink = opts->sink;
    back.sink_user = opts->sink_user;
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
    back.flush_us = opts->flush_us > 0 ? opts->flush_us : WEIR_SECONDS(3);
}

/** The first start. Under lock. */
static weir_err start_writer(const weir_log_opts *opts)
{
    weir_err err = open_output(opts);
    if (err)
        return err;
    set_bounds(opts);
    err = weir_thread_start(&back.thread, "weir-log", run_writer, NULL);
    if (err) {
        close_file();
        return WEIR_ENOMEM;
    }
    shared->running = true;
    set_level(opts->level);
    return WEIR_OK;
}

weir_err weir_log_start(const weir_log_opts *opts)
{
    static const weir_log_opts defaults = {.level = WEIR_LOG_LEVEL_INFO};
    pthread_once(&once, prepare_once);
    pthread_mutex_lock(&shared->lock);
    while (back.stopping)
        pthread_cond_wait(&back.changed, &shared->lock);
    weir_err err = back.starts > 0 ? WEIR_OK : start_writer(opts ? opts : &defaults);
    if (!err)
        back.starts++;
    pthread_mutex_unlock(&shared->lock);
    return err;
}

/** The writer is joined: nothing runs but threads that were within a log call. Under lock. */
static void clean_up(void)
{
    close_file();
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        front->drained = atomic_load(&front->ended);
    free_drained();
    weir__log_free_spare();
    shared->running = false;
    back.stopping = false;
    back.thread = NULL;
    pthread_cond_broadcast(&back.changed);
}

void weir_log_stop(void)
{
    pthread_mutex_lock(&shared->lock);
    bool last = back.starts == 1 && !back.stopping;
    if (back.starts > 0)
        back.starts--;
    if (last) {
        set_level(WEIR_LOG_LEVEL_OFF);
        back.stopping = true;
        pthread_cond_signal(&shared->wake);
        weir_thread *thread = back.thread;
        pthread_mutex_unlock(&shared->lock);
        weir_thread_join(thread);
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
    while (shared->running && back.flushes_done < wanted)
        pthread_cond_wait(&back.changed, &shared->lock);
    pthread_mutex_unlock(&shared->lock);
}

void weir_log_set_level(weir_log_level level)
{
    pthread_mutex_lock(&shared->lock);
    if (back.starts > 0)
        set_level(level);
    pthread_mutex_unlock(&shared->lock);
}

void weir_log_get_stats(weir_log_stats *out)
{
    weir_log_stats stats = {.bytes = atomic_load(&back.bytes)};
    pthread_mutex_lock(&shared->lock);
    stats.lines = shared->retired.lines;
    stats.dropped = shared->retired.dropped + atomic_load(&shared->lost);
    for (weir__log_front *front = shared->fronts; front; front = front->next) {
        stats.lines += atomic_load_explicit(&front->lines, memory_order_relaxed);
        stats.dropped += atomic_load_explicit(&front->dropped, memory_order_relaxed);
    }
    pthread_mutex_unlock(&shared->lock);
    *out = stats;
}
