/**
 * @file
 * The inside of a configuration: config.c follows the nodes, config_set.c changes them.
 */
#ifndef WEIR_ZK_CONFIG_IMPL_H
#define WEIR_ZK_CONFIG_IMPL_H

#include "config_value.h"

#include <pthread.h>
#include <stdatomic.h>

/** One value. */
typedef struct weir__zk_slot {
    weir_zk_config *config;
    const weir_zk_config_item *item;
    weir_zk_op op;
    weir_zk_watch watch;
    weir_timer later; /* until it is read again after a failure */
    bool again;       /* to be read again: something has happened since it was asked for */
    bool looked;      /* it has been looked for once */
    int64_t rejected; /* the transaction whose text was no value; -1: it could not be read */
    char *path;
    _Atomic weir__zk_bits bits;
    _Atomic int32_t version;
    char *text; /* under the lock; of the last good value; NULL: the default's */
    size_t len;
} weir__zk_slot;

struct weir_zk_config {
    weir_zk *zk;
    weir_loop *loop;
    weir_zk_listener listener;
    const weir_zk_config_ops *ops;
    void *user;
    size_t value_bytes;
    unsigned flags;
    size_t missing; /* values not looked for yet */
    weir_latch loaded;
    int busy; /* callbacks of the user on the stack */
    bool freed;
    weir_list changes; /* config_set.c */
    size_t change_count;
    pthread_mutex_t lock; /* texts */
    size_t count;
    weir__zk_slot slots[];
};

/** Each change that is under way ends with WEIR_ECANCELED. */
void weir__zk_config_end_changes(weir_zk_config *config);

#endif
