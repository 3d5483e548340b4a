#include "addr_counts.h"

#include "net_test.h"

#include <stdio.h>

static weir_addr host(unsigned number, unsigned port)
{
    char text[WEIR_ADDR_TEXT_MAX];
    snprintf(text, sizeof text, "10.%u.%u.%u:%u", number >> 16 & 255, number >> 8 & 255,
             number & 255, port);
    return address(text);
}

TEST(addr_counts, an_address_has_at_most_so_many_whatever_the_port)
{
    weir__addr_counts counts;
    weir_addr one = host(1, 1000), two = host(1, 2000), other = host(2, 1000);
    weir__addr_counts_init(&counts);
    assert_ok(weir__addr_counts_add(&counts, &one, 2));
    assert_ok(weir__addr_counts_add(&counts, &two, 2));
    assert_err(weir__addr_counts_add(&counts, &one, 2), WEIR_EFULL);
    assert_ok(weir__addr_counts_add(&counts, &other, 2));
    weir__addr_counts_remove(&counts, &two);
    assert_ok(weir__addr_counts_add(&counts, &one, 2));
    assert_err(weir__addr_counts_add(&counts, &two, 2), WEIR_EFULL);
    weir__addr_counts_fini(&counts);
}

TEST(addr_counts, unix_sockets_are_not_counted_and_families_are_kept_apart)
{
    weir__addr_counts counts;
    weir_addr local = address("unix:@x"), four = address("127.0.0.1:1"), six = address("[::1]:1");
    weir__addr_counts_init(&counts);
    weir__addr_counts_remove(&counts, &four);
    for (int i = 0; i < 3; i++)
        assert_ok(weir__addr_counts_add(&counts, &local, 1));
    assert_ok(weir__addr_counts_add(&counts, &four, 1));
    assert_ok(weir__addr_counts_add(&counts, &six, 1));
    assert_err(weir__addr_counts_add(&counts, &six, 1), WEIR_EFULL);
    weir__addr_counts_fini(&counts);
}

/** Against a plain array, with many collisions and removals in between. */
TEST(addr_counts, any_order_of_adding_and_removing_counts_right)
{
    enum {
        HOSTS = 500,
        STEPS = 20000,
        MAX = 3
    };
    static unsigned model[HOSTS];
    weir__addr_counts counts;
    unsigned random = 1;
    weir__addr_counts_init(&counts);
    for (int i = 0; i < STEPS; i++) {
        random = random * 1103515245 + 12345;
        unsigned at = (random >> 8) % HOSTS;
        weir_addr addr = host(at, (unsigned)i % 60000 + 1);
        if (random >> 30 == 0 && model[at] > 0) {
            weir__addr_counts_remove(&counts, &addr);
            model[at]--;
        } else {
            weir_err expected = model[at] < MAX ? WEIR_OK : WEIR_EFULL;
            assert_err(weir__addr_counts_add(&counts, &addr, MAX), expected);
            model[at] += !expected;
        }
    }
    size_t taken = 0;
    for (int i = 0; i < HOSTS; i++)
        taken += model[i] > 0;
    assert_int_equal(counts.taken, taken);
    weir__addr_counts_fini(&counts);
}
