/* Servers in a registry, here one of files: who is there, until when, and what is refused. */
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends.h"

static char folder[] = "/tmp/weir-register-XXXXXX";
static char registry[100], target[150];
static test_server server;
static backend one;

static void make_folder(void)
{
    assert_non_null(mkdtemp(folder));
    snprintf(registry, sizeof registry, "file://%s", folder);
    snprintf(target, sizeof target, "%s/test.Test", registry);
}

static void remove_folder(void)
{
    char command[200];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/** Files of the service that are not hidden. */
static int registered(const char *service)
{
    char path[200];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", folder, service);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        count += e->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static void start(const weir_register_opts *opts)
{
    test_server_prepare(&server, "127.0.0.1:0", backend_methods, &one, NULL);
    assert_ok(weir_server_register(server.server, registry, opts));
    test_server_go(&server);
}

TEST(server_register, a_server_is_found_until_it_stops)
{
    make_folder();
    start(&(weir_register_opts){.zone = "a", .metadata = "{\"version\":\"1\"}", .weight = 3});
    while (registered("test.Test") == 0)
        sched_yield();
    weir_channel *channel =
        weir_channel_new(target, &(weir_channel_opts){.balance = "round_robin"});
    weir_arena *mem = weir_arena_new();
    void *reply;
    weir_status status = weir_unary_call(channel, &test_methods[UNARY], mem,
                                         &(text){.text = WEIR_STR("?")}, &reply, NULL);
    assert_string_equal(weir_status_text(&status), "OK");
    test_server_stop(&server);
    test_server_join(&server);
    assert_int_equal(registered("test.Test"), 0);
    weir_channel_free(channel);
    weir_arena_free(mem);
    remove_folder();
}

static weir_err start_fails(const char *addr, const char *where, const weir_register_opts *opts,
                            weir_why *why)
{
    weir_loop *loop;
    weir_server *s = weir_server_new(NULL);
    assert_ok(weir_loop_new(&loop, NULL));
    assert_ok(weir_server_register(s, where, opts));
    weir_err err = weir_server_start(s, loop, addr, why);
    weir_server_free(s);
    weir_loop_free(loop);
    return err;
}

TEST(server_register, what_cannot_be_announced_does_not_start)
{
    weir_why why;
    make_folder();
    assert_err(start_fails("127.0.0.1:0", "carrier-pigeon:x", NULL, &why), WEIR_EINVAL);
    assert_err(start_fails("0.0.0.0:0", registry, NULL, &why), WEIR_EINVAL);
    assert_non_null(strstr(why.text, "weir_register_opts.address"));
    assert_err(start_fails("127.0.0.1:0", registry, &(weir_register_opts){.metadata = "[]"}, &why),
               WEIR_EINVAL);
    assert_non_null(strstr(why.text, "no JSON object"));
    remove_folder();
}

TEST(server_register, comes_once_and_before_the_start)
{
    make_folder();
    start(NULL);
    assert_err(weir_server_register(server.server, registry, NULL), WEIR_ESTATE);
    test_server_stop(&server);
    test_server_join(&server);
    remove_folder();
}
