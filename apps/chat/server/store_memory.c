#include <pthread.h>
#include <stdlib.h>

#include "store.h"

typedef struct entry {
    size_t stream_len;
    size_t message_len;
    char bytes[]; /* the stream's name, then the message */
} entry;

/** A ring of the last messages. */
typedef struct memory_store {
    store base;
    pthread_mutex_t lock;
    entry **ring;
    size_t size;
    size_t count; /* ever appended; the next one goes to count % size */
} memory_store;

static memory_store *of(store *self)
{
    return WEIR_CONTAINER_OF(self, memory_store, base);
}

static weir_err append(store *self, weir_str stream, weir_str message)
{
    memory_store *memory = of(self);
    entry *e = malloc(sizeof *e + stream.len + message.len);
    if (!e)
        return WEIR_ENOMEM;
    e->stream_len = stream.len;
    e->message_len = message.len;
    memcpy(e->bytes, stream.ptr, stream.len);
    if (message.len > 0)
        memcpy(e->bytes + stream.len, message.ptr, message.len);
    pthread_mutex_lock(&memory->lock);
    entry **place = &memory->ring[memory->count++ % memory->size];
    free(*place);
    *place = e;
    pthread_mutex_unlock(&memory->lock);
    return WEIR_OK;
}

static bool is_of(const entry *e, weir_str stream)
{
    return weir_str_eq(weir_str_of(e->bytes, e->stream_len), stream);
}

static weir_err recent(store *self, weir_str stream, unsigned max, store_each_fn each, void *user)
{
    memory_store *memory = of(self);
    pthread_mutex_lock(&memory->lock);
    size_t oldest = memory->count > memory->size ? memory->count - memory->size : 0;
    size_t from = memory->count;
    for (unsigned found = 0; from > oldest && found < max; from--)
        found += is_of(memory->ring[(from - 1) % memory->size], stream);
    for (; from < memory->count; from++) {
        const entry *e = memory->ring[from % memory->size];
        if (is_of(e, stream))
            each(weir_str_of(e->bytes + e->stream_len, e->message_len), user);
    }
    pthread_mutex_unlock(&memory->lock);
    return WEIR_OK;
}

static void close_memory(store *self)
{
    memory_store *memory = of(self);
    for (size_t i = 0; i < memory->size; i++)
        free(memory->ring[i]);
    free(memory->ring);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static const store_ops memory_ops = {append, recent, close_memory};

weir_err store_memory_open(store **out, size_t max_messages)
{
    memory_store *memory = calloc(1, sizeof *memory);
    if (!memory)
        return WEIR_ENOMEM;
    memory->ring = calloc(max_messages, sizeof *memory->ring);
    if (!memory->ring) {
        free(memory);
        return WEIR_ENOMEM;
    }
    memory->base.ops = &memory_ops;
    memory->size = max_messages;
    pthread_mutex_init(&memory->lock, NULL);
    *out = &memory->base;
    return WEIR_OK;
}
