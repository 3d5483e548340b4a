#include "text.h"

#include "test.h"

static weir_arena arena;

static weir_str decoded(weir_str text)
{
    weir_str out = {NULL, 0};
    assert_ok(weir__base64_decode(&arena, text, &out));
    return out;
}

TEST(text, percent_encoding_escapes_what_a_header_cannot_hold)
{
    assert_str(weir__percent_encode(&arena, WEIR_STR("plain text")), "plain text");
    assert_str(weir__percent_encode(&arena, WEIR_STR("\t50% \xe2\x98\xba")), "%0950%25 %E2%98%BA");
    weir_arena_fini(&arena);
}

TEST(text, percent_decoding_keeps_what_is_not_an_escape)
{
    assert_str(weir__percent_decode(&arena, WEIR_STR("%09%e2%98%Ba")), "\t\xe2\x98\xba");
    assert_str(weir__percent_decode(&arena, WEIR_STR("100% %4 %zz %")), "100% %4 %zz %");
    weir_arena_fini(&arena);
}

TEST(text, base64_goes_there_and_back_for_every_length)
{
    char bytes[40];
    for (size_t len = 0; len < sizeof bytes; len++) {
        bytes[len] = (char)(len * 37 + 200);
        weir_str text = weir__base64_encode(&arena, weir_str_of(bytes, len));
        assert_int_equal(text.len, (len * 8 + 5) / 6);
        assert_true(weir_str_eq(decoded(text), weir_str_of(bytes, len)));
    }
    weir_arena_fini(&arena);
}

TEST(text, base64_takes_padding_or_none)
{
    assert_str(decoded(WEIR_STR("YQ==")), "a");
    assert_str(decoded(WEIR_STR("YQ")), "a");
    assert_str(decoded(WEIR_STR("YWI=")), "ab");
    assert_str(decoded(WEIR_STR("")), "");
    weir_str out;
    assert_err(weir__base64_decode(&arena, WEIR_STR("Y"), &out), WEIR_EMALFORMED);
    assert_err(weir__base64_decode(&arena, WEIR_STR("Y*=="), &out), WEIR_EMALFORMED);
    assert_err(weir__base64_decode(&arena, WEIR_STR("===="), &out), WEIR_EMALFORMED);
    weir_arena_fini(&arena);
}

TEST(text, timeouts_have_eight_digits_and_are_never_short)
{
    static const int64_t lengths[] = {
        0, 1, 99999999, 100000000, 123456789, 99999999999, INT64_C(100000000001), INT64_MAX / 2};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char text[WEIR__TIMEOUT_TEXT_MAX];
        weir_str s = weir__timeout_format(text, lengths[i]);
        assert_true(s.len <= 9);
        int64_t back = -1;
        assert_ok(weir__timeout_parse(s, &back));
        if (lengths[i] < INT64_C(360000000000000000))
            assert_true(back >= lengths[i]);
    }
}

TEST(text, timeouts_of_every_unit_are_read)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0n", 0},
                {"1n", 1},
                {"1001n", 2},
                {"7u", 7},
                {"7m", 7000},
                {"7S", 7000000},
                {"7M", 420000000},
                {"2H", INT64_C(7200000000)},
                {"99999999H", INT64_C(359999996400000000)}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t us = -1;
        assert_ok(weir__timeout_parse(weir_str_from(good[i].text), &us));
        assert_int_equal(us, good[i].us);
    }
    static const char *const bad[] = {"", "S", "1", "1x", "-1S", "123456789S", "1 S"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us;
        assert_err(weir__timeout_parse(weir_str_from(bad[i]), &us), WEIR_EMALFORMED);
    }
}
