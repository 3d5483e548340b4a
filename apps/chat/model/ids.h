/**
 * @file
 * Ids of users, conversations and messages: 63 bits, 41 of them milliseconds since 2024, 10 the
 * node's number, 12 a counter. They grow with time, within a node strictly. Nodes whose numbers are
 * the same (more than 1,024 starts apart) could give the same id in the same millisecond: the
 * primary key refuses the second one, and its transaction is run again.
 */
#ifndef CHAT_MODEL_IDS_H
#define CHAT_MODEL_IDS_H

#include <stdatomic.h>
#include <weir/base/base.h>

typedef struct ids {
    unsigned node;
    atomic_ullong last; /* its lower 12 bits count */
} ids;

void ids_init(ids *self, uint64_t node);
/** @thread any */
uint64_t ids_next(ids *self);
/** When an id was made, in microseconds since 1970. */
int64_t ids_time_us(uint64_t id);

#endif
