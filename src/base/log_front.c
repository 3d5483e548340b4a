/* The front end: a thread's lines go into its own chunks, without a lock. */
#include "log_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/base/thread.h>

static weir__log *const shared = &weir__log_shared;
static _Thread_local weir__log_front *mine;
static pthread_key_t ending; /* its destructor runs when a thread ends */
static bool have_ending;
static pthread_once_t ending_once = PTHREAD_ONCE_INIT;

void weir__log_front_free(weir__log_front *front)
{
    shared->retired.lines += atomic_load(&front->lines);
    shared->retired.dropped += atomic_load(&front->dropped);
    weir__log_chunks_free(front->oldest);
    free(front);
}

void weir__log_forget_fronts(void)
{
    weir__log_front *front = shared->fronts;
    shared->fronts = NULL;
    while (front) {
        weir__log_front *next = front->next;
        weir__log_front_free(front);
        front = next;
    }
    mine = NULL;
    if (have_ending)
        pthread_setspecific(ending, NULL);
}

static void unlink_front(const weir__log_front *front)
{
    weir__log_front *before = shared->fronts;
    if (before == front) {
        shared->fronts = front->next;
        return;
    }
    while (before->next != front)
        before = before->next;
    before->next = front->next;
}

/** The thread ends: what it logged is still the writer's to write. */
static void end_front(void *argument)
{
    weir__log_front *front = argument;
    mine = NULL;
    pthread_mutex_lock(&shared->lock);
    if (shared->running) {
        atomic_store(&front->ended, true);
    } else {
        unlink_front(front);
        weir__log_front_free(front);
    }
    pthread_mutex_unlock(&shared->lock);
}

static void make_ending(void)
{
    have_ending = pthread_key_create(&ending, end_front) == 0;
}

static WEIR_COLD weir__log_front *front_new(void)
{
    pthread_once(&ending_once, make_ending);
    weir__log_front *front = have_ending ? calloc(1, sizeof *front) : NULL;
    if (!front || pthread_setspecific(ending, front) != 0) {
        free(front);
        return NULL;
    }
    weir__log_cache_init(&front->cache, weir_thread_id());
    pthread_mutex_lock(&shared->lock);
    front->next = shared->fronts;
    shared->fronts = front;
    pthread_mutex_unlock(&shared->lock);
    return mine = front;
}

static WEIR_COLD weir__log_chunk *chunk_next(weir__log_front *front, weir__log_chunk *full)
{
    weir__log_chunk *next = weir__log_chunk_get(front);
    if (!next)
        return NULL;
    if (full)
        full->next = next;
    else
        front->oldest = next;
    atomic_store_explicit(&front->filling, next, memory_order_release);
    return next;
}

/** The chunk to put a line into; NULL: the buffers are full. */
static weir__log_chunk *chunk_with_room(weir__log_front *front)
{
    weir__log_chunk *chunk = atomic_load_explicit(&front->filling, memory_order_relaxed);
    if (WEIR_LIKELY(chunk &&
                    chunk->size - atomic_load_explicit(&chunk->filled, memory_order_relaxed) >=
                        WEIR_LOG_LINE_MAX))
        return chunk;
    return chunk_next(front, chunk);
}

/** Adds to a number that only this thread changes. */
static void count(_Atomic uint64_t *number)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, now + 1, memory_order_relaxed);
}

static void write_entry(const weir__log_entry *entry, va_list args)
{
    if (WEIR_UNLIKELY(atomic_load_explicit(&shared->silent, memory_order_relaxed)))
        weir__log_first_line();
    weir__log_front *front = WEIR_LIKELY(mine != NULL) ? mine : front_new();
    if (!front) {
        atomic_fetch_add(&shared->lost, 1);
        return;
    }
    weir__log_chunk *chunk = chunk_with_room(front);
    if (WEIR_UNLIKELY(!chunk)) {
        count(&front->dropped);
        return;
    }
    size_t filled = atomic_load_explicit(&chunk->filled, memory_order_relaxed);
    size_t len = weir__log_line(chunk->bytes + filled, &front->cache, entry, args);
    atomic_store_explicit(&chunk->filled, filled + len, memory_order_release);
    count(&front->lines);
}

void weir__log_write(const weir__log_site *site, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_entry(&(weir__log_entry){.site = site, .fmt = fmt}, args);
    va_end(args);
}

void weir__log_write_counted(const weir__log_site *site, uint64_t left_out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    write_entry(&(weir__log_entry){.site = site, .left_out = left_out, .fmt = fmt}, args);
    va_end(args);
}

void weir_log_write(weir_log_level level, const char *file, int line, const char *fmt, ...)
{
    char place[80];
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    int len = snprintf(place, sizeof place, "%.60s:%d ", name, line);
    weir__log_site site = {.file = name,
                           .place = place,
                           .place_len = (unsigned)len,
                           .line = line,
                           .level = level < WEIR_LOG_LEVEL_OFF ? level : WEIR_LOG_LEVEL_ERROR};
    va_list args;
    va_start(args, fmt);
    write_entry(&(weir__log_entry){.site = &site, .fmt = fmt}, args);
    va_end(args);
}
