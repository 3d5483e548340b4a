#include "naming_test.h"

#include <sys/file.h>

#include "endpoint_file.h"

/* Lines. */

static weir_err parse(weir_endpoints **list, const char *text, weir_why *why)
{
    assert_ok(weir_endpoints_new(list));
    return weir__endpoints_parse(*list, weir_str_from(text), "/etc/backends", why);
}

TEST(endpoint_lines, addresses_properties_comments_and_json)
{
    weir_endpoints *list;
    weir_why why;
    assert_ok(parse(&list,
                    "# all of them\n\n  a:1\r\nb:2 weight=3 zone=north # fast\n\tunix:/run/x#y\n"
                    "{\"address\":\"c:4\",\"metadata\":{\"note\":\"a # b\"}}\n[::1]:5",
                    &why));
    assert_int_equal(weir_endpoints_count(list), 5);
    assert_str(weir_endpoints_at(list, 0)->address, "a:1");
    assert_int_equal(weir_endpoints_at(list, 1)->weight, 3);
    assert_str(weir_endpoints_at(list, 1)->zone, "north");
    assert_str(weir_endpoints_at(list, 2)->address, "unix:/run/x#y");
    assert_str(weir_endpoints_at(list, 3)->metadata, "{\"note\":\"a # b\"}");
    assert_str(weir_endpoints_at(list, 4)->address, "[::1]:5");
    weir_endpoints_unref(list);
}

TEST(endpoint_lines, what_cannot_be_read_is_named_with_its_line)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"a:1\nb", "/etc/backends:2: \"b\" is no address: write HOST:PORT"},
        {"[::1]", "is no address"},
        {":80", "is no address"},
        {"a:", "is no address"},
        {"unix:", "is no address"},
        {"a:1 weight=0", "must be weight=N with N from 1 to 10000"},
        {"a:1 weight=10001", "must be weight=N"},
        {"a:1 weight=99999999999999999999", "must be weight=N"},
        {"a:1 weight=", "must be weight=N"},
        {"a:1 weight=2x", "must be weight=N"},
        {"a:1 b:2", "\"b:2\" is not known"},
        {"\n\n{\"address\":7}", "/etc/backends:3: \"address\" must be a string"},
        {"{", "/etc/backends:1: not JSON"},
        {"{\"address\":\"a b:1\"}", "a blank or control byte"},
        {"{\"address\":\"a\"}", "is no address"},
        {"a\xff:1", "is not text in UTF-8"},
        {"a\x01:1", "a blank or control byte"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir_endpoints *list;
        weir_why why = {""};
        assert_err(parse(&list, bad[i].text, &why), WEIR_EMALFORMED);
        assert_says(why.text, bad[i].says);
        weir_endpoints_unref(list);
    }
}

TEST(endpoint_lines, a_nul_is_no_text)
{
    weir_endpoints *list;
    weir_why why = {""};
    assert_ok(weir_endpoints_new(&list));
    assert_err(weir__endpoints_parse(list, WEIR_STR("a:1 zone=x\0y\n"), "f", &why),
               WEIR_EMALFORMED);
    assert_says(why.text, "f:1: is not text");
    weir_endpoints_unref(list);
}

TEST(endpoint_lines, are_bounded)
{
    size_t size = WEIR__FILE_LINES_MAX * 2 + 1;
    char *text = malloc(size + 1);
    weir_endpoints *list;
    weir_why why = {""};
    for (size_t i = 0; i < size; i++)
        text[i] = i % 2 ? '\n' : '#';
    text[size] = '\0';
    assert_err(parse(&list, text, &why), WEIR_EMSGSIZE);
    assert_says(why.text, "more than 10000 lines");
    weir_endpoints_unref(list);
    text[size - 1] = '\0';
    assert_ok(parse(&list, text, &why));
    weir_endpoints_unref(list);
    free(text);
}

/* A file. */

struct setting {
    weir_loop *loop;
    struct told told;
    weir_resolver *resolver;
    int fds;
};

static void set_up(struct setting *s)
{
    make_test_folder();
    s->loop = new_loop();
    s->fds = open_fds();
}

static void start(struct setting *s, const char *name)
{
    s->resolver = follow(&weir_resolver_file, s->loop, "", in_folder(name), &s->told);
}

static void tear_down(struct setting *s)
{
    follow_no_more(s->resolver, &s->told);
    assert_int_equal(weir_loop_timers(s->loop)->pending, 0);
    assert_int_equal(open_fds(), s->fds);
    weir_loop_free(s->loop);
    remove_test_folder();
}

TEST(resolver_file, a_file_is_read_and_followed)
{
    struct setting s = {0};
    set_up(&s);
    write_file("list", "a:1\nb:2\n");
    start(&s, "list");
    run_until(s.loop, has_found(&s.told, "a:1,b:2"));
    write_file("list", "a:1\n");
    run_until(s.loop, has_found(&s.told, "a:1"));
    replace_file("list", "c:3\n");
    run_until(s.loop, has_found(&s.told, "c:3"));
    assert_int_equal(unlink(in_folder("list")), 0);
    run_until(s.loop, s.told.failed == 1);
    assert_err(s.told.err, WEIR_ENOENT);
    assert_says(s.told.why, "/list cannot be read: No such file");
    write_file("list", "d:4\n");
    run_until(s.loop, has_found(&s.told, "d:4"));
    tear_down(&s);
}

