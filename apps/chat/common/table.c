#include "table.h"

#include <stdlib.h>

enum {
    FIRST_BUCKETS = 64
};

/** FNV-1a, mixed because the lowest bits choose the bucket. */
static uint64_t hash_of(weir_str key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

weir_err table_init(table *self)
{
    table_node **buckets = calloc(FIRST_BUCKETS, sizeof *buckets);
    if (!buckets)
        return WEIR_ENOMEM;
    *self = (table){.buckets = buckets, .mask = FIRST_BUCKETS - 1};
    return WEIR_OK;
}

void table_fini(table *self)
{
    free(self->buckets);
    *self = (table){0};
}

static void put(table *self, table_node *node)
{
    table_node **at = &self->buckets[node->hash & self->mask];
    node->next = *at;
    *at = node;
}

static void grow(table *self)
{
    table old = *self;
    table_node **buckets = calloc((old.mask + 1) * 2, sizeof *buckets);
    if (!buckets)
        return;
    self->buckets = buckets;
    self->mask = old.mask * 2 + 1;
    for (size_t i = 0; i <= old.mask; i++) {
        for (table_node *node = old.buckets[i], *next; node; node = next) {
            next = node->next;
            put(self, node);
        }
    }
    free(old.buckets);
}

table_node *table_find(const table *self, weir_str key)
{
    uint64_t hash = hash_of(key);
    table_node *node = self->buckets[hash & self->mask];
    while (node && (node->hash != hash || !weir_str_eq(node->key, key)))
        node = node->next;
    return node;
}

void table_add(table *self, table_node *node, weir_str key)
{
    if (self->count > self->mask)
        grow(self);
    node->key = key;
    node->hash = hash_of(key);
    put(self, node);
    self->count++;
}

void table_remove(table *self, table_node *node)
{
    table_node **at = &self->buckets[node->hash & self->mask];
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    node->next = NULL;
    self->count--;
}
