/* weir-bench-log: what a log call costs the caller, and how fast the lines reach the file. */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/base/log.h>
#include <weir/base/thread.h>
#include <weir/base/time.h>

enum {
    MAX_THREADS = 256
};

static int64_t threads = 1, messages = 1000000, buffer_mib = 32;
static const char *file;

static const struct option_row rows[] = {
    {"threads", "N", "threads that log at the same time (default 1)", OPTION_NUMBER, &threads, 1,
     MAX_THREADS},
    {"messages", "M", "lines that each of them logs (default 1000000)", OPTION_NUMBER, &messages, 1,
     1000000000},
    {"file", "F", "written anew (default: one that is removed afterwards)", OPTION_TEXT, &file, 0,
     0},
    {"buffer", "MIB",
     "memory for lines on their way to the file (default 32); when it is full, calls wait",
     OPTION_NUMBER, &buffer_mib, 1, 65536},
};

static const struct program program = {
    .name = "weir-bench-log",
    .summary = "Measures the log: the cost of a call to its caller, and the way to the file.",
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
};

struct producer {
    weir_thread *thread;
    weir_latch *go;
    int number;
    int64_t took_us;
    int64_t cpu_us;
};

static int64_t thread_cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return WEIR_SECONDS(ts.tv_sec) + ts.tv_nsec / 1000;
}

static void produce(void *user)
{
    struct producer *producer = user;
    weir_latch_wait(producer->go);
    weir_time start = weir_time_now();
    int64_t cpu_us = thread_cpu_us();
    for (int64_t i = 0; i < messages; i++)
        WEIR_LOG_INFO("message %d of thread %d: the quick brown fox jumps over the lazy dog",
                      (int)i, producer->number);
    producer->took_us = weir_time_diff(weir_time_now(), start);
    producer->cpu_us = thread_cpu_us() - cpu_us;
}

/**
 * @param sum  its times are those of all producers together
 * @return false: a thread could not be started
 */
static bool run_producers(struct producer *sum)
{
    static struct producer producers[MAX_THREADS];
    weir_latch go;
    bool ok = true;
    weir_latch_init(&go, 1);
    for (int i = 0; i < threads && ok; i++) {
        producers[i] = (struct producer){.go = &go, .number = i};
        ok = weir_thread_start(&producers[i].thread, "producer", produce, &producers[i]) == WEIR_OK;
    }
    weir_latch_down(&go);
    for (int i = 0; i < threads; i++) {
        weir_thread_join(producers[i].thread);
        sum->took_us += producers[i].took_us;
        sum->cpu_us += producers[i].cpu_us;
    }
    weir_latch_fini(&go);
    return ok;
}

/** @return lines in the file, -1 if it cannot be read */
static int64_t count_lines(int64_t *bytes)
{
    static char block[1 << 16];
    int64_t lines = 0;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    *bytes = 0;
    while (fd >= 0 && (n = read(fd, block, sizeof block)) > 0) {
        *bytes += n;
        for (const char *at = block; (at = memchr(at, '\n', (size_t)(block + n - at))); at++)
            lines++;
    }
    if (fd >= 0)
        close(fd);
    return n == 0 ? lines : -1;
}

static int report(const struct producer *sum, int64_t took_us)
{
    int64_t bytes, lines = count_lines(&bytes);
    if (lines < 0)
        return failure(&program, "%s: %s", file, strerror(errno));
    weir_log_stats stats;
    weir_log_get_stats(&stats);
    double seconds = (double)took_us / 1e6, calls = (double)(threads * messages);
    printf("%.1f ns per call on the front end, %.1f ns of it on a CPU\n",
           (double)sum->took_us * 1e3 / calls, (double)sum->cpu_us * 1e3 / calls);
    printf("%.0f messages/s, %.1f MB/s to %s\n", (double)stats.lines / seconds,
           (double)bytes / 1e6 / seconds, file);
    printf("%lld lines in the file, %llu logged, %llu dropped\n", (long long)lines,
           (unsigned long long)stats.lines, (unsigned long long)stats.dropped);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    options_read(&program, argc, argv);
    bool keep = file != NULL;
    if (!keep)
        file = "weir-bench-log.txt";
    int emptied = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (emptied < 0)
        return failure(&program, "%s: %s", file, strerror(errno));
    close(emptied);
    weir_log_opts opts = {.file = file,
                          .level = WEIR_LOG_LEVEL_INFO,
                          .when_full = WEIR_LOG_BLOCK,
                          .buffer_bytes = (size_t)buffer_mib << 20};
    weir_err err = weir_log_start(&opts);
    if (err)
        return failure(&program, "%s: %s", file, weir_err_text(err));
    weir_time start = weir_time_now();
    struct producer sum = {0};
    bool ok = run_producers(&sum);
    weir_log_stop();
    if (!ok)
        return failure(&program, "could not start %lld threads", (long long)threads);
    int status = report(&sum, weir_time_diff(weir_time_now(), start));
    if (!keep)
        unlink(file);
    return status;
}