TEST(resolver_file, changes_are_seen_at_once_and_not_by_the_slow_look)
{
    struct setting s = {0};
    set_up(&s);
    write_file("list", "a:0\n");
    start(&s, "list");
    run_until(s.loop, has_found(&s.told, "a:0"));
    weir_time from = weir_time_now();
    for (int i = 1; i <= 20; i++) {
        char text[32];
        snprintf(text, sizeof text, "a:%d", i);
        (i % 2 ? replace_file : write_file)("list", text);
        run_until(s.loop, has_found(&s.told, text));
    }
    /* Twenty looks take forty seconds. */
    assert_in_range(weir_time_diff(weir_time_now(), from), 0, WEIR_SECONDS(30));
    tear_down(&s);
}

TEST(resolver_file, bad_content_keeps_the_last_list_and_is_told_once)
{
    struct setting s = {0};
    set_up(&s);
    write_file("list", "a:1\n");
    start(&s, "list");
    run_until(s.loop, s.told.found == 1);
    write_file("list", "a:1\nb:2\nnonsense\n");
    run_until(s.loop, s.told.failed == 1);
    assert_err(s.told.err, WEIR_EMALFORMED);
    assert_says(s.told.why, "/list:3: \"nonsense\" is no address");
    replace_file("list", "a:1\nb:2\nnonsense\n");
    replace_file("list", "");
    run_until(s.loop, s.told.failed == 2);
    assert_says(s.told.why, "/list is empty: a comment");
    assert_int_equal(s.told.found, 1);
    /* What was known all the time is told again: it holds again. */
    replace_file("list", "a:1\n");
    run_until(s.loop, s.told.found == 2);
    assert_true(has_found(&s.told, "a:1"));
    replace_file("list", "# none today\n");
    run_until(s.loop, s.told.found == 3);
    assert_int_equal(weir_endpoints_count(s.told.list), 0);
    tear_down(&s);
}

TEST(resolver_file, a_folder_that_is_made_later_is_found)
{
    struct setting s = {0};
    set_up(&s);
    start(&s, "later/list");
    run_until(s.loop, s.told.failed == 1);
    assert_int_equal(mkdir(in_folder("later"), 0700), 0);
    write_file("later/list", "a:1\n");
    run_until(s.loop, has_found(&s.told, "a:1"));
    assert_int_equal(s.told.failed, 1);
    tear_down(&s);
}

TEST(resolver_file, the_same_failure_is_told_once)
{
    struct setting s = {0};
    weir_loop_stats stats;
    set_up(&s);
    start(&s, "missing");
    /* A reading, and twice a look with a reading. */
    do {
        assert_ok(weir_loop_run_once(s.loop, WEIR_SECONDS(1)));
        weir_loop_get_stats(s.loop, &stats);
    } while (stats.timers < 5);
    assert_int_equal(s.told.failed, 1);
    tear_down(&s);
}

TEST(resolver_file, a_link_on_the_way_may_be_replaced)
{
    struct setting s = {0};
    set_up(&s);
    assert_int_equal(mkdir(in_folder("one"), 0700), 0);
    assert_int_equal(mkdir(in_folder("two"), 0700), 0);
    write_file("one/list", "a:1\n");
    write_file("two/list", "b:2\n");
    assert_int_equal(symlink("one", in_folder("now")), 0);
    assert_int_equal(symlink("now/list", in_folder("list")), 0);
    start(&s, "list");
    run_until(s.loop, has_found(&s.told, "a:1"));
    assert_int_equal(symlink("two", in_folder("next")), 0);
    assert_int_equal(rename(in_folder("next"), in_folder("now")), 0);
    run_until(s.loop, has_found(&s.told, "b:2"));
    tear_down(&s);
}

