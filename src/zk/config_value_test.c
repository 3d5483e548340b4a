#include "config_value.h"

#include "test.h"

static weir_err read_as(weir_zk_config_type type, const char *text, weir__zk_bits *out)
{
    const weir_zk_config_item item = {.name = "x", .type = type};
    weir_why why = {""};
    weir_err err = weir__zk_value_read(&item, weir_str_from(text), out, &why);
    assert_true(err == WEIR_OK || why.text[0] != '\0');
    return err;
}

static void refuse_all(weir_zk_config_type type, const char *const *texts)
{
    weir__zk_bits bits;
    for (; *texts; texts++)
        if (read_as(type, *texts, &bits) != WEIR_EMALFORMED)
            fail_msg("\"%s\" was taken", *texts);
}

TEST(value, whole_numbers_have_64_bits)
{
    weir__zk_bits bits = 0;
    assert_ok(read_as(WEIR_ZK_INT64, "-9223372036854775808", &bits));
    assert_true((int64_t)bits == INT64_MIN);
    assert_ok(read_as(WEIR_ZK_INT64, "42", &bits));
    assert_true(bits == 42);
    refuse_all(WEIR_ZK_INT64, (const char *const[]){"", "9223372036854775808", "1.0", "0x10", "1 2",
                                                    "--1", "-", "one", NULL});
}

TEST(value, numbers_are_finite)
{
    weir__zk_bits bits = 0;
    assert_ok(read_as(WEIR_ZK_DOUBLE, "-2.5e-1", &bits));
    assert_true(weir__zk_bits_double(bits) == -0.25);
    refuse_all(WEIR_ZK_DOUBLE,
               (const char *const[]){"", "1e999", "nan", "inf", "0x1p3", "1,5", "1.5.2", NULL});
}

TEST(value, durations_have_a_unit)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {{"0s", 0},         {"250ms", 250000},  {"1.5s", 1500000},  {"7us", 7},
                {"2m", 120000000}, {"1e3ms", 1000000}, {"1h", 3600000000}, {"1d", 86400000000}};
    weir__zk_bits bits = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(read_as(WEIR_ZK_DURATION, good[i].text, &bits));
        assert_int_equal((int64_t)bits, good[i].us);
    }
    refuse_all(WEIR_ZK_DURATION, (const char *const[]){"", "5", "s", "-1s", "1 s", "1min",
                                                       "999999999999d", "1S", NULL});
}

TEST(value, bounds_hold_for_whole_numbers_and_durations)
{
    const weir_zk_config_item item = {"x", WEIR_ZK_DURATION, "1s", 1000, 2000000};
    weir__zk_bits bits = 0;
    weir_why why;
    assert_ok(weir__zk_value_read(&item, WEIR_STR("2s"), &bits, &why));
    assert_err(weir__zk_value_read(&item, WEIR_STR("2001ms"), &bits, &why), WEIR_EMALFORMED);
    assert_string_equal(why.text, "must be from 1000 to 2000000 microseconds");
    assert_true(bits == 2000000);
}

TEST(value, text_is_utf8_and_json_is_json)
{
    weir__zk_bits bits;
    const weir_zk_config_item item = {.name = "x", .type = WEIR_ZK_STRING};
    assert_ok(read_as(WEIR_ZK_STRING, "", &bits));
    assert_ok(read_as(WEIR_ZK_STRING, "gr\303\274n", &bits));
    assert_err(weir__zk_value_read(&item, WEIR_STR("a\0b"), &bits, NULL), WEIR_EMALFORMED);
    refuse_all(WEIR_ZK_STRING, (const char *const[]){"\377", NULL});
    assert_ok(read_as(WEIR_ZK_JSON, "{\"a\": [1, null]}", &bits));
    assert_ok(read_as(WEIR_ZK_JSON, "7", &bits));
    refuse_all(WEIR_ZK_JSON, (const char *const[]){"", "{", "{} {}", "{'a': 1}", NULL});
    refuse_all(WEIR_ZK_BOOL, (const char *const[]){"", "yes", "1", "True", NULL});
}

TEST(value, spaces_around_it_do_not_count)
{
    assert_str(weir__zk_trim(WEIR_STR(" \r\n a b\t\n")), "a b");
    assert_str(weir__zk_trim(WEIR_STR(" \n")), "");
}
