/* What happens when the buffers are full and calls wait. */
#include "log_test.h"

#include <stdatomic.h>
#include <weir/base/thread.h>

enum {
    THREADS = 8,
    LINES = 3000
};

static weir_latch gate;
static size_t lines_seen;

static void collect(const char *lines, size_t len, void *user WEIR_UNUSED)
{
    weir_latch_wait(&gate);
    for (const char *end = lines + len; (lines = memchr(lines, '\n', (size_t)(end - lines)));)
        lines++, lines_seen++;
}

static void start(weir_log_sink_fn sink)
{
    weir_log_opts opts = {.sink = sink,
                          .level = WEIR_LOG_LEVEL_INFO,
                          .when_full = WEIR_LOG_BLOCK,
                          .buffer_bytes = 40000};
    weir_latch_init(&gate, 1);
    assert_ok(weir_log_start(&opts));
}

static atomic_int ended;

static void log_many(void *user)
{
    for (int i = 0; i < LINES; i++)
        WEIR_LOG_INFO("producer %p line %d", user, i);
    atomic_fetch_add(&ended, 1);
}

/** More threads than the buffer has chunks: each may have two in any case, so none waits for ever.
 */
TEST(log_full, producers_wait_for_the_writer_and_nothing_is_lost)
{
    weir_thread *threads[THREADS];
    weir_log_stats stats;
    start(collect);
    for (int i = 0; i < THREADS; i++)
        assert_ok(weir_thread_start(&threads[i], "producer", log_many, NULL));
    do
        weir_log_get_stats(&stats); /* all wait now, or will */
    while (stats.lines < 8 * 2 * 50);
    assert_int_equal(atomic_load(&ended), 0);
    weir_latch_down(&gate);
    for (int i = 0; i < THREADS; i++)
        weir_thread_join(threads[i]);
    weir_log_stop();
    weir_log_get_stats(&stats);
    assert_int_equal(stats.dropped, 0);
    assert_int_equal(stats.lines, THREADS * LINES);
    assert_int_equal(lines_seen, THREADS * LINES);
    weir_latch_fini(&gate);
}

/** Its own lines would wait for itself. */
static void log_in_sink(const char *lines, size_t len, void *user)
{
    collect(lines, len, user);
    for (int i = 0; i < 2000; i++)
        WEIR_LOG_ERROR("a line of the sink's own");
    weir_log_set_level(WEIR_LOG_LEVEL_OFF);
}

TEST(log_full, a_sink_that_logs_is_never_blocked)
{
    weir_log_stats stats;
    start(log_in_sink);
    weir_latch_down(&gate);
    WEIR_LOG_INFO("begin");
    weir_log_flush();
    weir_log_stop();
    weir_log_get_stats(&stats);
    assert_true(stats.dropped > 0);
    assert_int_equal(stats.lines + stats.dropped, 2001);
    weir_latch_fini(&gate);
}

TEST(log_full, a_stop_lets_go_of_those_who_wait)
{
    weir_thread *thread;
    weir_log_stats stats;
    start(collect);
    assert_ok(weir_thread_start(&thread, "producer", log_many, NULL));
    do
        weir_log_get_stats(&stats);
    while (stats.lines < 200);
    weir_latch_down(&gate);
    weir_log_stop();
    weir_thread_join(thread);
    assert_int_equal(atomic_load(&ended), 1);
    weir_latch_fini(&gate);
}
