#include "options.h"

#include <getopt.h>
#include <weir/base/base.h>

#include "test.h"

static void read_options(options *out, int count, const char *const *args)
{
    char *copy[16] = {(char *)(uintptr_t) "weir-chatd"};
    for (int i = 0; i < count; i++)
        copy[i + 1] = (char *)(uintptr_t)args[i];
    optind = 0;
    options_read(out, count + 1, copy);
}

TEST(options, defaults)
{
    options o;
    read_options(&o, 0, NULL);
    assert_string_equal(o.listen, "127.0.0.1:50051");
    assert_string_equal(o.store, "sqlite:weir-chat.db");
    assert_string_equal(o.bus, "local");
    assert_string_equal(o.presence, "local");
    assert_null(o.registry);
    assert_null(o.command);
}

TEST(options, presence_is_where_the_bus_is)
{
    options o;
    read_options(&o, 2, (const char *const[]){"--bus", "redis://h:1"});
    assert_string_equal(o.presence, "redis://h:1");
    read_options(&o, 4, (const char *const[]){"--bus", "redis://h:1", "--presence", "redis://h:2"});
    assert_string_equal(o.presence, "redis://h:2");
}

TEST(options, registries_become_targets)
{
    static const char *const cases[][2] = {
        {"zk:h1:2181,h2:2181", "zk://h1:2181,h2:2181/weir/services"},
        {"zk:h1:2181/other/path", "zk://h1:2181/other/path"},
        {"zk://h1:2181", "zk://h1:2181/weir/services"},
        {"file:/var/nodes", "file:///var/nodes"},
        {"file:///var/nodes", "file:///var/nodes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options o;
        read_options(&o, 2, (const char *const[]){"--registry", cases[i][0]});
        assert_string_equal(o.registry, cases[i][1]);
    }
}

TEST(options, a_kind_may_stand_before_its_url)
{
    options o;
    read_options(&o, 4,
                 (const char *const[]){"--bus", "redis:redis+unix://s", "--store",
                                       "mariadb:mariadb://u:p@h:1/d"});
    assert_string_equal(o.bus, "redis+unix://s");
    assert_string_equal(o.store, "mariadb://u:p@h:1/d");
}

TEST(options, numbers_and_lists)
{
    options o;
    read_options(
        &o, 8,
        (const char *const[]){"--port", "0", "--for", "3s", "--admin", "ann", "--admin", "bob"});
    assert_string_equal(o.listen, "127.0.0.1:0");
    assert_int_equal(o.run_us, 3000000);
    assert_int_equal(o.admin_count, 2);
    assert_string_equal(o.admins[1], "bob");
}

TEST(options, commands)
{
    options o;
    read_options(&o, 4, (const char *const[]){"backup", "copy.db", "--store", "sqlite:x"});
    assert_string_equal(o.command, "backup");
    assert_string_equal(o.file, "copy.db");
    assert_string_equal(o.store, "sqlite:x");
}
