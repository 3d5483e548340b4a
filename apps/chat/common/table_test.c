#include "table.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct item {
    table_node node;
    char name[16];
} item;

static item *items_in(table *t, unsigned count)
{
    item *items = calloc(count, sizeof *items);
    assert_non_null(items);
    for (unsigned i = 0; i < count; i++) {
        snprintf(items[i].name, sizeof items[i].name, "name:%u", i);
        table_add(t, &items[i].node, weir_str_from(items[i].name));
    }
    return items;
}

TEST(table, what_is_in_it_is_found_while_it_grows)
{
    table t;
    assert_ok(table_init(&t));
    item *items = items_in(&t, 10000);
    assert_int_equal(t.count, 10000);
    for (unsigned i = 0; i < 10000; i++)
        assert_ptr_equal(table_find(&t, weir_str_from(items[i].name)), &items[i].node);
    assert_null(table_find(&t, WEIR_STR("name:10000")));
    assert_true(t.mask >= 5000); /* chains stay short */
    table_fini(&t);
    free(items);
}

TEST(table, what_was_removed_is_gone_and_the_rest_is_not)
{
    table t;
    assert_ok(table_init(&t));
    item *items = items_in(&t, 1000);
    for (unsigned i = 0; i < 1000; i += 2)
        table_remove(&t, &items[i].node);
    assert_int_equal(t.count, 500);
    for (unsigned i = 0; i < 1000; i++)
        assert_ptr_equal(table_find(&t, weir_str_from(items[i].name)),
                         i % 2 ? &items[i].node : NULL);
    table_fini(&t);
    free(items);
}

TEST(table, a_key_may_be_any_bytes)
{
    table t;
    item a = {0}, b = {0};
    assert_ok(table_init(&t));
    table_add(&t, &a.node, weir_str_of("\0\1", 2));
    table_add(&t, &b.node, weir_str_of("", 0));
    assert_ptr_equal(table_find(&t, weir_str_of("\0\1", 2)), &a.node);
    assert_ptr_equal(table_find(&t, weir_str_of(NULL, 0)), &b.node);
    assert_null(table_find(&t, weir_str_of("\0", 1)));
    table_fini(&t);
}
