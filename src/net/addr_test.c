#include "net_test.h"

static void round_trip(const char *text, const char *expected)
{
    char out[WEIR_ADDR_TEXT_MAX];
    weir_addr addr = address(text);
    assert_string_equal(weir_addr_text(&addr, out), expected);
}

TEST(addr, every_form_is_read_and_written)
{
    round_trip("127.0.0.1:80", "127.0.0.1:80");
    round_trip("[::1]:7000", "[::1]:7000");
    round_trip(":80", "0.0.0.0:80");
    round_trip("localhost:65535", "127.0.0.1:65535");
    round_trip("unix:/run/x", "unix:/run/x");
    round_trip("unix:@hidden", "unix:@hidden");
}

TEST(addr, the_port_is_in_host_order)
{
    weir_addr v4 = address("127.0.0.1:258"), v6 = address("[::]:258"), un = address("unix:/x");
    assert_int_equal(weir_addr_port(&v4), 258);
    assert_int_equal(weir_addr_port(&v6), 258);
    assert_int_equal(weir_addr_port(&un), 0);
}

TEST(addr, anything_else_is_refused_with_a_sentence)
{
    static const char *const bad[] = {"",
                                      "80",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "1.2.3:80",
                                      ":65536",
                                      ":-1",
                                      ":8x",
                                      "[::1]",
                                      "[::1:80",
                                      "::1:80",
                                      "[127.0.0.1]:80",
                                      "unix:",
                                      "[]:1",
                                      "name.example:80",
                                      "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        weir_addr addr;
        weir_why why = {""};
        assert_err(weir_addr_parse(&addr, bad[i], &why), WEIR_EINVAL);
        assert_true(strlen(why.text) > 0);
    }
}

TEST(addr, a_unix_path_has_a_longest_length)
{
    char text[200] = "unix:/";
    memset(text + 6, 'x', 106);
    weir_addr addr;
    char out[WEIR_ADDR_TEXT_MAX];
    assert_ok(weir_addr_parse(&addr, text, NULL));
    assert_string_equal(weir_addr_text(&addr, out), text);
    text[112] = 'x';
    assert_err(weir_addr_parse(&addr, text, NULL), WEIR_EINVAL);
}
