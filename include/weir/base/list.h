/**
 * @file
 * Intrusive doubly linked list: the node lives in the caller's struct, so that linking and
 * unlinking need no memory and cannot fail. A linked node must not move.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <weir/base/attr.h>

typedef struct weir_list {
    struct weir_list *next; /**< NULL in a node that is not linked */
    struct weir_list *prev;
} weir_list;

static inline void weir_list_init(weir_list *head)
{
    head->next = head->prev = head;
}

static inline bool weir_list_empty(const weir_list *head)
{
    return head->next == head;
}

/** Whether a zeroed or removed node is in a list now. */
static inline bool weir_list_linked(const weir_list *node)
{
    return node->next != NULL;
}

static inline void weir_list_append(weir_list *head, weir_list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/** Unlinks; nothing happens when it is not linked. */
static inline void weir_list_remove(weir_list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/** Unlinks the first node and returns it; NULL when the list is empty. */
static inline weir_list *weir_list_pop(weir_list *head)
{
    weir_list *node = head->next;
    if (node == head)
        return NULL;
    weir_list_remove(node);
    return node;
}

/** Moves every node of `from` to the end of `to`; `from` is empty then. */
static inline void weir_list_splice(weir_list *to, weir_list *from)
{
    if (weir_list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    weir_list_init(from);
}

/** Walks `head`; `node` may be removed by the body. */
#define weir_list_each(node, following, head)                                                      \
    for (weir_list *node = (head)->next, *following = node->next; node != (head);                  \
         node = following, following = node->next)

#endif
