#include "test.h"

#include <stdint.h>
#include <string.h>
#include <weir/base/pool.h>

static weir_pool_stats stats_of(const weir_pool *pool)
{
    weir_pool_stats stats;
    weir_pool_get_stats(pool, &stats);
    return stats;
}

TEST(pool, sizes_are_rounded_to_a_seventeenth)
{
    assert_int_equal(weir_pool_round(0), 64);
    assert_int_equal(weir_pool_round(64), 64);
    assert_int_equal(weir_pool_round(65), 80);
    assert_int_equal(weir_pool_round(128), 128);
    assert_int_equal(weir_pool_round(129), 144);
    assert_int_equal(weir_pool_round(16384), 16384);
    assert_int_equal(weir_pool_round(16385), 17408);
    for (size_t size = 1; size <= 65536; size++) {
        size_t rounded = weir_pool_round(size);
        assert_true(rounded >= size &&
                    rounded <= (size < 64 ? 64 : size + (size < 256 ? 15 : size / 16)));
        assert_int_equal(weir_pool_round(rounded), rounded);
    }
    assert_int_equal(weir_pool_round(65536), 65536);
    assert_int_equal(weir_pool_round(65537), 65537);
}

TEST(pool, blocks_are_aligned_whole_and_counted)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, NULL));
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        void *block = weir_pool_get(pool, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        memset(block, 0xA5, weir_pool_round(size));
        assert_int_equal(stats_of(pool).used_bytes, weir_pool_round(size));
        weir_pool_put(pool, block, size);
        assert_int_equal(stats_of(pool).used_bytes, 0);
    }
    weir_pool_free(pool);
}

TEST(pool, the_last_block_put_back_is_the_next_one_handed_out)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, NULL));
    void *a = weir_pool_get(pool, 120), *b = weir_pool_get(pool, 128);
    weir_pool_put(pool, a, 120);
    weir_pool_put(pool, b, 128);
    assert_int_equal(stats_of(pool).kept_bytes, WEIR_ASAN ? 0 : 256);
    void *first = weir_pool_get(pool, 113), *second = weir_pool_get(pool, 126);
    assert_true(WEIR_ASAN || (first == b && second == a));
    weir_pool_put(pool, first, 113);
    weir_pool_put(pool, second, 126);
    weir_pool_free(pool);
}

TEST(pool, no_more_is_kept_than_was_allowed)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, &(weir_pool_opts){.keep_bytes = 4096}));
    void *blocks[8];
    for (int i = 0; i < 8; i++)
        blocks[i] = weir_pool_get(pool, 1024);
    for (int i = 0; i < 8; i++)
        weir_pool_put(pool, blocks[i], 1024);
    assert_int_equal(stats_of(pool).kept_bytes, WEIR_ASAN ? 0 : 4096);
    weir_pool_free(pool);
}

TEST(pool, at_the_limit_a_request_is_refused_and_counted)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, &(weir_pool_opts){.limit_bytes = 3000}));
    void *a = weir_pool_get(pool, 1024), *b = weir_pool_get(pool, 1024);
    assert_null(weir_pool_get(pool, 1024));
    assert_null(weir_pool_get(pool, SIZE_MAX));
    assert_int_equal(stats_of(pool).refused, 2);
    weir_pool_put(pool, a, 1024);
    a = weir_pool_get(pool, 1000);
    assert_non_null(a);
    weir_pool_put(pool, a, 1000);
    weir_pool_put(pool, b, 1024);
    weir_pool_free(pool);
}

TEST(pool, kept_blocks_make_way_for_another_size_at_the_limit)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, &(weir_pool_opts){.limit_bytes = 4096}));
    void *blocks[4];
    for (int i = 0; i < 4; i++)
        blocks[i] = weir_pool_get(pool, 1024);
    for (int i = 0; i < 4; i++)
        weir_pool_put(pool, blocks[i], 1024);
    void *big = weir_pool_get(pool, 4096);
    assert_non_null(big);
    assert_int_equal(stats_of(pool).kept_bytes, 0);
    weir_pool_put(pool, big, 4096);
    weir_pool_free(pool);
}

TEST(pool, without_a_pool_it_is_malloc)
{
    void *block = weir_pool_get(NULL, 100);
    assert_non_null(block);
    memset(block, 1, weir_pool_round(100));
    weir_pool_put(NULL, block, 100);
    weir_pool_free(NULL);
}
