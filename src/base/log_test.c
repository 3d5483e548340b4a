#include "test.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/log.h>
#include <weir/base/thread.h>

/** Collects what the log writes. */
typedef struct collector {
    char *text;
    size_t len;
    weir_latch *gate; /* waits for it before it takes anything */
} collector;

static void collect(const char *lines, size_t len, void *user)
{
    collector *c = user;
    if (c->gate)
        weir_latch_wait(c->gate);
    assert_int_equal(lines[len - 1], '\n');
    c->text = realloc(c->text, c->len + len + 1);
    memcpy(c->text + c->len, lines, len);
    c->len += len;
    c->text[c->len] = '\0';
}

static void start(collector *c, weir_log_level level)
{
    weir_log_opts opts = {.sink = collect, .sink_user = c, .level = level};
    assert_ok(weir_log_start(&opts));
}

static int count_lines(const char *text)
{
    int lines = 0;
    for (; text && (text = strchr(text, '\n')); text++)
        lines++;
    return lines;
}

/** The message of line `n`, which is overwritten with NULs. */
static const char *message_of(collector *c, int n)
{
    char *line = c->text;
    while (n-- > 0)
        line = strchr(line, '\n') + 1;
    line = strstr(line, "log_test.c:");
    assert_non_null(line);
    *strchr(line, '\n') = '\0';
    return strchr(line, ' ') + 1;
}

TEST(log, it_is_off_until_it_is_started)
{
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    weir_log_set_level(WEIR_LOG_LEVEL_TRACE);
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    WEIR_LOG_ERROR("nobody sees this");
    weir_log_flush();
    weir_log_stop();
    weir_log_stats stats;
    weir_log_get_stats(&stats);
    assert_int_equal(stats.lines + stats.dropped + stats.bytes, 0);
}

TEST(log, a_line_has_time_level_thread_place_and_message)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    WEIR_LOG_WARN("%s is %d", "the answer", 42);
    int line = __LINE__ - 1;
    weir_log_stop();
    char expected[100];
    snprintf(expected, sizeof expected, "Z WARN  %d log_test.c:%d the answer is 42\n",
             weir_thread_id(), line);
    assert_int_equal(strlen("2026-01-31T12:34:56.123456"), 26);
    assert_string_equal(c.text + 26, expected);
    assert_true(isdigit((unsigned char)c.text[0]) && c.text[10] == 'T' && c.text[19] == '.');
    free(c.text);
}

TEST(log, formats_come_out_as_printf_makes_them)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_TRACE);
#define CHECK(...)                                                                                 \
    do {                                                                                           \
        char wanted[300];                                                                          \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                              \
        WEIR_LOG_INFO(__VA_ARGS__);                                                                \
        weir_log_flush();                                                                          \
        assert_string_equal(message_of(&c, 0), wanted);                                            \
        c.len = 0;                                                                                 \
    } while (0)
    const char *volatile none = NULL; /* so that the compiler does not see it */
    CHECK("plain");
    CHECK("%s", "");
    CHECK("%d %i %u %%", -1, INT32_MIN, UINT32_MAX);
    CHECK("%ld %lld %lu %llu", INT64_MIN, (long long)INT64_MAX, UINT64_MAX, 0ULL);
    CHECK("%zu %zd", SIZE_MAX, (ssize_t)-5);
    CHECK("%c%s%.*s%.*s|", 'x', "yz", 2, "abc", -1, "all");
    CHECK("%5d|%-5d|%05d|%+d", 1, 2, 3, 4);
    CHECK("%x %lX %o %p %hhd", 255, 255L, 8, (void *)0x10, (signed char)-3);
    CHECK("%f %.2e %g", 1.5, 12345.678, 0.1);
    CHECK("%d of %s then %8.3f and %d", 1, "two", 3.0, 4);
    CHECK("%s", none);
    CHECK("%10s|%.2s|%ls", "right", "cut", L"wide");
    CHECK("%jd %td %hd", (intmax_t)-7, (ptrdiff_t)-8, (short)9);
#undef CHECK
    weir_log_stop();
    free(c.text);
}

TEST(log, levels_below_the_one_in_force_are_not_written)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_WARN);
    WEIR_LOG_INFO("no");
    WEIR_LOG_ERROR("yes");
    weir_log_set_level(WEIR_LOG_LEVEL_DEBUG);
    WEIR_LOG_TRACE("no");
    WEIR_LOG_DEBUG("yes");
    weir_log_stop();
    assert_int_equal(count_lines(c.text), 2);
    assert_null(strstr(c.text, "no\n"));
    free(c.text);
}

TEST(log, a_message_cannot_forge_a_line)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    WEIR_LOG_INFO("bad\nERROR\r%s", "a\nb");
    weir_log_stop();
    assert_int_equal(count_lines(c.text), 1);
    assert_string_equal(message_of(&c, 0), "bad ERROR a b");
    free(c.text);
}

