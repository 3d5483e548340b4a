#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "channel_target.h"

static weir__target target;
static weir_why why;

static void reads_as(const char *text, const char *lookup, const char *authority)
{
    assert_ok(weir__target_read(&target, text, &why));
    assert_string_equal(target.lookup, lookup);
    assert_string_equal(target.authority, authority);
}

static void is_refused(const char *text, const char *because)
{
    assert_err(weir__target_read(&target, text, &why), WEIR_EINVAL);
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

TEST(channel_target, what_cannot_be_read_is_refused_with_a_sentence)
{
    is_refused("", "no host name");
    is_refused("not an address", "no host name");
    is_refused(":80", "no host name");
    is_refused("db.example:", "no port");
    is_refused("db.example:8 0", "no port");
    is_refused("xds:///service", "scheme that is not known");
    is_refused("dns://10.0.0.1", "no name behind");
    is_refused("ipv4:10.0.0.1:80,10.0.0.2:80", "several addresses");
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
