/**
 * @file
 * Names of sequential nodes, and the order in which they were made. A name is "ID-DIGITS": the id,
 * chosen by the client, tells its node from others when create's answer was lost; the digits are
 * ZooKeeper's.
 */
#ifndef WEIR_ZK_SEQUENCE_H
#define WEIR_ZK_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEIR__ZK_ID_LEN = 16,
    WEIR__ZK_NAME_MAX = 32 /* ID-DIGITS, the digits with a sign after 2^31 of them, and the NUL */
};

/** 64 random bits in hexadecimal. */
void weir__zk_id_make(char id[WEIR__ZK_ID_LEN + 1]);

/** @return false: somebody else's node, not of this form */
bool weir__zk_sequence_of(const char *name, int32_t *sequence);

/** Whether `a` was made before `b`. The numbers go on at -2^31 after 2^31 - 1. */
bool weir__zk_sequence_before(int32_t a, int32_t b);

/** Where a node stands among its folder's children; views of their names. */
typedef struct weir__zk_standing {
    const char *first;    /* of all; NULL: there is none of this form */
    const char *mine;     /* the first that has the id; NULL: none has */
    const char *previous; /* the last one before mine; NULL: mine is the first, or there is none */
} weir__zk_standing;

/** Names of other forms are passed over. */
weir__zk_standing weir__zk_standing_of(const char *const *names, size_t count, const char *id);

#endif