TEST(log, a_long_line_is_cut_between_characters_and_marked)
{
    collector c = {0};
    char *text = malloc(10001);
    start(&c, WEIR_LOG_LEVEL_INFO);
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i < 10000; i++)
            text[i] = "\xe4\xbd\xa0"[(i - shift) % 3];
        text[10000] = '\0';
        WEIR_LOG_INFO("%s", text);
        weir_log_flush();
        assert_in_range(c.len, WEIR_LOG_LINE_MAX - 3, WEIR_LOG_LINE_MAX);
        assert_int_equal(count_lines(c.text), 1);
        assert_string_equal(c.text + c.len - 7, "\xe4\xbd\xa0...\n");
        c.len = 0;
    }
    weir_log_stop();
    free(text);
    free(c.text);
}

TEST(log, a_message_that_just_fits_is_whole)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    for (int width = 3900; width < 4200; width++)
        WEIR_LOG_INFO("%*d", width, 7);
    weir_log_stop();
    assert_int_equal(count_lines(c.text), 300);
    for (char *line = c.text; *line; line = strchr(line, '\n') + 1)
        assert_true(strcspn(line, "\n") < WEIR_LOG_LINE_MAX);
    free(c.text);
}

enum {
    THREADS = 4,
    LINES = 5000
};

static void log_many(void *user)
{
    for (int i = 0; i < LINES; i++)
        WEIR_LOG_INFO("producer %d line %d", *(int *)user, i);
}

TEST(log, threads_that_are_gone_have_lost_nothing_and_kept_their_order)
{
    collector c = {0};
    weir_thread *threads[THREADS];
    int numbers[THREADS], next[THREADS] = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_ok(weir_thread_start(&threads[i], "producer", log_many, &numbers[i]));
    }
    for (int i = 0; i < THREADS; i++)
        weir_thread_join(threads[i]);
    weir_log_stop();
    int producer, number;
    char *line = c.text, *all = c.text + c.len;
    for (char *end; (end = memchr(line, '\n', (size_t)(all - line))); line = end + 1) {
        *end = '\0';
        const char *at = strstr(line, "producer ");
        assert_non_null(at);
        assert_int_equal(sscanf(at, "producer %d line %d", &producer, &number), 2);
        assert_int_equal(number, next[producer]++);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES);
    weir_log_stats stats;
    weir_log_get_stats(&stats);
    assert_int_equal(stats.lines, THREADS * LINES);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.bytes, c.len);
    free(c.text);
}

TEST(log, when_the_writer_is_stuck_lines_are_dropped_and_counted)
{
    weir_latch gate;
    weir_latch_init(&gate, 1);
    collector c = {.gate = &gate};
    weir_log_opts opts = {
        .sink = collect, .sink_user = &c, .level = WEIR_LOG_LEVEL_INFO, .buffer_bytes = 100000};
    assert_ok(weir_log_start(&opts));
    for (int i = 0; i < 5000; i++)
        WEIR_LOG_INFO("line %d", i);
    weir_log_stats stats;
    weir_log_get_stats(&stats);
    assert_true(stats.dropped > 0);
    assert_true(stats.lines > 500);
    assert_int_equal(stats.lines + stats.dropped, 5000);
    weir_latch_down(&gate);
    weir_log_flush();
    WEIR_LOG_INFO("goes on");
    weir_log_stop();
    char expected[60];
    snprintf(expected, sizeof expected, " %d lines dropped: ", (int)stats.dropped);
    assert_non_null(strstr(c.text, expected));
    assert_non_null(strstr(c.text, "goes on\n"));
    assert_int_equal(count_lines(c.text), stats.lines + 2);
    assert_true(stats.lines * 50 < 100000);
    weir_latch_fini(&gate);
    free(c.text);
}

TEST(log, a_flush_brings_everything_before_it)
{
    collector c = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    for (int i = 1; i <= 200; i++) {
        WEIR_LOG_INFO("line %d", i);
        weir_log_flush();
        assert_int_equal(count_lines(c.text), i);
    }
    weir_log_stop();
    free(c.text);
}

TEST(log, starts_and_stops_are_counted)
{
    collector c = {0}, unused = {0};
    start(&c, WEIR_LOG_LEVEL_INFO);
    start(&unused, WEIR_LOG_LEVEL_TRACE);
    weir_log_stop();
    WEIR_LOG_INFO("still on");
    weir_log_stop();
    WEIR_LOG_INFO("off");
    weir_log_stop();
    assert_int_equal(count_lines(c.text), 1);
    assert_null(unused.text);
    start(&unused, WEIR_LOG_LEVEL_INFO);
    WEIR_LOG_INFO("on again");
    weir_log_stop();
    assert_int_equal(count_lines(unused.text), 1);
    free(c.text);
    free(unused.text);
}

