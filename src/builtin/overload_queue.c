#include "overload_queue.h"

#include <stdlib.h>

enum {
    MOST_LINES = 1 << 16
};

weir_err weir__overload_queue_init(weir__overload_queue *queue, size_t max, uint32_t lines,
                                   int64_t fifo_us)
{
    uint32_t size = 1;
    while (size < lines && size < MOST_LINES)
        size *= 2;
    *queue = (weir__overload_queue){.max = max, .fifo_us = fifo_us, .mask = size - 1};
    weir_list_init(&queue->turns);
    if (max == 0)
        return WEIR_OK;
    queue->lines = calloc(size, sizeof *queue->lines);
    if (!queue->lines)
        return WEIR_ENOMEM;
    for (uint32_t i = 0; i < size; i++)
        weir_list_init(&queue->lines[i].waiters);
    return WEIR_OK;
}

void weir__overload_queue_fini(weir__overload_queue *queue)
{
    free(queue->lines);
    queue->lines = NULL;
}

void weir__overload_queue_remove(weir__overload_queue *queue, weir__overload_waiter *waiter)
{
    weir__overload_line *line = waiter->line;
    if (!line)
        return;
    waiter->line = NULL;
    weir_list_remove(&waiter->node);
    queue->count--;
    if (--line->count == 0) {
        weir_list_remove(&line->node);
        queue->busy--;
    }
}

static weir__overload_waiter *waiter_of(weir_list *node)
{
    return WEIR_CONTAINER_OF(node, weir__overload_waiter, node);
}

static weir__overload_line *longest(const weir__overload_queue *queue)
{
    weir__overload_line *found = NULL;
    weir_list_each (node, next, &queue->turns) {
        weir__overload_line *line = WEIR_CONTAINER_OF(node, weir__overload_line, node);
        if (!found || line->count > found->count)
            found = line;
    }
    return found;
}

/** The queue is full, and one more comes to `line`. Most often that line has its share already, and
 * no other has to be looked at. */
static weir__overload_waiter *make_room(weir__overload_queue *queue,
                                        const weir__overload_line *line)
{
    size_t busy = queue->busy + (line->count == 0 ? 1 : 0);
    const weir__overload_line *victim =
        line->count > 0 && line->count >= queue->max / busy ? line : longest(queue);
    weir__overload_waiter *out = waiter_of(victim->waiters.next);
    weir__overload_queue_remove(queue, out);
    return out;
}

weir__overload_waiter *weir__overload_queue_push(weir__overload_queue *queue,
                                                 weir__overload_waiter *waiter, uint32_t key,
                                                 weir_time now)
{
    if (queue->max == 0)
        return waiter;
    weir__overload_line *line = &queue->lines[key & queue->mask];
    weir__overload_waiter *out = queue->count == queue->max ? make_room(queue, line) : NULL;
    if (line->count++ == 0) {
        line->busy_since = now;
        weir_list_append(&queue->turns, &line->node);
        queue->busy++;
    }
    weir_list_append(&line->waiters, &waiter->node);
    waiter->line = line;
    queue->count++;
    return out;
}

weir__overload_waiter *weir__overload_queue_pop(weir__overload_queue *queue, weir_time now)
{
    if (queue->count == 0)
        return NULL;
    weir_list *turn = weir_list_pop(&queue->turns);
    weir_list_append(&queue->turns, turn);
    weir__overload_line *line = WEIR_CONTAINER_OF(turn, weir__overload_line, node);
    bool newest = weir_time_diff(now, line->busy_since) >= queue->fifo_us;
    weir__overload_waiter *out = waiter_of(newest ? line->waiters.prev : line->waiters.next);
    weir__overload_queue_remove(queue, out);
    return out;
}
