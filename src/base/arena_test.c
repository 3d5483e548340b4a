#include "test.h"

#include <string.h>
#include <weir/base/arena.h>

TEST(arena, allocations_are_aligned_and_do_not_overlap)
{
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    unsigned char *blocks[500];
    for (size_t i = 0; i < 500; i++) {
        size_t align = (size_t)1 << i % 5;
        blocks[i] = weir_arena_alloc_aligned(&arena, i, align);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % align, 0);
        memset(blocks[i], (int)(i & 0xFF), i);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(blocks[i][j], i & 0xFF);
    weir_arena_fini(&arena);
}

TEST(arena, a_zeroed_arena_and_an_empty_request_are_fine)
{
    weir_arena arena = {0};
    weir_arena_fini(&arena);
    weir_arena_init(&arena, NULL, 0);
    assert_non_null(weir_arena_alloc(&arena, 0));
    weir_arena_fini(&arena);
}

TEST(arena, a_large_request_does_not_waste_the_current_block)
{
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    char *a = weir_arena_alloc(&arena, 16);
    char *large = weir_arena_alloc(&arena, 100000);
    memset(large, 1, 100000);
    char *b = weir_arena_alloc(&arena, 16);
    assert_ptr_equal(b, a + 16);
    weir_arena_fini(&arena);
}

TEST(arena, the_limit_holds)
{
    weir_arena arena;
    weir_arena_init(&arena, NULL, 10000);
    size_t got = 0;
    while (weir_arena_alloc(&arena, 100))
        got += 100;
    assert_in_range(got, 3000, 10000);
    assert_true(arena.used_bytes <= 10000);
    assert_null(weir_arena_alloc(&arena, SIZE_MAX));
    assert_null(weir_arena_alloc(&arena, SIZE_MAX - 64));
    weir_arena_fini(&arena);
}

TEST(arena, a_pool_at_its_limit_ends_the_arena_not_the_program)
{
    weir_pool *pool;
    assert_ok(weir_pool_new(&pool, &(weir_pool_opts){.limit_bytes = 1024}));
    weir_arena arena;
    weir_arena_init(&arena, pool, 0);
    assert_non_null(weir_arena_alloc(&arena, 900));
    assert_null(weir_arena_alloc(&arena, 900));
    assert_null(weir_arena_copy(&arena, weir_str_of("x", SIZE_MAX)).ptr);
    weir_arena_fini(&arena);
    weir_pool_free(pool);
}

TEST(arena, reset_keeps_the_first_block_only)
{
    weir_pool *pool;
    weir_pool_stats stats;
    assert_ok(weir_pool_new(&pool, NULL));
    weir_arena arena;
    weir_arena_init(&arena, pool, 0);
    char *first = weir_arena_alloc(&arena, 100);
    for (int i = 0; i < 100; i++)
        assert_non_null(weir_arena_alloc(&arena, 1000));
    weir_arena_reset(&arena);
    weir_pool_get_stats(pool, &stats);
    assert_int_equal(stats.used_bytes, 1024);
    assert_ptr_equal(weir_arena_alloc(&arena, 100), first);
    weir_arena_fini(&arena);
    weir_pool_free(pool);
}

TEST(arena, a_huge_first_block_is_not_kept)
{
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    assert_non_null(weir_arena_alloc(&arena, 1 << 20));
    weir_arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_non_null(weir_arena_alloc(&arena, 8));
    weir_arena_fini(&arena);
}

TEST(arena, text_is_formatted_and_terminated)
{
    weir_arena *arena = weir_arena_new();
    assert_non_null(arena);
    for (int i = 0; i < 200; i++) {
        weir_str s = weir_arena_printf(arena, "%0*d", i + 1, 7);
        assert_int_equal(s.len, i + 1);
        assert_int_equal(strlen(s.ptr), i + 1);
        assert_int_equal(s.ptr[i], '7');
    }
    weir_str copy = weir_arena_copy(arena, WEIR_STR("a\0b"));
    assert_str(copy, "a\0b");
    assert_int_equal(copy.ptr[3], '\0');
    assert_non_null(weir_arena_copy(arena, weir_str_of(NULL, 0)).ptr);
    weir_arena_free(arena);
    weir_arena_free(NULL);
}

TEST(arena, cleared_memory_is_cleared)
{
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    memset(weir_arena_alloc(&arena, 500), 0xFF, 500);
    weir_arena_reset(&arena);
    const char *p = weir_arena_zalloc(&arena, 500);
    for (int i = 0; i < 500; i++)
        assert_int_equal(p[i], 0);
    weir_arena_fini(&arena);
}

TEST(arena, lent_memory_comes_first_and_is_not_counted)
{
    _Alignas(16) char lent[64];
    weir_arena arena;
    weir_arena_init(&arena, NULL, 0);
    weir_arena_lend(&arena, lent, sizeof lent);
    assert_ptr_equal(weir_arena_alloc(&arena, 40), lent);
    assert_ptr_equal(weir_arena_alloc(&arena, 24), lent + 40);
    assert_int_equal(arena.used_bytes, 0);
    char *more = weir_arena_alloc(&arena, 8);
    assert_true(more && (more < lent || more >= lent + sizeof lent));
    assert_true(arena.used_bytes > 0);
    weir_arena_fini(&arena);
}
