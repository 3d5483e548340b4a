#include "log_test.h"

#include <weir/base/thread.h>

static char written[1 << 16];
static size_t written_len;

static void collect(const char *lines, size_t len, void *user WEIR_UNUSED)
{
    assert_true(written_len + len < sizeof written);
    memcpy(written + written_len, lines, len);
    written_len += len;
    written[written_len] = '\0';
}

static void start(void)
{
    assert_ok(weir_log_start(&(weir_log_opts){.sink = collect, .format = WEIR_LOG_JSON}));
}

/** What a message looks like between the quotes. */
static const char *message_of(const char *text, size_t len)
{
    static const char key[] = "\"message\":\"";
    written_len = 0;
    WEIR_LOG_INFO("%.*s", (int)len, text);
    weir_log_flush();
    assert_string_equal(written + written_len - 3, "\"}\n");
    written[written_len - 3] = '\0';
    char *message = strstr(written, key);
    assert_non_null(message);
    return message + sizeof key - 1;
}

TEST(log_json, a_line_is_an_object)
{
    static const weir__log_site site = {"net", "x.c", "x.c:88 ", 7, 88, WEIR_LOG_LEVEL_WARN};
    char expected[200];
    start();
    weir__log_write(&site, "%d bytes", 7);
    weir_log_stop();
    assert_memory_equal(written, "{\"time\":\"20", 11);
    snprintf(expected, sizeof expected,
             "Z\",\"level\":\"WARN\",\"thread\":%d,\"module\":\"net\",\"file\":\"x.c\",\"line\":88,"
             "\"message\":\"7 bytes\"}\n",
             weir_thread_id());
    assert_string_equal(written + strlen("{\"time\":\"2026-01-31T12:34:56.123456"), expected);
}

TEST(log_json, a_file_without_a_module_has_no_such_member)
{
    static const weir__log_site site = {NULL, "q\"\\.c", "", 0, 1, WEIR_LOG_LEVEL_WARN};
    start();
    weir__log_write(&site, "x");
    weir_log_stop();
    assert_null(strstr(written, "module"));
    assert_non_null(strstr(written, ",\"file\":\"q\\\"\\\\.c\","));
}

TEST(log_json, what_json_does_not_allow_is_escaped)
{
    start();
    assert_string_equal(message_of("a\"b\\c/", 6), "a\\\"b\\\\c/");
    assert_string_equal(message_of("\b\t\n\f\r", 5), "\\b\\t\\n\\f\\r");
    assert_string_equal(message_of("\x01\x1f\x7f", 3), "\\u0001\\u001f\x7f");
    weir_log_stop();
}

TEST(log_json, bytes_that_are_not_utf8_are_replaced)
{
#define BAD "\xEF\xBF\xBD"
    start();
    assert_string_equal(message_of("\xC3\xA4\xE4\xBD\xA0\xF0\x9F\x98\x80", 9),
                        "\xC3\xA4\xE4\xBD\xA0\xF0\x9F\x98\x80");
    assert_string_equal(message_of("a\x80z", 3), "a" BAD "z");
    assert_string_equal(message_of("\xC3", 1), BAD);
    assert_string_equal(message_of("\xC0\xAF", 2), BAD BAD);
    assert_string_equal(message_of("\xED\xA0\x80", 3), BAD BAD BAD);
    assert_string_equal(message_of("\xF4\x90\x80\x80", 4), BAD BAD BAD BAD);
    assert_string_equal(message_of("\xFF\xFEx", 3), BAD BAD "x");
    weir_log_stop();
#undef BAD
}

TEST(log_json, a_line_that_escapes_made_too_long_is_cut_and_still_an_object)
{
    char text[5000];
    start();
    for (int shift = 0; shift < 6; shift++) {
        memset(text, 'x', (size_t)shift);
        memset(text + shift, '\x01', sizeof text - (size_t)shift);
        const char *message = message_of(text, sizeof text);
        assert_string_equal(message + strlen(message) - 9, "\\u0001...");
        assert_in_range(written_len, WEIR_LOG_LINE_MAX - 20, WEIR_LOG_LINE_MAX);
    }
    weir_log_stop();
}
