#include "log_file.h"
#include "log_test.h"

#include <sys/stat.h>
#include <weir/base/time.h>

#define NOON_US WEIR_SECONDS(1769860800) /* 2026-01-31T12:00:00Z */
#define DAY_US  WEIR_SECONDS(86400)

static int64_t now_us = NOON_US;

static weir_wall test_clock(void)
{
    return (weir_wall){__atomic_load_n(&now_us, __ATOMIC_SEQ_CST)};
}

static void advance(int64_t us)
{
    __atomic_fetch_add(&now_us, us, __ATOMIC_SEQ_CST);
}

static void start(const folder *f, weir_log_opts opts)
{
    weir__log_file_clock = test_clock;
    opts.file = f->file;
    opts.level = WEIR_LOG_LEVEL_INFO;
    assert_ok(weir_log_start(&opts));
}

static void say(const char *text)
{
    WEIR_LOG_INFO("%s", text);
    weir_log_flush();
}

static bool says(const char *path, const char *what)
{
    char *text = file_text(path);
    bool found = strstr(text, what) != NULL;
    free(text);
    return found;
}

TEST(log_file, it_is_rolled_before_it_grows_beyond_its_limit_and_loses_no_line)
{
    folder f = folder_new();
    start(&f, (weir_log_opts){.roll_bytes = 10000});
    for (int i = 0; i < 1000; i++)
        WEIR_LOG_INFO("line %d", i);
    weir_log_stop();
    int next = 0, files = 0;
    struct stat st;
    for (const char *path; (path = folder_file(&f, "log", files + 1)); files++) {
        assert_int_equal(stat(path, &st), 0);
        assert_in_range(st.st_size, 9000, 10000);
    }
    for (int i = 1; i <= files + 1; i++) {
        char *text = file_text(i <= files ? folder_file(&f, "log", i) : f.file);
        for (const char *at = text; (at = strstr(at, " line ")); at++)
            assert_int_equal(atoi(at + 6), next++);
        free(text);
    }
    assert_int_equal(next, 1000);
    assert_in_range(files, 4, 10);
    folder_remove(&f);
}

TEST(log_file, a_line_that_is_longer_than_the_limit_has_a_file_of_its_own)
{
    folder f = folder_new();
    start(&f, (weir_log_opts){.roll_bytes = 10});
    for (int i = 0; i < 5; i++)
        WEIR_LOG_INFO("line %d", i);
    weir_log_stop();
    for (int i = 0; i < 5; i++)
        assert_int_equal(file_lines(folder_file(&f, "log", i)), 1);
    assert_null(folder_file(&f, "log", 5));
    folder_remove(&f);
}

TEST(log_file, a_rolled_file_is_named_after_the_time_and_the_process)
{
    folder f = folder_new();
    start(&f, (weir_log_opts){.roll_bytes = 10});
    say("first");
    say("second");
    weir_log_stop();
    char expected[100];
    snprintf(expected, sizeof expected, "%s.20260131-120000.000000.%d", f.file, (int)getpid());
    assert_string_equal(folder_file(&f, "log", 1), expected);
    assert_true(says(expected, "first"));
    assert_true(says(f.file, "second"));
    folder_remove(&f);
}

TEST(log_file, a_new_day_begins_a_new_file)
{
    folder f = folder_new();
    start(&f, (weir_log_opts){.roll_daily = true});
    say("today");
    advance(DAY_US / 2 - 1);
    say("one microsecond before midnight");
    assert_null(folder_file(&f, "log", 1));
    advance(1);
    say("tomorrow");
    weir_log_stop();
    assert_int_equal(file_lines(folder_file(&f, "log", 1)), 2);
    assert_int_equal(file_lines(f.file), 1);
    assert_true(says(f.file, "tomorrow"));
    assert_non_null(folder_file(&f, "log.20260201-000000.", 0));
    folder_remove(&f);
}

