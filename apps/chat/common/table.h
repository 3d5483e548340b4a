/**
 * @file
 * Hash table: from bytes to a node in the caller's object. It grows with what is in it and never
 * shrinks; when there is no memory to grow, it goes on with longer chains.
 *
 * Keys are names that this application makes; the hash has no secret.
 */
#ifndef CHAT_COMMON_TABLE_H
#define CHAT_COMMON_TABLE_H

#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/str.h>

/** In the caller's object; zeroed is valid and in no table. */
typedef struct table_node {
    struct table_node *next; /* in the bucket */
    uint64_t hash;
    weir_str key; /* the caller's memory, unchanged while in the table */
} table_node;

typedef struct table {
    table_node **buckets;
    size_t mask;
    size_t count;
} table;

/** @errors WEIR_ENOMEM */
WEIR_MUST_CHECK weir_err table_init(table *self);
/** What is still in it stays the caller's. */
void table_fini(table *self);

/** @return NULL: there is none */
table_node *table_find(const table *self, weir_str key);
/** The key must not be in the table. */
void table_add(table *self, table_node *node, weir_str key);
/** The node must be in the table. */
void table_remove(table *self, table_node *node);

#endif
