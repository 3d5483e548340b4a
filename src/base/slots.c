/* The free list is a stack of slot numbers whose head carries a tag, so that a slot that was taken
 * and given back meanwhile (ABA) is noticed. */
#include <weir/base/slots.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    CHUNK_SLOTS = 1024,
    CHUNKS = 1024
};

typedef struct slot {
    _Atomic uint64_t state; /* generation << 32 | queued bytes */
    _Atomic uint64_t marks; /* generation << 32 | marks */
    _Atomic uint32_t next;  /* number + 1 in the free list, 0: last */
    _Atomic uint32_t limit; /* of queued bytes */
    atomic_bool blocked;    /* somebody was told to wait */
    const void *kind;       /* of a live slot: the object's thread */
    void *object;
} slot;

struct weir_slots {
    _Atomic uint64_t free; /* tag << 32 | number + 1 */
    slot *_Atomic chunks[CHUNKS];
    pthread_mutex_t growth;
    uint32_t chunk_count;  /* under growth */
    uint32_t first;        /* generation of a slot that was never taken, even */
    _Atomic uint32_t last; /* highest generation given back, even */
};

static uint32_t index_of(uint64_t id)
{
    return (uint32_t)(id >> 32) & (CHUNKS * CHUNK_SLOTS - 1);
}

static uint32_t generation_of(uint64_t state)
{
    return (uint32_t)(state >> 32);
}

static slot *slot_at(weir_slots *slots, uint32_t index)
{
    slot *chunk = atomic_load_explicit(&slots->chunks[index / CHUNK_SLOTS], memory_order_acquire);
    return chunk ? &chunk[index % CHUNK_SLOTS] : NULL;
}

weir_err weir_slots_new(weir_slots **out, uint32_t after)
{
    weir_slots *slots = calloc(1, sizeof *slots);
    if (!slots)
        return WEIR_ENOMEM;
    slots->first = after + (after & 1);
    atomic_init(&slots->last, slots->first);
    pthread_mutex_init(&slots->growth, NULL);
    *out = slots;
    return WEIR_OK;
}

uint32_t weir_slots_generation(const weir_slots *slots)
{
    return atomic_load(&slots->last);
}

void weir_slots_free(weir_slots *slots)
{
    if (!slots)
        return;
    for (uint32_t i = 0; i < slots->chunk_count; i++)
        free(atomic_load(&slots->chunks[i]));
    pthread_mutex_destroy(&slots->growth);
    free(slots);
}

static void push_free(weir_slots *slots, slot *s, uint32_t index)
{
    uint64_t head = atomic_load(&slots->free), next;
    do {
        atomic_store(&s->next, (uint32_t)head);
        next = ((head >> 32) + 1) << 32 | (index + 1);
    } while (!atomic_compare_exchange_weak(&slots->free, &head, next));
}

static slot *pop_free(weir_slots *slots, uint32_t *index)
{
    uint64_t head = atomic_load(&slots->free), next;
    slot *s;
    do {
        if ((uint32_t)head == 0)
            return NULL;
        *index = (uint32_t)head - 1;
        s = &atomic_load(&slots->chunks[*index / CHUNK_SLOTS])[*index % CHUNK_SLOTS];
        next = ((head >> 32) + 1) << 32 | atomic_load(&s->next);
    } while (!atomic_compare_exchange_weak(&slots->free, &head, next));
    return s;
}

static weir_err add_chunk(weir_slots *slots)
{
    uint32_t at = slots->chunk_count;
    if (at == CHUNKS)
        return WEIR_EFULL;
    slot *chunk = calloc(CHUNK_SLOTS, sizeof *chunk);
    if (!chunk)
        return WEIR_ENOMEM;
    atomic_store(&slots->chunks[at], chunk);
    slots->chunk_count = at + 1;
    for (uint32_t i = CHUNK_SLOTS; i-- > 0;) {
        atomic_init(&chunk[i].state, (uint64_t)slots->first << 32);
        push_free(slots, &chunk[i], at * CHUNK_SLOTS + i);
    }
    return WEIR_OK;
}

/** Unless another thread has been first. */
static weir_err grow(weir_slots *slots)
{
    weir_err err = WEIR_OK;
    pthread_mutex_lock(&slots->growth);
    if ((uint32_t)atomic_load(&slots->free) == 0)
        err = add_chunk(slots);
    pthread_mutex_unlock(&slots->growth);
    return err;
}

