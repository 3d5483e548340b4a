#include <weir/base/random.h>

#include "test.h"

/* The first numbers of splitmix64 from 0, as published with it. */
TEST(random, is_splitmix64)
{
    static const uint64_t first[] = {UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                     UINT64_C(0x06c45d188009454f)};
    uint64_t random = 0;
    for (int i = 0; i < 3; i++)
        assert_true(weir_random_next(&random) == first[i]);
}

TEST(random, numbers_below_a_limit_are_even)
{
    static const uint32_t limits[] = {1, 2, 3, 10, UINT32_MAX};
    uint64_t random = 1;
    for (int i = 0; i < 5; i++)
        for (int n = 0; n < 1000; n++)
            assert_true(weir_random_below(&random, limits[i]) < limits[i]);
    unsigned hits[10] = {0};
    for (int n = 0; n < 100000; n++)
        hits[weir_random_below(&random, 10)]++;
    for (int i = 0; i < 10; i++)
        assert_in_range(hits[i], 9600, 10400); /* 10000 +- 4 standard deviations */
}
