#include "test.h"

#include <pthread.h>
#include <weir/base/slots.h>

static const char kind_a, kind_b;

TEST(slots, an_id_finds_its_object_until_it_is_removed)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    int object;
    uint64_t id;
    assert_ok(weir_slots_add(slots, &kind_a, &object, 7, 10, &id));
    assert_int_equal(weir_slot_loop(id), 7);
    assert_ptr_equal(weir_slots_get(slots, &kind_a, id), &object);
    assert_null(weir_slots_get(slots, &kind_b, id));
    assert_true(weir_slots_alive(slots, id));
    weir_slots_remove(slots, id);
    assert_false(weir_slots_alive(slots, id));
    assert_null(weir_slots_get(slots, &kind_a, id));
    weir_slots_remove(slots, id);
    weir_slots_free(slots);
}

TEST(slots, an_old_id_does_not_name_the_next_object_in_its_slot)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    int first, second;
    uint64_t old, new;
    assert_ok(weir_slots_add(slots, &kind_a, &first, 1, 10, &old));
    weir_slots_remove(slots, old);
    assert_ok(weir_slots_add(slots, &kind_a, &second, 1, 10, &new));
    assert_int_not_equal(old, new);
    assert_null(weir_slots_get(slots, &kind_a, old));
    assert_ptr_equal(weir_slots_get(slots, &kind_a, new), &second);
    weir_slots_free(slots);
}

TEST(slots, ids_of_an_earlier_table_name_nothing_in_the_next_one)
{
    weir_slots *slots;
    uint64_t old, new;
    assert_ok(weir_slots_new(&slots, 0));
    assert_ok(weir_slots_add(slots, &kind_a, &old, 1, 10, &old));
    weir_slots_remove(slots, old);
    uint32_t after = weir_slots_generation(slots);
    weir_slots_free(slots);

    assert_ok(weir_slots_new(&slots, after));
    assert_ok(weir_slots_add(slots, &kind_a, &new, 1, 10, &new));
    assert_null(weir_slots_get(slots, &kind_a, old));
    assert_err(weir_slots_charge(slots, old, 1), WEIR_ECLOSED);
    weir_slots_free(slots);
}

TEST(slots, zero_and_nonsense_name_nothing)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    assert_null(weir_slots_get(slots, &kind_a, 0));
    assert_null(weir_slots_get(slots, &kind_a, UINT64_MAX));
    assert_err(weir_slots_charge(slots, 0, 1), WEIR_ECLOSED);
    assert_err(weir_slots_charge(slots, UINT64_MAX, 1), WEIR_ECLOSED);
    assert_int_equal(weir_slots_discharge(slots, UINT64_MAX, 1), 0);
    weir_slots_free(slots);
}

TEST(slots, a_charge_over_the_limit_is_told_to_wait_and_noted)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    uint64_t id;
    assert_ok(weir_slots_add(slots, &kind_a, &id, 1, 10, &id));
    assert_ok(weir_slots_charge(slots, id, 9));
    assert_false(weir_slots_unblock(slots, id));
    assert_ok(weir_slots_charge(slots, id, 100));
    assert_err(weir_slots_charge(slots, id, 1), WEIR_EAGAIN);
    assert_int_equal(weir_slots_discharge(slots, id, 100), 9);
    assert_true(weir_slots_unblock(slots, id));
    assert_false(weir_slots_unblock(slots, id));
    weir_slots_remove(slots, id);
    assert_err(weir_slots_charge(slots, id, 1), WEIR_ECLOSED);
    weir_slots_free(slots);
}

TEST(slots, a_full_table_says_so_and_recovers)
{
    enum {
        MANY = 1 << 20
    };
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    uint64_t id = 0;
    for (int i = 0; i < MANY; i++)
        assert_ok(weir_slots_add(slots, &kind_a, slots, 1, 10, &id));
    assert_err(weir_slots_add(slots, &kind_a, slots, 1, 10, &id), WEIR_EFULL);
    weir_slots_remove(slots, id);
    assert_ok(weir_slots_add(slots, &kind_a, slots, 1, 10, &id));
    weir_slots_free(slots);
}

enum {
    THREADS = 4,
    ROUNDS = 20000
};

static void *add_and_remove(void *table)
{
    weir_slots *slots = table;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t a = 0, b = 0;
        int x, y;
        bool ok = !weir_slots_add(slots, &kind_a, &x, 1, 10, &a) &&
                  !weir_slots_add(slots, &kind_b, &y, 1, 10, &b) &&
                  weir_slots_get(slots, &kind_a, a) == &x &&
                  weir_slots_get(slots, &kind_b, b) == &y && !weir_slots_charge(slots, a, 5) &&
                  weir_slots_discharge(slots, a, 5) == 0;
        weir_slots_remove(slots, a);
        weir_slots_remove(slots, b);
        if (!ok)
            return table;
    }
    return NULL;
}

TEST(slots, many_threads_take_and_give_back_slots_at_once)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_remove, slots), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    weir_slots_free(slots);
}

TEST(slots, marks_are_set_once_and_go_with_their_object)
{
    weir_slots *slots;
    assert_ok(weir_slots_new(&slots, 0));
    int object;
    uint64_t id, next;
    assert_ok(weir_slots_add(slots, &kind_a, &object, 1, 10, &id));
    assert_ok(weir_slots_mark(slots, id, 0, ~0U));
    assert_ok(weir_slots_mark(slots, id, 1 | 2, 1));
    assert_err(weir_slots_mark(slots, id, 4, 2), WEIR_ESTATE);
    assert_ok(weir_slots_mark(slots, id, 0, 4));
    assert_ok(weir_slots_charge(slots, id, 3));
    weir_slots_remove(slots, id);
    assert_err(weir_slots_mark(slots, id, 0, 1), WEIR_ECLOSED);
    assert_ok(weir_slots_add(slots, &kind_a, &object, 1, 10, &next));
    assert_err(weir_slots_mark(slots, id, 8, 0), WEIR_ECLOSED);
    assert_ok(weir_slots_mark(slots, next, 0, ~0U));
    assert_err(weir_slots_mark(slots, 0, 0, 0), WEIR_ECLOSED);
    weir_slots_free(slots);
}
