#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "channel_target.h"

#include <weir/zk/zk.h>

static weir__target target;
static weir_why why;

static void reads_as(const char *text, const char *lookup, const char *authority)
{
    assert_ok(weir__target_read(&target, text, NULL, 0, &why));
    assert_string_equal(target.lookup, lookup);
    assert_string_equal(target.authority, authority);
}

static void is_refused(const char *text, const char *because)
{
    assert_err(weir__target_read(&target, text, NULL, 0, &why), WEIR_EINVAL);
    if (!strstr(why.text, because))
        assert_string_equal(why.text, because);
    assert_non_null(strstr(why.text, "write \"HOST:PORT\""));
}

TEST(channel_target, hosts_with_and_without_a_port)
{
    reads_as("127.0.0.1:50051", "127.0.0.1:50051", "127.0.0.1:50051");
    reads_as("db.example:80", "db.example:80", "db.example:80");
    reads_as("db.example:http", "db.example:http", "db.example:http");
    reads_as("db.example", "db.example:443", "db.example:443");
    reads_as("[::1]:80", "[::1]:80", "[::1]:80");
    reads_as("[::1]", "[::1]:443", "[::1]:443");
    reads_as("::1", "[::1]:443", "[::1]:443");
}

TEST(channel_target, the_schemes_of_grpcs_naming_document)
{
    reads_as("dns:db.example:80", "db.example:80", "db.example:80");
    reads_as("dns:///db.example:80", "db.example:80", "db.example:80");
    assert_string_equal(target.servers, "");
    reads_as("dns://10.0.0.1:5353/db.example:80", "db.example:80", "db.example:80");
    assert_string_equal(target.servers, "10.0.0.1:5353");
    reads_as("ipv4:127.0.0.1:80", "127.0.0.1:80", "127.0.0.1:80");
    reads_as("ipv6:[::1]:80", "[::1]:80", "[::1]:80");
    reads_as("ipv6:::1", "[::1]:443", "[::1]:443");
    reads_as("unix:run/x", "unix:run/x", "localhost");
    reads_as("unix:/run/x", "unix:/run/x", "localhost");
    reads_as("unix:///run/x", "unix:/run/x", "localhost");
    reads_as("unix-abstract:x", "unix:@x", "localhost");
}

static void is_for(const char *text, const weir_resolver_type *type, const char *authority,
                   const char *path)
{
    assert_ok(weir__target_read(&target, text, NULL, 0, &why));
    assert_ptr_equal(target.resolver, type);
    assert_string_equal(target.servers, authority);
    assert_string_equal(target.path, path);
    assert_string_equal(target.authority, "");
}

TEST(channel_target, lists_and_names_are_for_resolvers)
{
    is_for("static:///a:1,b:2", &weir_resolver_static, "", "a:1,b:2");
    is_for("ipv4:10.0.0.1:80,10.0.0.2:80", &weir_resolver_ipv4, "", "10.0.0.1:80,10.0.0.2:80");
    is_for("ipv6:[::1]:80,[::2]:80", &weir_resolver_ipv6, "", "[::1]:80,[::2]:80");
    is_for("file:///etc/backends", &weir_resolver_file, "", "etc/backends");
    is_for("zk://10.0.0.1:2181,10.0.0.2:2181/weir/x", &weir_resolver_zk,
           "10.0.0.1:2181,10.0.0.2:2181", "weir/x");
    reads_as("static:80", "static:80", "static:80"); /* a host of that name */
}

static weir_err nothing(weir_resolver **out WEIR_UNUSED,
                        const weir_resolver_request *request WEIR_UNUSED, weir_why *w WEIR_UNUSED)
{
    return WEIR_ENOTSUP;
}

TEST(channel_target, a_programs_own_schemes_come_first)
{
    static const weir_resolver_type redis = {"redis", nothing, NULL, NULL},
                                    dns = {"dns", nothing, NULL, NULL};
    const weir_resolver_type *const types[] = {&redis, &dns};
    assert_ok(weir__target_read(&target, "redis://h:6379/services", types, 2, &why));
    assert_ptr_equal(target.resolver, &redis);
    assert_string_equal(target.path, "services");
    assert_ok(weir__target_read(&target, "redis:services", types, 2, &why));
    assert_string_equal(target.path, "services");
    assert_ok(weir__target_read(&target, "dns:///h:80", types, 2, &why));
    assert_ptr_equal(target.resolver, &dns);
}

TEST(channel_target, what_cannot_be_read_is_refused_with_a_sentence)
{
    is_refused("", "no host name");
    is_refused("not an address", "no host name");
    is_refused(":80", "no host name");
    is_refused("db.example:", "no port");
    is_refused("db.example:8 0", "no port");
    is_refused("xds:///service", "scheme that is not known");
    is_refused("dns://10.0.0.1", "no name behind");
    is_refused("static://only-an-authority", "no \"/\" and path");
    is_refused("unix:", "no path");
    char *longest = malloc(5000);
    memset(longest, 'a', 4999);
    longest[4999] = '\0';
    is_refused(longest, "no host name");
    memcpy(longest, "unix:", 5);
    is_refused(longest, "no path");
    memcpy(longest, "dns://", 6);
    is_refused(longest, "no name behind");
    free(longest);
}
