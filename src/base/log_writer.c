/* The writer's rounds: from the chunks of all threads into the file or the sink. */
#include "log_impl.h"

#include <string.h>
#include <weir/base/thread.h>

static weir__log *const shared = &weir__log_shared;
static uint64_t reported; /* dropped lines that the output tells of; writer */

static uint64_t count_lines(const char *bytes, size_t len)
{
    uint64_t lines = 0;
    const char *end = bytes + len;
    for (; (bytes = memchr(bytes, '\n', (size_t)(end - bytes))); bytes++)
        lines++;
    return lines;
}

/**
 * Within enter().
 * @param written  grows by what was written
 * @return how many lines could not be written
 */
static uint64_t write_lines(const char *lines, size_t len, atomic_size_t *written)
{
    size_t done = len;
    if (len == 0)
        return 0;
    if (shared->sink) {
        shared->sink(lines, len, shared->sink_user);
        atomic_fetch_add(written, len);
    } else {
        done = weir__log_file_write(&shared->file, lines, len, written);
    }
    atomic_fetch_add_explicit(&shared->bytes, done, memory_order_relaxed);
    return done < len ? count_lines(lines + done, len - done) : 0;
}

uint64_t weir__log_dropped(void)
{
    pthread_mutex_lock(&shared->lock);
    uint64_t dropped = shared->retired.dropped + atomic_load(&shared->lost);
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        dropped += atomic_load_explicit(&front->dropped, memory_order_relaxed);
    pthread_mutex_unlock(&shared->lock);
    return dropped;
}

/** A line of the writer's own. @return whether it was written */
static bool note(const weir__log_site *site, const char *fmt, ...) WEIR_PRINTF(2, 3);
static bool note(const weir__log_site *site, const char *fmt, ...)
{
    char line[WEIR_LOG_LINE_MAX];
    weir__log_cache cache;
    atomic_size_t written = 0;
    va_list args;
    weir__log_cache_init(&cache, weir_thread_id());
    va_start(args, fmt);
    size_t len = weir__log_line(line, &cache, &(weir__log_entry){.site = site, .fmt = fmt}, args);
    va_end(args);
    weir__log_enter();
    uint64_t lost = write_lines(line, len, &written);
    weir__log_leave();
    return lost == 0;
}

static void report_dropped(void)
{
    uint64_t dropped = weir__log_dropped();
    WEIR__LOG_SITE(WEIR_LOG_LEVEL_WARN);
    if (dropped != reported &&
        note(&weir__site, "%llu lines dropped: the log could not be written fast enough",
             (unsigned long long)(dropped - reported)))
        reported = dropped;
}

static void report_file(void)
{
    weir_err err = shared->file.err;
    WEIR__LOG_SITE(WEIR_LOG_LEVEL_WARN);
    shared->file.err = WEIR_OK;
    if (err)
        note(&weir__site, "the log stays in its old file, a new one could not be had: %s",
             weir_err_text(err));
}

/**
 * Writes what the oldest chunk has now, and gives it back if there is a newer one.
 * @return whether there was
 */
static bool drain_chunk(weir__log_front *front, const weir__log_chunk *newest)
{
    weir__log_enter();
    weir__log_chunk *chunk = front->oldest;
    size_t filled = atomic_load_explicit(&chunk->filled, memory_order_acquire);
    size_t taken = atomic_load(&chunk->taken);
    uint64_t lost = write_lines(chunk->bytes + taken, filled - taken, &chunk->taken);
    atomic_store(&chunk->taken, filled);
    atomic_fetch_add(&shared->lost, lost);
    bool more = chunk != newest;
    if (more)
        front->oldest = chunk->next;
    weir__log_leave();
    if (more)
        weir__log_chunk_reuse(front, chunk);
    return more;
}

/** Writes what the front has now; what comes meanwhile waits for the next round. */
static void drain_front(weir__log_front *front)
{
    bool ended = atomic_load(&front->ended);
    const weir__log_chunk *newest = atomic_load_explicit(&front->filling, memory_order_acquire);
    while (newest && drain_chunk(front, newest))
        ;
    front->drained = ended;
}

void weir__log_free_drained(void)
{
    weir__log_front *before = NULL, *next;
    weir__log_enter();
    for (weir__log_front *front = shared->fronts; front; front = next) {
        next = front->next;
        if (!front->drained) {
            before = front;
            continue;
        }
        if (before)
            before->next = next;
        else
            shared->fronts = next;
        weir__log_front_free(front);
    }
    weir__log_leave();
}

static void check_file(void)
{
    weir__log_enter();
    weir__log_file_check(&shared->file);
    weir__log_leave();
}

void weir__log_drain(void)
{
    check_file();
    pthread_mutex_lock(&shared->lock);
    weir__log_front *front = shared->fronts; /* new ones come before it */
    pthread_mutex_unlock(&shared->lock);
    for (; front; front = front->next)
        drain_front(front);
    report_dropped();
    report_file();
    pthread_mutex_lock(&shared->lock);
    weir__log_free_drained();
    pthread_mutex_unlock(&shared->lock);
}
