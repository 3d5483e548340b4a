#include "ids.h"

/* 2024-01-01 00:00 UTC, in milliseconds. */
#define EPOCH_MS INT64_C(1704067200000)

enum {
    NODE_BITS = 10,
    COUNTER_BITS = 12
};

void ids_init(ids *self, uint64_t node)
{
    self->node = (unsigned)(node % (1u << NODE_BITS));
    atomic_init(&self->last, 0);
}

uint64_t ids_next(ids *self)
{
    uint64_t now = (uint64_t)(weir_wall_now().us / 1000 - EPOCH_MS) << COUNTER_BITS;
    unsigned long long last = atomic_load(&self->last), next;
    do
        next = now > last ? now : last + 1; /* a counter that overflows borrows the next ms */
    while (!atomic_compare_exchange_weak(&self->last, &last, next));
    uint64_t counter = next & ((1u << COUNTER_BITS) - 1);
    return (next >> COUNTER_BITS) << (NODE_BITS + COUNTER_BITS) |
           (uint64_t)self->node << COUNTER_BITS | counter;
}

int64_t ids_time_us(uint64_t id)
{
    return ((int64_t)(id >> (NODE_BITS + COUNTER_BITS)) + EPOCH_MS) * 1000;
}
