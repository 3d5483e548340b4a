#include "texts.h"

#include "test.h"

/** The conversions of a printf format, one letter each. */
static void conversions(const char *format, char out[32])
{
    size_t len = 0;
    for (const char *at = format; *at && len < 31; at++) {
        if (*at != '%')
            continue;
        at++;
        if (*at != '%')
            out[len++] = *at;
    }
    out[len] = 0;
}

TEST(texts, each_is_there_in_every_language_with_the_same_conversions)
{
    for (int id = 0; id < TEXTS; id++) {
        char english[32];
        assert_non_null(text_in(TEXT_ENGLISH, (text_id)id));
        conversions(text_in(TEXT_ENGLISH, (text_id)id), english);
        for (int language = 0; language < TEXT_LANGUAGES; language++) {
            const char *said = text_in((text_language)language, (text_id)id);
            char other[32];
            assert_non_null(said);
            assert_true(*said);
            assert_true(weir_str_is_utf8(weir_str_from(said)));
            conversions(said, other);
            assert_string_equal(other, english);
        }
    }
}

TEST(texts, the_locale_chooses)
{
    assert_int_equal(text_language_of(NULL, NULL, NULL), TEXT_ENGLISH);
    assert_int_equal(text_language_of("", NULL, "zh_CN.UTF-8"), TEXT_CHINESE);
    assert_int_equal(text_language_of("en_US.UTF-8", "zh_CN", "zh_CN"), TEXT_ENGLISH);
    assert_int_equal(text_language_of(NULL, "zh_TW", "en"), TEXT_CHINESE);
    assert_int_equal(text_language_named("zh"), TEXT_CHINESE);
    assert_int_equal(text_language_named("de"), -1);
}
