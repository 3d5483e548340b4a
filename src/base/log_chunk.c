/* Chunks: the memory between producers and the writer, and its bound. */
#include "log_impl.h"

#include <stdlib.h>
#include <weir/base/thread.h>

/* A front may always have so many: one to fill while the writer has the other. Without that,
 * threads that log little would hold all the memory, and the others would wait for them. */
enum {
    CHUNKS_IN_ANY_CASE = 2
};

static weir__log *const shared = &weir__log_shared;

/* All static functions: under lock. */

static weir__log_chunk *chunk_new(void)
{
    size_t size = shared->chunk_bytes;
    weir__log_chunk *chunk = size > 0 ? malloc(sizeof *chunk + size) : NULL;
    if (chunk) {
        chunk->size = size;
        shared->held_bytes += size;
    }
    return chunk;
}

static bool may_have_new(const weir__log_front *front)
{
    return front->chunks < CHUNKS_IN_ANY_CASE ||
           shared->held_bytes + shared->chunk_bytes <= shared->limit_bytes;
}

static weir__log_chunk *take_spare(void)
{
    weir__log_chunk *chunk = shared->spare;
    if (chunk)
        shared->spare = chunk->next;
    return chunk;
}

static bool may_wait(void)
{
    return shared->when_full == WEIR_LOG_BLOCK && shared->running &&
           !atomic_load(&shared->silent) && weir_thread_id() != shared->writer;
}

static void wake_writer(void)
{
    shared->filled = true;
    pthread_cond_signal(&shared->wake);
}

static void wait_for_room(void)
{
    shared->waiting++;
    pthread_cond_wait(&shared->room, &shared->lock);
    shared->waiting--;
}

static weir__log_chunk *get(const weir__log_front *front)
{
    weir__log_chunk *chunk = take_spare();
    while (!chunk && !may_have_new(front) && may_wait()) {
        wake_writer();
        wait_for_room();
        chunk = take_spare();
    }
    if (!chunk && may_have_new(front))
        chunk = chunk_new();
    return chunk;
}

weir__log_chunk *weir__log_chunk_get(weir__log_front *front)
{
    pthread_mutex_lock(&shared->lock);
    wake_writer();
    weir__log_chunk *chunk = get(front);
    if (chunk) {
        front->chunks++;
        chunk->next = NULL;
        atomic_init(&chunk->taken, 0);
        atomic_init(&chunk->filled, 0);
    }
    pthread_mutex_unlock(&shared->lock);
    return chunk;
}

void weir__log_chunk_reuse(weir__log_front *front, weir__log_chunk *chunk)
{
    pthread_mutex_lock(&shared->lock);
    front->chunks--;
    chunk->next = shared->spare;
    shared->spare = chunk;
    if (shared->waiting > 0)
        pthread_cond_broadcast(&shared->room);
    pthread_mutex_unlock(&shared->lock);
}

void weir__log_chunks_free(weir__log_chunk *chunk)
{
    while (chunk) {
        weir__log_chunk *next = chunk->next;
        shared->held_bytes -= chunk->size;
        free(chunk);
        chunk = next;
    }
}

void weir__log_free_spare(void)
{
    weir__log_chunks_free(shared->spare);
    shared->spare = NULL;
}