TEST(log_file, one_that_was_left_from_an_earlier_day_is_rolled_first)
{
    folder f = folder_new();
    start(&f, (weir_log_opts){0});
    say("written by a process that is gone");
    weir_log_stop();
    now_us = weir_wall_now().us + DAY_US;
    start(&f, (weir_log_opts){.roll_daily = true});
    say("new");
    weir_log_stop();
    assert_int_equal(file_lines(f.file), 1);
    assert_true(says(folder_file(&f, "log", 1), "gone"));
    folder_remove(&f);
}

TEST(log_file, only_so_many_rolled_ones_are_kept_and_nothing_else_is_touched)
{
    static const char *const others[] = {"log.20260101-000000.000000.x", "log.gz", "log2",
                                         "log.20250101-000000.000000.1x"};
    folder f = folder_new();
    char path[200];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/%s", f.path, others[i]);
        fclose(fopen(path, "w"));
    }
    start(&f, (weir_log_opts){.roll_daily = true, .keep_files = 3});
    for (int day = 0; day < 10; day++, advance(DAY_US))
        say("another day");
    weir_log_stop();
    assert_non_null(folder_file(&f, "log.20260207-", 0));
    assert_non_null(folder_file(&f, "log.20260209-", 0));
    assert_null(folder_file(&f, "log.20260206-", 0));
    assert_null(folder_file(&f, "log", 8)); /* the live one, 3 rolled, 4 others */
    assert_non_null(folder_file(&f, "log", 7));
    folder_remove(&f);
}

TEST(log_file, after_a_rename_by_somebody_else_it_is_opened_by_its_name_again)
{
    folder f = folder_new();
    char moved[100];
    snprintf(moved, sizeof moved, "%s.1", f.file);
    start(&f, (weir_log_opts){0});
    say("before");
    assert_int_equal(rename(f.file, moved), 0);
    say("still there");
    weir_log_reopen();
    say("after");
    weir_log_stop();
    assert_int_equal(file_lines(moved), 2);
    assert_int_equal(file_lines(f.file), 1);
    assert_true(says(f.file, "after"));
    folder_remove(&f);
}

TEST(log_file, one_that_cannot_be_opened_again_stays_in_use_and_says_so)
{
    folder f = folder_new(), moved = folder_new();
    start(&f, (weir_log_opts){0});
    assert_int_equal(rmdir(moved.path), 0);
    assert_int_equal(rename(f.path, moved.path), 0);
    weir_log_reopen();
    say("not lost");
    weir_log_stop();
    assert_true(says(moved.file, "not lost"));
    assert_true(says(moved.file, "the log stays in its old file"));
    folder_remove(&moved);
}

TEST(log_file, what_is_no_regular_file_is_not_rolled)
{
    folder f = folder_new();
    assert_int_equal(mkfifo(f.file, 0600), 0);
    FILE *reader = fopen(f.file, "r+");
    char line[200];
    start(&f, (weir_log_opts){.roll_bytes = 10});
    say("first");
    say("second");
    weir_log_stop();
    assert_non_null(fgets(line, sizeof line, reader));
    assert_non_null(fgets(line, sizeof line, reader));
    assert_non_null(strstr(line, "second"));
    assert_null(folder_file(&f, "log", 1));
    fclose(reader);
    folder_remove(&f);
}

TEST(log_file, a_roll_that_fails_loses_nothing)
{
    folder f = folder_new(), moved = folder_new();
    start(&f, (weir_log_opts){.roll_bytes = 10});
    assert_int_equal(rmdir(moved.path), 0);
    assert_int_equal(rename(f.path, moved.path), 0);
    for (int i = 0; i < 3; i++)
        say("not lost");
    weir_log_stop();
    assert_true(says(moved.file, "the log stays in its old file"));
    char *text = file_text(moved.file);
    int found = 0;
    for (const char *at = text; (at = strstr(at, "not lost")); at++)
        found++;
    assert_int_equal(found, 3);
    free(text);
    folder_remove(&moved);
}
