#include "db_mariadb_url.h"

#include <test.h>

static db_mariadb_url parse(const char *url)
{
    db_mariadb_url out;
    weir_why why = {""};
    if (db_mariadb_url_parse(&out, url, &why))
        fail_msg("%s: %s", url, why.text);
    return out;
}

TEST(db_mariadb_url, its_parts_are_found)
{
    db_mariadb_url u = parse("mariadb://ann:secret@db.example:3307/chat");
    assert_string_equal(u.user, "ann");
    assert_string_equal(u.password, "secret");
    assert_string_equal(u.host, "db.example");
    assert_int_equal(u.port, 3307);
    assert_string_equal(u.database, "chat");
    assert_string_equal(u.socket, "");
}

TEST(db_mariadb_url, what_may_be_left_out_is)
{
    db_mariadb_url u = parse("mariadb://ann@[::1]/chat");
    assert_string_equal(u.password, "");
    assert_string_equal(u.host, "::1");
    assert_int_equal(u.port, 3306);
    assert_int_equal(parse("mariadb://ann@[::1]:99/chat").port, 99);
}

TEST(db_mariadb_url, a_password_may_have_any_byte)
{
    assert_string_equal(parse("mariadb://a:p%40s%2Fs%25%3a@h/d").password, "p@s/s%:");
    assert_string_equal(parse("mariadb://a:p:q@h/d").password, "p:q");
}

TEST(db_mariadb_url, a_socket_stands_for_the_host)
{
    db_mariadb_url u = parse("mariadb://ann:x@/chat?socket=/run/my%20sql.sock");
    assert_string_equal(u.host, "");
    assert_string_equal(u.socket, "/run/my sql.sock");
    assert_string_equal(u.database, "chat");
}

TEST(db_mariadb_url, what_is_no_such_url_is_refused_without_repeating_the_password)
{
    static const char *const urls[] = {
        "mariadb:",
        "mariadb://",
        "mariadb://hunter2@",
        "mariadb://hunter2@host",
        "mariadb://hunter2@host/",
        "mariadb://:hunter2@host/d",
        "mariadb://a:hunter2@/d",
        "mariadb://a:hunter2@h:0/d",
        "mariadb://a:hunter2@h:65536/d",
        "mariadb://a:hunter2@h:x/d",
        "mariadb://a:hunter2@h/d`",
        "mariadb://a:hunter2@h/d?socket=/x",
        "mariadb://a:hunter2@/d?socket=",
        "mariadb://a:hunter2@/d?pipe=x",
        "mariadb://a:hunter2%@h/d",
        "mariadb://a:hunter2%0@h/d",
        "mariadb://a:hunter2%00@h/d",
        "mariadb://a:hunter2@[::1/d",
        "mariadb://a:hunter2@[::1]x/d",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        db_mariadb_url out;
        weir_why why = {""};
        if (db_mariadb_url_parse(&out, urls[i], &why) != WEIR_EINVAL)
            fail_msg("%s", urls[i]);
        assert_null(strstr(why.text, "hunter2"));
    }
}

TEST(db_mariadb_url, parts_that_are_too_long_are_refused)
{
    char url[600] = "mariadb://a@h/";
    db_mariadb_url out;
    weir_why why;
    memset(url + strlen(url), 'd', 65);
    assert_err(db_mariadb_url_parse(&out, url, &why), WEIR_EINVAL);
    url[14 + 64] = 0;
    assert_ok(db_mariadb_url_parse(&out, url, &why));
}
