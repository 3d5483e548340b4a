#include "resolver_nodes.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static weir__zk_node *new_node(const char *name)
{
    size_t size = strlen(name) + 1;
    weir__zk_node *node = calloc(1, sizeof *node + size);
    if (node)
        memcpy(node->name, name, size);
    return node;
}

static void free_node(weir__zk_node *node)
{
    weir_zk_cancel(&node->op);
    weir_zk_unwatch(&node->watch);
    weir_list_remove(&node->unread);
    free(node->texts);
    free(node);
}

/** What is in both lists stays the same node. */
static weir_err merge(weir__zk_nodes *nodes, weir__zk_node **next, const char *const *names,
                      size_t count)
{
    size_t old = 0;
    for (size_t i = 0; i < count; i++) {
        while (old < nodes->count && strcmp(nodes->items[old]->name, names[i]) < 0)
            old++;
        if (old < nodes->count && strcmp(nodes->items[old]->name, names[i]) == 0)
            next[i] = nodes->items[old++];
        else if (!(next[i] = new_node(names[i])))
            return WEIR_ENOMEM;
    }
    return WEIR_OK;
}

/** The nodes of `a` that are not in `b`; both are in order. */
static void each_missing(weir__zk_node **a, size_t a_count, weir__zk_node **b, size_t b_count,
                         void (*fn)(weir__zk_node *node, void *user), void *user)
{
    size_t at = 0;
    for (size_t i = 0; i < a_count; i++) {
        if (!a[i]) /* of a merge that was given up */
            return;
        while (at < b_count && strcmp(b[at]->name, a[i]->name) < 0)
            at++;
        if (at == b_count || b[at] != a[i])
            fn(a[i], user);
    }
}

static void just_free(weir__zk_node *node, void *user WEIR_UNUSED)
{
    free_node(node);
}

weir_err weir__zk_nodes_set(weir__zk_nodes *nodes, const char *const *names, size_t count,
                            void (*added)(weir__zk_node *node, void *user),
                            void (*removed)(weir__zk_node *node, void *user), void *user)
{
    if (count > WEIR_ENDPOINTS_MAX)
        count = WEIR_ENDPOINTS_MAX;
    const char **sorted = malloc((count + 1) * sizeof *sorted);
    weir__zk_node **next = calloc(count + 1, sizeof *next);
    weir_err err = sorted && next ? WEIR_OK : WEIR_ENOMEM;
    if (!err && count > 0) {
        memcpy(sorted, names, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, by_name);
        err = merge(nodes, next, sorted, count);
    }
    free(sorted);
    if (err) {
        if (next)
            each_missing(next, count, nodes->items, nodes->count, just_free, NULL);
        free(next);
        return err;
    }
    each_missing(next, count, nodes->items, nodes->count, added, user);
    each_missing(nodes->items, nodes->count, next, count, removed, user);
    each_missing(nodes->items, nodes->count, next, count, just_free, NULL);
    free(nodes->items);
    nodes->items = next;
    nodes->count = count;
    return WEIR_OK;
}

void weir__zk_nodes_clear(weir__zk_nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++)
        free_node(nodes->items[i]);
    free(nodes->items);
    *nodes = (weir__zk_nodes){0};
}

/* Data. */

static char *append(char **at, weir_str s)
{
    char *start = *at;
    if (s.len > 0)
        memcpy(start, s.ptr, s.len);
    start[s.len] = '\0';
    *at += s.len + 1;
    return start;
}

/** What a list would not take must be known before it counts as good. */
static weir_err check(const weir_endpoint *endpoint, weir_why *why)
{
    weir_endpoints *list;
    weir_err err = weir_endpoints_new(&list);
    if (err)
        return err;
    err = weir_endpoints_add(list, endpoint);
    weir_endpoints_unref(list);
    if (err == WEIR_EINVAL)
        weir_why_set(why, err, "\"address\" has blanks or is too long");
    return err;
}

weir_err weir__zk_node_read(weir__zk_node *node, weir_str json, weir_why *why)
{
    weir_arena arena;
    weir_endpoint e;
    weir_arena_init(&arena, NULL, 1 << 20);
    weir_err err = weir_endpoint_read(&e, &arena, json, why);
    if (!err)
        err = check(&e, why);
    char *texts = err ? NULL : malloc(e.address.len + e.zone.len + e.metadata.len + 3);
    if (!err && !texts)
        err = WEIR_ENOMEM;
    if (!err) {
        char *at = texts;
        free(node->texts);
        node->texts = texts;
        node->endpoint = (weir_endpoint){
            .address = weir_str_of(append(&at, e.address), e.address.len),
            .weight = e.weight,
            .zone = weir_str_of(append(&at, e.zone), e.zone.len),
            .metadata = weir_str_of(append(&at, e.metadata), e.metadata.len),
        };
    }
    weir_arena_fini(&arena);
    return err;
}

weir_err weir__zk_nodes_list(const weir__zk_nodes *nodes, weir_endpoints **out)
{
    weir_endpoints *list;
    weir_err err = weir_endpoints_new(&list);
    if (err)
        return err;
    for (size_t i = 0; i < nodes->count && err != WEIR_ENOMEM; i++)
        if (nodes->items[i]->endpoint.address.len > 0)
            err = weir_endpoints_add(list, &nodes->items[i]->endpoint);
    if (err == WEIR_ENOMEM) {
        weir_endpoints_unref(list);
        return err;
    }
    *out = list;
    return WEIR_OK;
}