TEST(resolver_file, what_is_no_file_is_refused)
{
    struct setting s = {0};
    set_up(&s);
    assert_int_equal(mkfifo(in_folder("list"), 0700), 0);
    start(&s, "list");
    run_until(s.loop, s.told.failed == 1);
    assert_says(s.told.why, "neither a file nor a folder");
    int fd = open(in_folder("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, WEIR__FILE_BYTES_MAX + 1), 0);
    close(fd);
    assert_int_equal(rename(in_folder("large"), in_folder("list")), 0);
    run_until(s.loop, s.told.failed == 2);
    assert_err(s.told.err, WEIR_EMSGSIZE);
    assert_says(s.told.why, "is larger than");
    tear_down(&s);
}

TEST(resolver_file, targets_of_another_form_are_refused)
{
    struct setting s = {0};
    set_up(&s);
    weir_resolver *resolver = NULL;
    weir_why why = {""};
    weir_resolver_request r = {s.loop, "file://host/x", "host", "x", &count_events, &s.told};
    assert_err(weir_resolver_file.start(&resolver, &r, &why), WEIR_EINVAL);
    assert_says(why.text, "names a host");
    r = (weir_resolver_request){s.loop, "file:", "", "", &count_events, &s.told};
    assert_err(weir_resolver_file.start(&resolver, &r, &why), WEIR_EINVAL);
    assert_says(why.text, "has no path");
    assert_null(resolver);
    /* Three slashes are the usual way to write an absolute path. */
    write_file("list", "a:1");
    s.resolver = follow(&weir_resolver_file, s.loop, "", in_folder("list") + 1, &s.told);
    run_until(s.loop, has_found(&s.told, "a:1"));
    tear_down(&s);
}

TEST(resolver_file, ten_changes_a_second_end_with_the_last)
{
    struct setting s = {0};
    set_up(&s);
    write_file("list", "a:1\n");
    start(&s, "list");
    for (int i = 0; i < 200; i++) {
        replace_file("list", i % 2 ? "a:1\n" : "a:1\nb:2\n");
        assert_ok(weir_loop_run_once(s.loop, WEIR_MILLISECONDS(2)));
    }
    replace_file("list", "last:1\n");
    run_until(s.loop, has_found(&s.told, "last:1"));
    assert_int_equal(s.told.failed, 0);
    assert_in_range(s.told.found, 1, 100);
    tear_down(&s);
}

TEST(resolver_file, ten_thousand_backends)
{
    struct setting s = {0};
    set_up(&s);
    FILE *file = fopen(in_folder("list"), "w");
    for (int i = 0; i < WEIR__FILE_LINES_MAX; i++)
        fprintf(file, "host-%d:80 weight=2\n", i);
    fclose(file);
    start(&s, "list");
    run_until(s.loop, s.told.found == 1);
    assert_int_equal(weir_endpoints_count(s.told.list), WEIR__FILE_LINES_MAX);
    tear_down(&s);
}

static void free_it(weir_endpoints *list WEIR_UNUSED, const char *config WEIR_UNUSED, void *user)
{
    weir_resolver **resolver = user;
    (*resolver)->type->free(*resolver);
    *resolver = NULL;
}

TEST(resolver_file, may_be_freed_while_it_tells)
{
    static const weir_resolver_events events = {free_it, NULL};
    struct setting s = {0};
    set_up(&s);
    write_file("list", "a:1\n");
    weir_resolver_request r = {s.loop, "file:x", "", in_folder("list"), &events, &s.resolver};
    assert_ok(weir_resolver_file.start(&s.resolver, &r, NULL));
    run_until(s.loop, !s.resolver);
    assert_int_equal(weir_loop_timers(s.loop)->pending, 0);
    assert_int_equal(open_fds(), s.fds);
    weir_loop_free(s.loop);
    remove_test_folder();
}

/* A folder. */

TEST(resolver_file, a_folder_has_a_file_for_each_endpoint)
{
    struct setting s = {0};
    set_up(&s);
    assert_int_equal(mkdir(in_folder("svc"), 0700), 0);
    write_file("svc/b", "{\"address\":\"b:2\"}");
    write_file("svc/a", "a:1\n");
    write_file("svc/.hidden", "h:1\n");
    start(&s, "svc");
    run_until(s.loop, has_found(&s.told, "a:1,b:2"));
    write_file(".new", "c:3");
    assert_int_equal(rename(in_folder(".new"), in_folder("svc/c")), 0);
    run_until(s.loop, has_found(&s.told, "a:1,b:2,c:3"));
    assert_int_equal(unlink(in_folder("svc/a")), 0);
    run_until(s.loop, has_found(&s.told, "b:2,c:3"));
    write_file("svc/c", "{\"address\":\"c:4\"}");
    run_until(s.loop, has_found(&s.told, "b:2,c:4"));
    assert_int_equal(unlink(in_folder("svc/b")) + unlink(in_folder("svc/c")), 0);
    run_until(s.loop, has_found(&s.told, ""));
    assert_int_equal(s.told.failed, 0);
    tear_down(&s);
}

TEST(resolver_file, one_bad_file_of_a_folder_does_not_take_the_others_out)
{
    struct setting s = {0};
    set_up(&s);
    assert_int_equal(mkdir(in_folder("svc"), 0700), 0);
    write_file("svc/a", "nonsense\n");
    start(&s, "svc");
    run_until(s.loop, s.told.failed == 1);
    assert_says(s.told.why, "svc/a:1: \"nonsense\"");
    write_file("svc/b", "b:2\n");
    run_until(s.loop, has_found(&s.told, "b:2"));
    tear_down(&s);
}

TEST(resolver_file, live_files_count_while_they_are_locked)
{
    struct setting s = {0};
    set_up(&s);
    assert_int_equal(mkdir(in_folder("svc"), 0700), 0);
    write_file("svc/one.live", "a:1\n");
    write_file("svc/two.live", "b:2\n");
    int fd = open(in_folder("svc/one.live"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    start(&s, "svc");
    run_until(s.loop, has_found(&s.told, "a:1"));
    close(fd);
    run_until(s.loop, has_found(&s.told, ""));
    tear_down(&s);
}
