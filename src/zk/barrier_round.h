/**
 * @file
 * A barrier's round: the numbers of its participants, as the folder's data have them, and who of
 * them is there. Knows no ZooKeeper.
 */
#ifndef WEIR_ZK_BARRIER_ROUND_H
#define WEIR_ZK_BARRIER_ROUND_H

#include <weir/base/base.h>
#include <weir/zk/barrier.h>

enum {
    WEIR__ZK_ROUND_TEXT = WEIR_ZK_BARRIER_MAX * 12 /* "-2147483648 " for each */
};

typedef struct weir__zk_round {
    size_t count;
    int32_t members[WEIR_ZK_BARRIER_MAX];
} weir__zk_round;

/** Text that is no round is an empty one. */
void weir__zk_round_read(weir__zk_round *round, weir_str text);
weir_str weir__zk_round_write(const weir__zk_round *round, char out[WEIR__ZK_ROUND_TEXT]);
bool weir__zk_round_has(const weir__zk_round *round, int32_t sequence);

/** How things are in the folder. Names are views. */
typedef struct weir__zk_muster {
    size_t waiting;               /* who are of no round */
    const char *previous;         /* of those, the last one before us; NULL: none */
    size_t inside;                /* of the round, without us */
    const char *lowest, *highest; /* of those; NULL: none */
    bool mine;                    /* we are there */
    bool mine_lowest;             /* and before all of the round */
} weir__zk_muster;

/** @param my_name  NULL: we are not there */
weir__zk_muster weir__zk_muster_of(const char *const *names, size_t count,
                                   const weir__zk_round *round, const char *my_name);

/** The first `want` of those who wait make the next round. @return false: they are too few */
bool weir__zk_round_choose(weir__zk_round *next, size_t want, const char *const *names,
                           size_t count, const weir__zk_round *round);

#endif
