#include "test.h"

#include "overload_queue.h"

#define FIFO_US WEIR_MILLISECONDS(100)

enum {
    WAITERS = 16
};

typedef struct line_up {
    weir__overload_queue queue;
    weir__overload_waiter waiters[WAITERS];
} line_up;

static weir_time at_ms(int64_t ms)
{
    return (weir_time){WEIR_SECONDS(5) + WEIR_MILLISECONDS(ms)};
}

static void open_queue(line_up *l, size_t max)
{
    *l = (line_up){0};
    assert_ok(weir__overload_queue_init(&l->queue, max, 8, FIFO_US));
}

/** @return the number of the waiter that is out for it; -1: none */
static int push(line_up *l, int waiter, uint32_t client, int64_t ms)
{
    weir__overload_waiter *out =
        weir__overload_queue_push(&l->queue, &l->waiters[waiter], client, at_ms(ms));
    return out ? (int)(out - l->waiters) : -1;
}

static int pop(line_up *l, int64_t ms)
{
    weir__overload_waiter *out = weir__overload_queue_pop(&l->queue, at_ms(ms));
    return out ? (int)(out - l->waiters) : -1;
}

TEST(overload_queue, a_short_line_is_served_oldest_first)
{
    line_up l;
    open_queue(&l, 10);
    for (int i = 0; i < 3; i++)
        assert_int_equal(push(&l, i, 1, i), -1);
    assert_int_equal(pop(&l, 10), 0);
    assert_int_equal(pop(&l, 20), 1);
    assert_int_equal(pop(&l, 30), 2);
    assert_int_equal(pop(&l, 40), -1);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, a_line_that_stands_is_served_newest_first_until_it_has_been_empty)
{
    line_up l;
    open_queue(&l, 10);
    for (int i = 0; i < 3; i++)
        push(&l, i, 1, 0);
    assert_int_equal(pop(&l, 99), 0);
    assert_int_equal(pop(&l, 100), 2);
    push(&l, 3, 1, 110);
    assert_int_equal(pop(&l, 120), 3);
    assert_int_equal(pop(&l, 121), 1);
    push(&l, 4, 1, 130);
    push(&l, 5, 1, 131);
    assert_int_equal(pop(&l, 132), 4);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, clients_are_served_in_turn)
{
    line_up l;
    open_queue(&l, 10);
    for (int i = 0; i < 5; i++)
        push(&l, i, 1, 0);
    push(&l, 5, 2, 0);
    push(&l, 6, 3, 0);
    const int turns[] = {0, 5, 6, 1, 2, 3, 4};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        assert_int_equal(pop(&l, 1), turns[i]);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, who_has_most_makes_room)
{
    line_up l;
    open_queue(&l, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(push(&l, i, 1, 0), -1);
    assert_int_equal(push(&l, 4, 1, 0), 0); /* its own oldest */
    assert_int_equal(push(&l, 5, 2, 0), 1); /* room for another client */
    assert_int_equal(push(&l, 6, 2, 0), 2);
    assert_int_equal(push(&l, 7, 2, 0), 5); /* now both have their share */
    assert_int_equal(l.queue.count, 4);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, a_queue_of_one_keeps_the_newest)
{
    line_up l;
    open_queue(&l, 1);
    assert_int_equal(push(&l, 0, 1, 0), -1);
    assert_int_equal(push(&l, 1, 1, 0), 0);
    assert_int_equal(push(&l, 2, 2, 0), 1);
    assert_int_equal(pop(&l, 1), 2);
    assert_int_equal(l.queue.busy, 0);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, who_leaves_is_not_served)
{
    line_up l;
    open_queue(&l, 10);
    for (int i = 0; i < 3; i++)
        push(&l, i, (uint32_t)i, 0);
    weir__overload_queue_remove(&l.queue, &l.waiters[0]);
    weir__overload_queue_remove(&l.queue, &l.waiters[0]);
    weir__overload_queue_remove(&l.queue, &l.waiters[2]);
    assert_int_equal(l.queue.count, 1);
    assert_int_equal(pop(&l, 1), 1);
    assert_int_equal(pop(&l, 1), -1);
    weir__overload_queue_fini(&l.queue);
}

TEST(overload_queue, without_room_nobody_waits)
{
    line_up l;
    open_queue(&l, 0);
    assert_null(l.queue.lines);
    assert_int_equal(push(&l, 3, 1, 0), 3);
    assert_int_equal(pop(&l, 0), -1);
    weir__overload_queue_fini(&l.queue);
}
