/**
 * @file
 * The inside of unique ids: ids.c gives numbers out, ids_lease.c gets them from ZooKeeper.
 */
#ifndef WEIR_ZK_IDS_IMPL_H
#define WEIR_ZK_IDS_IMPL_H

#include "steps.h"

#include <pthread.h>
#include <weir/zk/ids.h>

/** Numbers that are ours: next to end - 1. */
typedef struct weir__ids_block {
    int64_t next, end;
} weir__ids_block;

struct weir_zk_ids {
    pthread_mutex_t lock;
    /* under the lock */
    weir__ids_block current, spare;
    bool wanted; /* a lease is under way, or its task is posted */
    bool posted; /* it is */
    weir_err failed;
    weir_why why;

    weir_task task;
    /* loop */
    weir_zk *zk;
    weir_loop *loop;
    int holds; /* callbacks on the stack, and the end of the task */
    bool freed;
    uint32_t block;
    unsigned flags;
    int64_t low;           /* the counter is never below */
    weir__ids_block lease; /* that ZooKeeper is asked for */
    int32_t version;       /* of the counter that was read */
    char text[24];         /* of the one to be written */
    weir__zk_steps steps;  /* of the lease */
    weir_list waiting;
    weir_deferred serve;
    char path[];
};

static inline int64_t weir__ids_left(weir__ids_block b)
{
    return b.end - b.next;
}

/** Whether a lease is to begin now; it is noted as begun then. Under the lock. */
static inline bool weir__ids_wants_lease(weir_zk_ids *ids)
{
    if (ids->wanted || ids->failed || weir__ids_left(ids->spare) > 0 ||
        weir__ids_left(ids->current) > (int64_t)ids->block / 2)
        return false;
    ids->wanted = true;
    return true;
}

/** Begins the first lease. @errors as weir_zk_get() */
weir_err weir__ids_begin(weir_zk_ids *ids);
/** Begins another one, which was noted as wanted. */
void weir__ids_lease(weir_zk_ids *ids);

#endif
