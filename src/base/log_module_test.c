/* Modules and their levels, and lines that are limited in number. */
#undef WEIR_LOG_MODULE
#define WEIR_LOG_MODULE "river"
#include "log_test.h"

#include <stdatomic.h>
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

static void start(weir_log_level level)
{
    assert_ok(weir_log_start(&(weir_log_opts){.sink = collect, .level = level}));
}

static void set_levels(const char *levels)
{
    weir_why why = {""};
    weir_err err = weir_log_set_levels(levels, &why);
    assert_string_equal(why.text, "");
    assert_ok(err);
}

TEST(log_module, a_file_follows_the_programs_level_until_its_module_has_its_own)
{
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    start(WEIR_LOG_LEVEL_WARN);
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_WARN));
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_INFO));
    weir_log_set_level(WEIR_LOG_LEVEL_INFO);
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_INFO));
    assert_ok(weir_log_set_module_level("river", WEIR_LOG_LEVEL_TRACE));
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_TRACE));
    assert_ok(weir_log_set_module_level("rive", WEIR_LOG_LEVEL_OFF));
    assert_ok(weir_log_set_module_level("rivers", WEIR_LOG_LEVEL_OFF));
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_TRACE));
    weir_log_set_level(WEIR_LOG_LEVEL_ERROR);
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_TRACE));
    weir_log_stop();
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
}

TEST(log_module, a_level_that_is_set_before_the_start_counts_from_then_on)
{
    assert_ok(weir_log_set_module_level("river", WEIR_LOG_LEVEL_DEBUG));
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    start(WEIR_LOG_LEVEL_ERROR);
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_DEBUG));
    WEIR_LOG_DEBUG("seen");
    weir_log_stop();
    assert_int_equal(text_lines(written), 1);
}

TEST(log_module, a_text_sets_all_levels)
{
    start(WEIR_LOG_LEVEL_INFO);
    set_levels("off,river=debug,other=trace");
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_DEBUG));
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_TRACE));
    set_levels("other=off");
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    set_levels("error");
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_WARN));
    weir_log_stop();
}

TEST(log_module, a_wrong_text_changes_nothing_and_says_where)
{
    static const char *const wrong[] = {"",
                                        "loud",
                                        "info,",
                                        ",info",
                                        "river=",
                                        "=info",
                                        "river=info ",
                                        "info,,debug",
                                        "river=Info",
                                        "river",
                                        "INFO",
                                        "river=debug,river=loud",
                                        "a-name-that-is-much-too-long-for-us=info"};
    weir_why why;
    start(WEIR_LOG_LEVEL_WARN);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_err(weir_log_set_levels(wrong[i], &why), WEIR_EINVAL);
        assert_false(weir_log_enabled(WEIR_LOG_LEVEL_INFO));
        assert_true(weir_log_enabled(WEIR_LOG_LEVEL_WARN));
    }
    assert_err(weir_log_set_levels("info,net=loud,x=info", &why), WEIR_EINVAL);
    assert_string_equal(why.text,
                        "\"net=loud\": a level is trace, debug, info, warn, error or off");
    assert_err(weir_log_set_levels("loud", NULL), WEIR_EINVAL);
    assert_err(weir_log_set_module_level("", WEIR_LOG_LEVEL_INFO), WEIR_EINVAL);
    weir_log_stop();
}

TEST(log_module, there_are_only_so_many_and_further_files_follow_the_program)
{
    char name[20];
    for (int i = 0; i < WEIR_LOG_MODULES_MAX; i++) {
        snprintf(name, sizeof name, "module%d", i);
        assert_ok(weir_log_set_module_level(name, WEIR_LOG_LEVEL_OFF));
    }
    assert_err(weir_log_set_module_level("river", WEIR_LOG_LEVEL_OFF), WEIR_EFULL);
    assert_err(weir_log_set_levels("river=info", NULL), WEIR_EFULL);
    assert_ok(weir_log_set_module_level("module7", WEIR_LOG_LEVEL_INFO));
    start(WEIR_LOG_LEVEL_WARN);
    assert_true(weir_log_enabled(WEIR_LOG_LEVEL_WARN));
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_INFO));
    weir_log_stop();
}

static atomic_bool enough;

static void ask(void *user)
{
    while (!atomic_load(&enough))
        if (weir_log_enabled(WEIR_LOG_LEVEL_WARN))
            atomic_fetch_add((atomic_int *)user, 1);
}

TEST(log_module, levels_may_change_while_threads_log)
{
    weir_thread *threads[2];
    atomic_int seen = 0;
    start(WEIR_LOG_LEVEL_INFO);
    for (int i = 0; i < 2; i++)
        assert_ok(weir_thread_start(&threads[i], "asker", ask, &seen));
    for (int i = 0; i < 1000 || atomic_load(&seen) == 0; i++)
        set_levels(i % 2 ? "river=trace" : "river=off");
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++)
        weir_thread_join(threads[i]);
    weir_log_stop();
}

/* Limited lines. */

static void say_often(int times, int64_t interval_us)
{
    for (int i = 0; i < times; i++)
        WEIR_LOG_EVERY(WEIR_LOG_LEVEL_INFO, interval_us, "turn %d", i);
}

TEST(log_every, one_line_in_an_interval_and_the_next_says_how_many_were_left_out)
{
    start(WEIR_LOG_LEVEL_INFO);
    weir__log_limit limit = {0};
    uint64_t left_out = 9;
    assert_true(weir__log_due(&limit, WEIR_SECONDS(3600), &left_out));
    assert_int_equal(left_out, 0);
    for (int i = 0; i < 17; i++)
        assert_false(weir__log_due(&limit, WEIR_SECONDS(3600), &left_out));
    limit.next_us = 0; /* an hour later */
    assert_true(weir__log_due(&limit, WEIR_SECONDS(3600), &left_out));
    assert_int_equal(left_out, 17);
    say_often(100, WEIR_SECONDS(3600));
    weir_log_flush();
    assert_int_equal(text_lines(written), 1);
    assert_non_null(strstr(written, "turn 0\n"));
    say_often(5, 0);
    weir_log_stop();
    assert_int_equal(text_lines(written), 1);
}

TEST(log_every, the_count_stands_behind_the_message)
{
    static const weir__log_site site = {NULL, "a.c", "a.c:1 ", 6, 1, WEIR_LOG_LEVEL_INFO};
    start(WEIR_LOG_LEVEL_INFO);
    weir__log_write_counted(&site, 17, "refused %s", "politely");
    weir__log_write_counted(&site, UINT64_MAX, "%5000d", 1);
    weir_log_stop();
    assert_non_null(strstr(written, " a.c:1 refused politely (17 more left out)\n"));
    assert_non_null(strstr(written, "... (18446744073709551615 more left out)\n"));
    assert_in_range(written_len, WEIR_LOG_LINE_MAX, 2 * WEIR_LOG_LINE_MAX);
}

TEST(log_every, without_an_interval_every_line_is_written)
{
    start(WEIR_LOG_LEVEL_INFO);
    say_often(5, 0);
    weir_log_stop();
    assert_int_equal(text_lines(written), 5);
}
