#include "test.h"

#include <stdlib.h>
#include <weir/base/str.h>

TEST(str, order_is_bytewise_and_shorter_first)
{
    assert_int_equal(weir_str_cmp(WEIR_STR("abc"), WEIR_STR("abc")), 0);
    assert_true(weir_str_cmp(WEIR_STR("abc"), WEIR_STR("abd")) < 0);
    assert_true(weir_str_cmp(WEIR_STR("ab"), WEIR_STR("abc")) < 0);
    assert_true(weir_str_cmp(WEIR_STR("\xff"), WEIR_STR("a")) > 0);
    assert_int_equal(weir_str_cmp(weir_str_of(NULL, 0), WEIR_STR("")), 0);
}

TEST(str, views_compare_with_their_parts)
{
    weir_str s = WEIR_STR("a\0bc");
    assert_int_equal(s.len, 4);
    assert_true(weir_str_starts(s, WEIR_STR("a\0b")));
    assert_true(weir_str_ends(s, WEIR_STR("c")));
    assert_true(weir_str_ends(s, weir_str_of(NULL, 0)));
    assert_false(weir_str_eq(s, weir_str_from("a")));
    assert_true(weir_str_eq(weir_str_from(NULL), WEIR_STR("")));
}

TEST(str, utf8_takes_the_first_and_last_of_every_length)
{
    static const char *const good[] = {
        "",
        "plain text",
        "\x7f",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "gr\xc3\xbc\xc3\x9f \xe4\xbd\xa0\xe5\xa5\xbd",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(weir_str_is_utf8(weir_str_from(good[i])));
    assert_true(weir_str_is_utf8(weir_str_of(NULL, 0)));
    assert_true(weir_str_is_utf8(WEIR_STR("a\0b")));
}

TEST(str, utf8_refuses_what_rfc_3629_refuses)
{
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xc0\x80",         /* overlong */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* surrogate */
        "\xed\xbf\xbf",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",         /* cut */
        "\xe4\xbd",     /* cut */
        "\xf0\x90\x80", /* cut */
        "\xe4(\xa0",
        "\xf0\x90(\x80",
        "\xf0\x90\x80(",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(weir_str_is_utf8(weir_str_from(bad[i])));
}

/** Decodes one character the slow way. @return its length, 0: ill-formed */
static size_t decode_slowly(const unsigned char *p, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = p[0] < 0x80       ? 1
                 : p[0] >> 5 == 6  ? 2
                 : p[0] >> 4 == 14 ? 3
                 : p[0] >> 3 == 30 ? 4
                                   : 0;
    if (len < 2)
        return len;
    uint32_t value = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (i >= left || p[i] >> 6 != 2)
            return 0;
        value = value << 6 | (p[i] & 0x3F);
    }
    return value < smallest[len] || value > 0x10FFFF || value >> 11 == 27 ? 0 : len;
}

static bool is_utf8_slowly(const unsigned char *p, size_t len)
{
    while (len > 0) {
        size_t step = decode_slowly(p, len);
        if (step == 0)
            return false;
        p += step;
        len -= step;
    }
    return true;
}

TEST(str, utf8_agrees_with_a_plain_decoder_at_every_offset)
{
    unsigned char text[40];
    srand(20260131);
    for (int round = 0; round < 200000; round++) {
        size_t len = (size_t)rand() % sizeof text;
        for (size_t i = 0; i < len; i++) {
            /* Bytes that make boundary cases likely. */
            static const unsigned char bytes[] =
                "ab\x80\x8f\x90\x9f\xa0\xbf\xc2\xdf\xe0\xe1\xed\xef\xf0\xf4";
            text[i] = bytes[(size_t)rand() % (round % 2 ? 16 : 2)];
        }
        if (len > 4 && round % 2 == 0)
            text[(size_t)rand() % len] = (unsigned char)rand();
        assert_int_equal(weir_str_is_utf8(weir_str_of(text, len)), is_utf8_slowly(text, len));
    }
}

TEST(str, utf8_agrees_with_a_plain_decoder_for_all_starts_of_four_bytes)
{
    for (unsigned first = 0; first < 256; first++)
        for (unsigned second = 0; second < 256; second++)
            for (unsigned rest = 0; rest < 16; rest++) {
                unsigned char p[4] = {(unsigned char)first, (unsigned char)second,
                                      (unsigned char)(rest & 1 ? 0x80 : 0x41 + (rest & 2) * 0x3F),
                                      (unsigned char)(rest & 4   ? 0xBF
                                                      : rest & 8 ? 0xC0
                                                                 : 0x20)};
                for (size_t len = 1; len <= 4; len++)
                    assert_int_equal(weir_str_is_utf8(weir_str_of(p, len)), is_utf8_slowly(p, len));
            }
}