static atomic_bool enough;

static void log_until_enough(void *user)
{
    for (int i = 0; !atomic_load(&enough); i++)
        WEIR_LOG_INFO("line %d of %p", i, user);
}

static void throw_away(const char *lines, size_t len, void *user)
{
    *(size_t *)user += len + (lines[0] == '\0');
}

TEST(log, threads_may_log_while_it_stops_and_starts)
{
    weir_thread *threads[3];
    size_t bytes = 0;
    for (int i = 0; i < 3; i++)
        assert_ok(weir_thread_start(&threads[i], "producer", log_until_enough, NULL));
    for (int i = 0; i < 100; i++) {
        weir_log_opts opts = {.sink = throw_away, .sink_user = &bytes, .buffer_bytes = 200000};
        assert_ok(weir_log_start(&opts));
        WEIR_LOG_INFO("round %d", i);
        if (i % 2)
            weir_log_flush();
        weir_log_stop();
    }
    atomic_store(&enough, true);
    for (int i = 0; i < 3; i++)
        weir_thread_join(threads[i]);
    assert_true(bytes > 0);
}

static void read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

TEST(log, a_file_is_appended_to)
{
    char path[] = "/tmp/weir-log-test-XXXXXX", text[1000];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "before\n", 7), 7);
    close(fd);
    weir_log_opts opts = {.file = path};
    for (int i = 0; i < 2; i++) {
        assert_ok(weir_log_start(&opts));
        WEIR_LOG_INFO("line %d", i);
        weir_log_stop();
    }
    read_file(path, text, sizeof text);
    assert_int_equal(count_lines(text), 3);
    assert_memory_equal(text, "before\n", 7);
    assert_non_null(strstr(text, "line 1\n"));
    unlink(path);
}

TEST(log, a_file_that_cannot_be_opened_is_an_error)
{
    assert_err(weir_log_start(&(weir_log_opts){.file = "/nowhere/at/all"}), WEIR_ENOENT);
    assert_false(weir_log_enabled(WEIR_LOG_LEVEL_ERROR));
    weir_log_stop();
}

TEST(log, lines_that_the_disk_refuses_are_counted)
{
    weir_log_stats stats;
    assert_ok(weir_log_start(&(weir_log_opts){.file = "/dev/full"}));
    for (int i = 0; i < 10; i++)
        WEIR_LOG_INFO("line %d", i);
    weir_log_stop();
    weir_log_get_stats(&stats);
    assert_int_equal(stats.dropped, 10);
    assert_int_equal(stats.bytes, 0);
}

/** In a child: its log is off, and can be started anew. */
static int log_in_child(const char *path)
{
    if (weir_log_enabled(WEIR_LOG_LEVEL_ERROR))
        return 1;
    weir_log_flush();
    weir_log_stop();
    if (WEIR_TSAN)
        return 0; /* it refuses threads in the child of a process that had some */
    if (weir_log_start(&(weir_log_opts){.file = path}) != WEIR_OK)
        return 2;
    WEIR_LOG_INFO("the child");
    weir_log_stop();
    return 0;
}

TEST(log, nothing_is_lost_when_a_program_exits_without_stopping_it)
{
    char path[] = "/tmp/weir-log-exit-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    pid_t child = fork();
    if (child == 0) {
        if (weir_log_start(&(weir_log_opts){.file = path, .level = WEIR_LOG_LEVEL_INFO}))
            _exit(1);
        for (int i = 0; i < 1000; i++)
            WEIR_LOG_INFO("last words %d", i);
        exit(0);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    FILE *file = fdopen(fd, "r");
    char line[256] = "";
    int lines = 0;
    while (fgets(line, sizeof line, file))
        lines++;
    assert_int_equal(lines, 1000);
    assert_non_null(strstr(line, "last words 999\n"));
    fclose(file);
    unlink(path);
}

TEST(log, a_forked_child_starts_its_own)
{
    char path[] = "/tmp/weir-log-test-XXXXXX", text[1000];
    close(mkstemp(path));
    assert_ok(weir_log_start(&(weir_log_opts){.file = path}));
    WEIR_LOG_INFO("the parent");
    /* The writer sleeps then: a fork while it allocates would hang the child under
     * AddressSanitizer. */
    weir_log_flush();
    pid_t child = fork();
    if (child == 0)
        _exit(log_in_child(path));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    weir_log_stop();
    read_file(path, text, sizeof text);
    assert_int_equal(count_lines(text), WEIR_TSAN ? 1 : 2);
    assert_true(WEIR_TSAN || strstr(text, "the child\n"));
    assert_non_null(strstr(text, "the parent\n"));
    unlink(path);
}
