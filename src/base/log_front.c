/* The front end: a thread's lines go into its own chunks, without a lock. */
#include "log_impl.h"

#include <stdlib.h>

weir__log weir__log_shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

static weir__log *const shared = &weir__log_shared;
static _Thread_local weir__log_front *mine;
static pthread_key_t ending; /* its destructor runs when a thread ends */
static bool have_ending;
static pthread_once_t ending_once = PTHREAD_ONCE_INIT;

/* Chunks. */

static weir__log_chunk *chunk_new(void)
{
    size_t size = shared->chunk_bytes;
    if (size == 0 || shared->held_bytes + size > shared->limit_bytes)
        return NULL;
    weir__log_chunk *chunk = malloc(sizeof *chunk + size);
    if (chunk) {
        chunk->size = size;
        shared->held_bytes += size;
    }
    return chunk;
}

/** An empty chunk, or NULL; either way the writer has work now. */
static WEIR_COLD weir__log_chunk *chunk_get(void)
{
    pthread_mutex_lock(&shared->lock);
    weir__log_chunk *chunk = shared->spare;
    if (chunk)
        shared->spare = chunk->next;
    else
        chunk = chunk_new();
    shared->filled = true;
    pthread_cond_signal(&shared->wake);
    pthread_mutex_unlock(&shared->lock);
    if (chunk) {
        chunk->next = NULL;
        chunk->taken = 0;
        atomic_init(&chunk->filled, 0);
    }
    return chunk;
}

void weir__log_chunk_reuse(weir__log_chunk *chunk)
{
    pthread_mutex_lock(&shared->lock);
    chunk->next = shared->spare;
    shared->spare = chunk;
    pthread_mutex_unlock(&shared->lock);
}

static void chunk_free(weir__log_chunk *chunk)
{
    shared->held_bytes -= chunk->size;
    free(chunk);
}

static void free_chain(weir__log_chunk *chunk)
{
    while (chunk) {
        weir__log_chunk *next = chunk->next;
        chunk_free(chunk);
        chunk = next;
    }
}

void weir__log_free_spare(void)
{
    free_chain(shared->spare);
    shared->spare = NULL;
}

/* Fronts. */

void weir__log_front_free(weir__log_front *front)
{
    shared->retired.lines += atomic_load(&front->lines);
    shared->retired.dropped += atomic_load(&front->dropped);
    free_chain(front->oldest);
    free(front);
}

void weir__log_forget_fronts(void)
{
    while (shared->fronts) {
        weir__log_front *front = shared->fronts;
        shared->fronts = front->next;
        weir__log_front_free(front);
    }
    mine = NULL;
    if (have_ending)
        pthread_setspecific(ending, NULL);
}

static void unlink_front(const weir__log_front *front)
{
    weir__log_front **link = &shared->fronts;
    while (*link != front)
        link = &(*link)->next;
    *link = front->next;
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
    pthread_mutex_lock(&shared->lock);
    front->next = shared->fronts;
    shared->fronts = front;
    pthread_mutex_unlock(&shared->lock);
    return mine = front;
}

/** The chunk to put a line into; NULL: the buffers are full. */
static weir__log_chunk *chunk_with_room(weir__log_front *front)
{
    weir__log_chunk *chunk = atomic_load_explicit(&front->filling, memory_order_relaxed);
    if (WEIR_LIKELY(chunk &&
                    chunk->size - atomic_load_explicit(&chunk->filled, memory_order_relaxed) >=
                        WEIR_LOG_LINE_MAX))
        return chunk;
    weir__log_chunk *next = chunk_get();
    if (!next)
        return NULL;
    if (chunk)
        chunk->next = next;
    else
        front->oldest = next;
    atomic_store_explicit(&front->filling, next, memory_order_release);
    return next;
}

/** Adds to a number that only this thread changes. */
static void count(_Atomic uint64_t *number)
{
    uint64_t now = atomic_load_explicit(number, memory_order_relaxed);
    atomic_store_explicit(number, now + 1, memory_order_relaxed);
}

void weir_log_write(weir_log_level level, const char *file, int line, const char *fmt, ...)
{
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
    va_list args;
    va_start(args, fmt);
    size_t len = weir__log_line(chunk->bytes + filled, level, file, line, fmt, args);
    va_end(args);
    atomic_store_explicit(&chunk->filled, filled + len, memory_order_release);
    count(&front->lines);
}
