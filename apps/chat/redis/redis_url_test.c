#include "redis_url.h"
#include "test.h"

#include <stdio.h>

static void good(const char *text, const char *target, const char *password)
{
    redis_url url;
    weir_why why = {""};
    assert_ok(redis_url_parse(&url, text, &why));
    assert_string_equal(url.target, target);
    assert_string_equal(url.password, password);
}

TEST(redis_url, the_good_forms)
{
    good("redis://127.0.0.1:6379", "127.0.0.1:6379", "");
    good("redis://[::1]:6379", "[::1]:6379", "");
    good("redis://:secret@db.example:1", "db.example:1", "secret");
    good("redis://:a@b:c/d?@h:65535", "h:65535", "a@b:c/d?");
    good("redis+unix:///run/redis/socket", "unix:/run/redis/socket", "");
}

TEST(redis_url, the_bad_ones_are_told_without_the_password)
{
    static const char *const bad[] = {
        "",
        "127.0.0.1:6379",
        "rediss://:secret@h:1",
        "redis://",
        "redis://h",
        "redis://h:",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:+1",
        "redis://h:1x",
        "redis://h:1/0",
        "redis://:@h:1",
        "redis://@h:1",
        "redis://secret@h:1",
        "redis://:secret@",
        "redis+unix://",
        "redis+unix://run/socket",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        redis_url url;
        weir_why why = {""};
        if (redis_url_parse(&url, bad[i], &why) != WEIR_EINVAL)
            fail_msg("was taken: %s", bad[i]);
        assert_non_null(strstr(why.text, "redis://[:PASSWORD@]HOST:PORT"));
        assert_null(strstr(why.text, "secret"));
    }
}

TEST(redis_url, what_is_too_long_is_refused)
{
    char text[700];
    redis_url url;
    snprintf(text, sizeof text, "redis://:%0255d@h:1", 0);
    assert_ok(redis_url_parse(&url, text, NULL));
    assert_int_equal(strlen(url.password), 255);
    snprintf(text, sizeof text, "redis://:%0256d@h:1", 0);
    assert_err(redis_url_parse(&url, text, NULL), WEIR_EINVAL);
    snprintf(text, sizeof text, "redis://%0300d:1", 0);
    assert_err(redis_url_parse(&url, text, NULL), WEIR_EINVAL);
    snprintf(text, sizeof text, "redis+unix:///%0107d", 0);
    assert_err(redis_url_parse(&url, text, NULL), WEIR_EINVAL);
}
