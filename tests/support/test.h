/**
 * @file
 * Test cases on cmocka that register themselves:
 *
 *     TEST(buf, a_moved_block_is_not_copied)
 *     {
 *         assert_int_equal(weir_buf_len(&b), 3);
 *     }
 *
 * Each case runs in a process of its own with a time limit, so that a crash or a hang ends one case
 * and leaks are counted per case. `NAME_test PATTERN` runs the cases whose "group.name" matches.
 */
#ifndef WEIR_TEST_H
#define WEIR_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/base/err.h>
#include <weir/base/str.h>

/* Behind the headers that it needs and does not include. */
#include <cmocka.h>

struct weir_test_case {
    const char *name;
    void (*run)(void **state);
    struct weir_test_case *next;
};

void weir_test_register(struct weir_test_case *test);

#define TEST(group, name)                                                                          \
    static void test_##group##_##name(void **state);                                               \
    static struct weir_test_case case_##group##_##name = {#group "." #name, test_##group##_##name, \
                                                          NULL};                                   \
    __attribute__((constructor)) static void register_##group##_##name(void)                       \
    {                                                                                              \
        weir_test_register(&case_##group##_##name);                                                \
    }                                                                                              \
    static void test_##group##_##name(void **state WEIR_UNUSED)

/** Fails with both error names. */
#define assert_err(actual, expected)                                                               \
    assert_string_equal(weir_err_name(actual), weir_err_name(expected))
#define assert_ok(actual) assert_err(actual, WEIR_OK)
/** A view's bytes are those of the literal. */
#define assert_str(view, literal)                                                                  \
    do {                                                                                           \
        const weir_str assert_view = (view);                                                       \
        assert_int_equal(assert_view.len, sizeof(literal) - 1);                                    \
        if (sizeof(literal) > 1)                                                                   \
            assert_memory_equal(assert_view.ptr, literal, sizeof(literal) - 1);                    \
    } while (0)

#endif
