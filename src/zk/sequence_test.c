#include "sequence.h"

#include "test.h"

#include <string.h>

#define A "aaaaaaaaaaaaaaaa-"
#define B "bbbbbbbbbbbbbbbb-"
#define C "cccccccccccccccc-"

TEST(sequence, is_read_from_names_of_its_form_only)
{
    static const char *const wrong[] = {"",
                                        "lock-0000000001",
                                        A,
                                        A "-",
                                        A "00000x0001",
                                        A "99999999999",
                                        "aaaaaaaaaaaaaaaa_0000000001",
                                        A "00000000000000000000000000000001"};
    int32_t sequence = 0;
    assert_true(weir__zk_sequence_of(A "0000000012", &sequence));
    assert_int_equal(sequence, 12);
    assert_true(weir__zk_sequence_of(A "-2147483648", &sequence));
    assert_int_equal(sequence, INT32_MIN);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(weir__zk_sequence_of(wrong[i], &sequence));
}

TEST(sequence, goes_on_after_the_largest_number)
{
    assert_true(weir__zk_sequence_before(1, 2));
    assert_false(weir__zk_sequence_before(2, 2));
    assert_false(weir__zk_sequence_before(3, 2));
    assert_true(weir__zk_sequence_before(INT32_MAX, INT32_MIN));
    assert_false(weir__zk_sequence_before(INT32_MIN, INT32_MAX));
}

TEST(sequence, ids_differ)
{
    char a[WEIR__ZK_ID_LEN + 1], b[WEIR__ZK_ID_LEN + 1];
    weir__zk_id_make(a);
    weir__zk_id_make(b);
    assert_int_equal(strspn(a, "0123456789abcdef"), WEIR__ZK_ID_LEN);
    assert_string_not_equal(a, b);
}

static weir__zk_standing stand(const char *id)
{
    static const char *const names[] = {C "0000000009", "somebody-elses", A "0000000007",
                                        C "0000000011", B "0000000008",   A "0000000012"};
    return weir__zk_standing_of(names, sizeof names / sizeof *names, id);
}

TEST(standing, is_that_of_the_first_node_with_the_id)
{
    weir__zk_standing s = stand("cccccccccccccccc");
    assert_string_equal(s.mine, C "0000000009");
    assert_string_equal(s.previous, B "0000000008");
    assert_string_equal(s.first, A "0000000007");
}

TEST(standing, of_the_first_has_nobody_before_it)
{
    weir__zk_standing s = stand("aaaaaaaaaaaaaaaa");
    assert_string_equal(s.mine, A "0000000007");
    assert_ptr_equal(s.mine, s.first);
    assert_null(s.previous);
}

TEST(standing, of_nobody_is_none)
{
    weir__zk_standing s = stand("dddddddddddddddd");
    assert_null(s.mine);
    assert_null(s.previous);
    assert_string_equal(s.first, A "0000000007");
    s = weir__zk_standing_of(NULL, 0, "dddddddddddddddd");
    assert_null(s.first);
}