weir_err weir_slots_add(weir_slots *slots, const void *kind, void *object, unsigned loop_number,
                        uint32_t limit_bytes, uint64_t *id)
{
    uint32_t index = 0;
    slot *s;
    while (!(s = pop_free(slots, &index))) {
        weir_err err = grow(slots);
        if (err)
            return err;
    }
    s->kind = kind;
    s->object = object;
    atomic_store(&s->limit, limit_bytes);
    atomic_store(&s->blocked, false);
    uint32_t generation = generation_of(atomic_load(&s->state)) + 1;
    atomic_store(&s->marks, (uint64_t)generation << 32);
    atomic_store(&s->state, (uint64_t)generation << 32);
    *id = weir_slot_id(loop_number, index, generation);
    return WEIR_OK;
}

void weir_slots_remove(weir_slots *slots, uint64_t id)
{
    slot *s = slot_at(slots, index_of(id));
    if (!s || generation_of(atomic_load(&s->state)) != (uint32_t)id)
        return;
    uint32_t generation = (uint32_t)id + 1, last = atomic_load(&slots->last);
    while (last < generation && !atomic_compare_exchange_weak(&slots->last, &last, generation))
        ;
    atomic_store(&s->marks, (uint64_t)generation << 32);
    atomic_store(&s->state, (uint64_t)generation << 32);
    push_free(slots, s, index_of(id));
}

void *weir_slots_get(weir_slots *slots, const void *kind, uint64_t id)
{
    slot *s = slot_at(slots, index_of(id));
    if (!s || !(id & 1) || generation_of(atomic_load(&s->state)) != (uint32_t)id)
        return NULL;
    return s->kind == kind ? s->object : NULL;
}

bool weir_slots_alive(weir_slots *slots, uint64_t id)
{
    slot *s = slot_at(slots, index_of(id));
    return s && (id & 1) && generation_of(atomic_load(&s->state)) == (uint32_t)id;
}

weir_err weir_slots_mark(weir_slots *slots, uint64_t id, uint32_t marks, uint32_t unless)
{
    slot *s = slot_at(slots, index_of(id));
    if (!s || !(id & 1))
        return WEIR_ECLOSED;
    uint64_t old = atomic_load(&s->marks);
    do {
        if (generation_of(old) != (uint32_t)id)
            return WEIR_ECLOSED;
        if ((uint32_t)old & unless)
            return WEIR_ESTATE;
    } while (marks && !atomic_compare_exchange_weak(&s->marks, &old, old | marks));
    return WEIR_OK;
}

weir_err weir_slots_charge(weir_slots *slots, uint64_t id, uint32_t bytes)
{
    slot *s = slot_at(slots, index_of(id));
    if (!s || !(id & 1))
        return WEIR_ECLOSED;
    uint64_t state = atomic_load(&s->state);
    bool told = false;
    for (;;) {
        if (generation_of(state) != (uint32_t)id)
            return WEIR_ECLOSED;
        uint32_t queued = (uint32_t)state;
        if (queued >= atomic_load(&s->limit) || queued > UINT32_MAX - bytes) {
            if (told)
                return WEIR_EAGAIN;
            /* The note comes first and the count is read again, so that a drain between the two
             * is not missed. */
            told = true;
            atomic_store(&s->blocked, true);
            state = atomic_load(&s->state);
        } else if (atomic_compare_exchange_weak(&s->state, &state, state + bytes)) {
            return WEIR_OK;
        }
    }
}

uint32_t weir_slots_discharge(weir_slots *slots, uint64_t id, uint32_t bytes)
{
    slot *s = slot_at(slots, index_of(id));
    if (!s)
        return 0;
    uint64_t state = atomic_load(&s->state);
    do {
        if (generation_of(state) != (uint32_t)id || (uint32_t)state < bytes)
            return 0;
    } while (!atomic_compare_exchange_weak(&s->state, &state, state - bytes));
    return (uint32_t)state - bytes;
}

bool weir_slots_unblock(weir_slots *slots, uint64_t id)
{
    slot *s = slot_at(slots, index_of(id));
    return s && generation_of(atomic_load(&s->state)) == (uint32_t)id &&
           atomic_exchange(&s->blocked, false);
}
