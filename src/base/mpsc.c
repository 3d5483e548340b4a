#include <weir/base/mpsc.h>

#include <stddef.h>

void weir_mpsc_init(weir_mpsc *queue)
{
    atomic_store_explicit(&queue->dummy.next, NULL, memory_order_relaxed);
    atomic_store_explicit(&queue->tail, &queue->dummy, memory_order_relaxed);
    queue->head = &queue->dummy;
}

void weir_mpsc_push(weir_mpsc *queue, weir_mpsc_node *node)
{
    atomic_store_explicit(&node->next, NULL, memory_order_relaxed);
    weir_mpsc_node *before = atomic_exchange_explicit(&queue->tail, node, memory_order_acq_rel);
    atomic_store_explicit(&before->next, node, memory_order_release);
}

weir_mpsc_node *weir_mpsc_pop(weir_mpsc *queue)
{
    weir_mpsc_node *head = queue->head;
    weir_mpsc_node *next = atomic_load_explicit(&head->next, memory_order_acquire);
    if (head == &queue->dummy) {
        if (!next)
            return NULL;
        queue->head = head = next;
        next = atomic_load_explicit(&head->next, memory_order_acquire);
    }
    if (!next && atomic_load_explicit(&queue->tail, memory_order_acquire) == head) {
        /* The last node: the dummy goes behind it, so that it can leave. */
        weir_mpsc_push(queue, &queue->dummy);
        next = atomic_load_explicit(&head->next, memory_order_acquire);
    }
    if (!next)
        return NULL; /* a producer is half way */
    queue->head = next;
    return head;
}
