/**
 * @file
 * How many connections each address has, for a limit on them. A table under a lock: it is touched
 * when a connection begins and ends only.
 */
#ifndef WEIR_NET_ADDR_COUNTS_H
#define WEIR_NET_ADDR_COUNTS_H

#include <pthread.h>
#include <weir/net/addr.h>

typedef struct weir__addr_count weir__addr_count;

/** In the caller's memory; zeroed but for the lock before weir__addr_counts_init(). */
typedef struct weir__addr_counts {
    pthread_mutex_t lock;
    weir__addr_count *places; /* a power of two of them, at most three quarters taken */
    size_t room, taken;
} weir__addr_counts;

void weir__addr_counts_init(weir__addr_counts *counts);
void weir__addr_counts_fini(weir__addr_counts *counts);

/**
 * Counts one more for the address, whatever its port. Of unix sockets nothing is counted.
 * @thread any
 * @errors WEIR_EFULL: it has `max` already. WEIR_ENOMEM
 */
weir_err weir__addr_counts_add(weir__addr_counts *counts, const weir_addr *addr, unsigned max);

/** One less. @thread any */
void weir__addr_counts_remove(weir__addr_counts *counts, const weir_addr *addr);

/** A number to choose by, equal for equal addresses whatever their ports. @thread any */
uint32_t weir__addr_hash(const weir_addr *addr);

#endif
