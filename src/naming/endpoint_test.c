#include <weir/naming/endpoint.h>

#include <stdio.h>

#include "test.h"

static weir_endpoints *list_of(const char *const *addresses, size_t count)
{
    weir_endpoints *list;
    assert_ok(weir_endpoints_new(&list));
    for (size_t i = 0; i < count; i++)
        assert_ok(weir_endpoints_add(
            list, &(weir_endpoint){.address = weir_str_from(addresses[i]), .weight = (unsigned)i}));
    return list;
}

TEST(endpoints, keep_their_order_and_copies_of_their_texts)
{
    char address[] = "a:1";
    weir_endpoints *list;
    assert_ok(weir_endpoints_new(&list));
    assert_ok(weir_endpoints_add(list, &(weir_endpoint){.address = weir_str_from(address),
                                                        .zone = WEIR_STR("north"),
                                                        .metadata = WEIR_STR("{}")}));
    assert_ok(weir_endpoints_add(list, &(weir_endpoint){.address = WEIR_STR("b:2"), .weight = 7}));
    memset(address, 'x', sizeof address - 1);
    assert_int_equal(weir_endpoints_count(list), 2);
    assert_string_equal(weir_endpoints_at(list, 0)->address.ptr, "a:1");
    assert_string_equal(weir_endpoints_at(list, 0)->zone.ptr, "north");
    assert_string_equal(weir_endpoints_at(list, 0)->metadata.ptr, "{}");
    assert_int_equal(weir_endpoints_at(list, 0)->weight, 1);
    assert_string_equal(weir_endpoints_at(list, 1)->zone.ptr, "");
    assert_int_equal(weir_endpoints_at(list, 1)->weight, 7);
    weir_endpoints_unref(list);
}

TEST(endpoints, an_address_that_comes_twice_keeps_its_first_place)
{
    const char *const addresses[] = {"a:1", "b:2", "a:1"};
    weir_endpoints *list = list_of(addresses, 3);
    assert_int_equal(weir_endpoints_count(list), 2);
    assert_int_equal(weir_endpoints_at(list, 0)->weight, 1);
    weir_endpoints_unref(list);
}

TEST(endpoints, refuse_what_is_no_address)
{
    char longest[WEIR_ENDPOINT_ADDRESS_MAX + 2];
    const char *const bad[] = {"", "a b:1", "a:1\n", "a\x7f:1", longest};
    weir_endpoints *list = list_of(NULL, 0);
    memset(longest, 'a', sizeof longest);
    longest[WEIR_ENDPOINT_ADDRESS_MAX + 1] = '\0';
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(weir_endpoints_add(list, &(weir_endpoint){.address = weir_str_from(bad[i])}),
                   WEIR_EINVAL);
    assert_int_equal(weir_endpoints_count(list), 0);
    weir_endpoints_unref(list);
}

TEST(endpoints, are_bounded)
{
    weir_endpoints *list = list_of(NULL, 0);
    char text[32];
    for (int i = 0; i < WEIR_ENDPOINTS_MAX; i++) {
        snprintf(text, sizeof text, "host-%d:1", i);
        assert_ok(weir_endpoints_add(list, &(weir_endpoint){.address = weir_str_from(text)}));
    }
    assert_err(weir_endpoints_add(list, &(weir_endpoint){.address = WEIR_STR("one:1")}),
               WEIR_EFULL);
    assert_ok(weir_endpoints_add(list, &(weir_endpoint){.address = WEIR_STR("host-5:1")}));
    assert_int_equal(weir_endpoints_count(list), WEIR_ENDPOINTS_MAX);
    weir_endpoints_unref(list);
}

TEST(endpoints, are_equal_with_the_same_places_in_the_same_order)
{
    const char *const one[] = {"a:1", "b:2"}, *const other[] = {"b:2", "a:1"};
    weir_endpoints *a = list_of(one, 2), *b = list_of(one, 2), *c = list_of(other, 2),
                   *d = list_of(one, 1);
    assert_true(weir_endpoints_equal(a, b));
    assert_false(weir_endpoints_equal(a, c));
    assert_false(weir_endpoints_equal(a, d));
    assert_ptr_equal(weir_endpoints_ref(a), a);
    weir_endpoints_unref(a);
    weir_endpoints_unref(a);
    weir_endpoints_unref(b);
    weir_endpoints_unref(c);
    weir_endpoints_unref(d);
}
