#include "barrier_round.h"

#include "test.h"

#define A "00000000000000aa-0000000007"
#define B "00000000000000bb-0000000003"
#define C "00000000000000cc-0000000009"
#define D "00000000000000dd-0000000011"

static const char *const names[] = {C, "somebody else's", A, D, B};

TEST(round, is_read_as_it_was_written)
{
    weir__zk_round round = {.count = 3, .members = {5, -2147483647 - 1, 2147483647}}, again;
    char text[WEIR__ZK_ROUND_TEXT];
    weir_str written = weir__zk_round_write(&round, text);
    assert_str(written, "5 -2147483648 2147483647");
    weir__zk_round_read(&again, written);
    assert_int_equal(again.count, 3);
    assert_memory_equal(again.members, round.members, 3 * sizeof *round.members);
    assert_true(weir__zk_round_has(&again, 5) && !weir__zk_round_has(&again, 6));
}

TEST(round, the_largest_one_fits)
{
    static weir__zk_round round, again;
    static char text[WEIR__ZK_ROUND_TEXT];
    round.count = WEIR_ZK_BARRIER_MAX;
    for (int i = 0; i < WEIR_ZK_BARRIER_MAX; i++)
        round.members[i] = -2147483647 - 1 + i;
    weir_str written = weir__zk_round_write(&round, text);
    weir__zk_round_read(&again, written);
    assert_int_equal(again.count, WEIR_ZK_BARRIER_MAX);
    assert_int_equal(again.members[WEIR_ZK_BARRIER_MAX - 1],
                     round.members[WEIR_ZK_BARRIER_MAX - 1]);
}

TEST(round, other_text_is_an_empty_one)
{
    static const char *const texts[] = {"",    "x",          "1 x",         "1  2", "-",
                                        "1,2", "4294967296", "99999999999", NULL};
    weir__zk_round round;
    for (size_t i = 0; texts[i]; i++) {
        weir__zk_round_read(&round, weir_str_from(texts[i]));
        assert_int_equal(round.count, 0);
    }
}

TEST(muster, tells_who_waits_and_who_is_inside)
{
    const weir__zk_round round = {.count = 2, .members = {3, 7}};
    weir__zk_muster m = weir__zk_muster_of(names, 5, &round, D);
    assert_true(m.mine);
    assert_false(m.mine_lowest);
    assert_int_equal(m.waiting, 2);
    assert_string_equal(m.previous, C);
    assert_int_equal(m.inside, 2);
    assert_string_equal(m.lowest, B);
    assert_string_equal(m.highest, A);
    m = weir__zk_muster_of(names, 5, &round, B);
    assert_true(m.mine_lowest);
    assert_int_equal(m.inside, 1);
    assert_string_equal(m.highest, A);
    m = weir__zk_muster_of(names, 5, &round, C);
    assert_null(m.previous);
    m = weir__zk_muster_of(names, 5, &round, "");
    assert_false(m.mine);
    assert_int_equal(m.inside, 2);
}

TEST(muster, the_first_ones_who_wait_make_the_next_round)
{
    const weir__zk_round nobody = {0}, first = {.count = 1, .members = {3}};
    weir__zk_round next;
    assert_true(weir__zk_round_choose(&next, 3, names, 5, &nobody));
    assert_int_equal(next.count, 3);
    assert_int_equal(next.members[0], 3);
    assert_int_equal(next.members[1], 7);
    assert_int_equal(next.members[2], 9);
    assert_true(weir__zk_round_choose(&next, 2, names, 5, &first));
    assert_int_equal(next.members[0], 7);
    assert_int_equal(next.members[1], 9);
    assert_false(weir__zk_round_choose(&next, 4, names, 5, &first));
}
