#include "test.h"

#include <sched.h>
#include <stdlib.h>
#include <weir/base/mpsc.h>
#include <weir/base/thread.h>

enum {
    PRODUCERS = 4,
    NODES = 20000
};

typedef struct item {
    weir_mpsc_node node;
    int producer;
    int number;
} item;

typedef struct producer {
    weir_mpsc *queue;
    weir_latch *go;
    item *items;
} producer;

static item *item_of(weir_mpsc_node *node)
{
    return WEIR_CONTAINER_OF(node, item, node);
}

TEST(mpsc, nodes_come_out_in_order_and_can_be_pushed_again)
{
    weir_mpsc queue;
    item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    weir_mpsc_init(&queue);
    assert_null(weir_mpsc_pop(&queue));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            weir_mpsc_push(&queue, &items[i].node);
        for (int i = 0; i < 3; i++)
            assert_int_equal(item_of(weir_mpsc_pop(&queue))->number, i);
        assert_null(weir_mpsc_pop(&queue));
    }
}

TEST(mpsc, a_single_node_goes_round_and_round)
{
    weir_mpsc queue;
    item one = {.number = 7};
    weir_mpsc_init(&queue);
    for (int round = 0; round < 1000; round++) {
        weir_mpsc_push(&queue, &one.node);
        assert_ptr_equal(weir_mpsc_pop(&queue), &one.node);
        assert_null(weir_mpsc_pop(&queue));
    }
}

static void produce(void *user)
{
    producer *p = user;
    weir_latch_wait(p->go);
    for (int i = 0; i < NODES; i++)
        weir_mpsc_push(p->queue, &p->items[i].node);
}

TEST(mpsc, four_producers_lose_nothing_and_keep_their_order)
{
    weir_mpsc queue;
    weir_latch go;
    producer producers[PRODUCERS];
    weir_thread *threads[PRODUCERS];
    int next[PRODUCERS] = {0};
    weir_mpsc_init(&queue);
    weir_latch_init(&go, 1);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = (producer){&queue, &go, calloc(NODES, sizeof(item))};
        for (int n = 0; n < NODES; n++) {
            producers[i].items[n].producer = i;
            producers[i].items[n].number = n;
        }
        assert_ok(weir_thread_start(&threads[i], "producer", produce, &producers[i]));
    }
    weir_latch_down(&go);
    for (int got = 0; got < PRODUCERS * NODES;) {
        weir_mpsc_node *node = weir_mpsc_pop(&queue);
        if (!node) {
            sched_yield();
            continue;
        }
        assert_int_equal(item_of(node)->number, next[item_of(node)->producer]++);
        got++;
    }
    for (int i = 0; i < PRODUCERS; i++) {
        weir_thread_join(threads[i]);
        free(producers[i].items);
    }
    assert_null(weir_mpsc_pop(&queue));
    weir_latch_fini(&go);
}
