#include "wrap.h"

#include <locale.h>

#include "test.h"

static void expect_clean(const char *from, const char *expected)
{
    char out[64];
    size_t len = text_clean(out, sizeof out, weir_str_from(from));
    assert_string_equal(out, expected);
    assert_int_equal(len, strlen(expected));
}

TEST(wrap, controls_of_others_are_replaced)
{
    expect_clean("plain \xe4\xbd\xa0", "plain \xe4\xbd\xa0");
    expect_clean("a\x1b[2Jb", "a\xef\xbf\xbd[2Jb");
    expect_clean("a\nb\tc\r", "a b c ");
    expect_clean("\xc2\x9b"
                 "31m",
                 "\xef\xbf\xbd"
                 "31m");
    expect_clean("\xe2\x80\xaetxt", "\xef\xbf\xbdtxt");
    expect_clean("\xe2\x81\xa6x", "\xef\xbf\xbdx");
    expect_clean("\x7f\x01", "\xef\xbf\xbd\xef\xbf\xbd");
    expect_clean("\xff\xe4\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(wrap, a_clean_text_is_cut_between_characters)
{
    char out[6];
    assert_int_equal(text_clean(out, sizeof out, WEIR_STR("\xe4\xbd\xa0\xe5\xa5\xbd")), 3);
    assert_string_equal(out, "\xe4\xbd\xa0");
}

static void expect_rows(const char *from, unsigned columns, const char *expected)
{
    char rows[256] = "";
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    for (weir_str rest = weir_str_from(from); rest.len > 0;) {
        weir_str row = text_row(&rest, columns);
        assert_true(row.len > 0);
        strncat(rows, row.ptr, row.len);
        strcat(rows, "|");
    }
    assert_string_equal(rows, expected);
}

TEST(wrap, rows_end_between_words)
{
    expect_rows("one two three", 8, "one two|three|");
    expect_rows("one two three", 7, "one two|three|");
    expect_rows("one two", 80, "one two|");
    expect_rows("abcdefghij", 4, "abcd|efgh|ij|");
    expect_rows("a abcdefgh", 4, "a|abcd|efgh|");
}

TEST(wrap, chinese_is_two_columns_and_ends_anywhere)
{
    expect_rows("\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c", 5,
                "\xe4\xbd\xa0\xe5\xa5\xbd|\xe4\xb8\x96\xe7\x95\x8c|");
    assert_int_equal(text_width(WEIR_STR("a\xe4\xbd\xa0")), 3);
    expect_rows("\xe4\xbd\xa0", 1, "\xe4\xbd\xa0|");
    /* A combining accent stays with its letter. */
    expect_rows("ab"
                "e\xcc\x81"
                "cd",
                3, "abe\xcc\x81|cd|");
}
