/* Children log and die; their files must have every line once. */
#include "log_test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <weir/base/thread.h>

enum {
    THREADS = 3,
    LINES = 2000,
    LAST_LINES = 100, /* after a flush: nothing but the crash makes them be written soon */
    MANY = 100000,
    TOGETHER = 4 /* threads that crash at the same time */
};

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

typedef struct producer {
    weir_thread *thread;
    int number;
    weir_latch *begun, *go, *done;
} producer;

/** The sanitizers have handlers of their own, and would answer for us. */
static void use_default_handlers(void)
{
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
}

static void start(const char *file)
{
    weir_log_opts opts = {.file = file, .level = WEIR_LOG_LEVEL_INFO, .when_full = WEIR_LOG_BLOCK};
    if (weir_log_start(&opts))
        _exit(1);
    use_default_handlers();
    weir_log_flush_on_crash();
    weir_log_flush_on_crash();
}

static void log_from_to(int number, int from, int to)
{
    for (int i = from; i < to; i++)
        WEIR_LOG_INFO("producer %d line %d", number, i);
}

static void log_lines(void *user)
{
    producer *p = user;
    log_from_to(p->number, 0, LINES - LAST_LINES);
    weir_latch_down(p->begun);
    weir_latch_wait(p->go);
    log_from_to(p->number, LINES - LAST_LINES, LINES);
    weir_latch_down(p->done);
    for (;;)
        pause(); /* stays alive, as a thread of a server would */
}

/** Several threads log, the last lines are still in memory, and so are the threads. */
static void log_in_threads(void)
{
    static producer producers[THREADS];
    static weir_latch begun, go, done;
    weir_latch_init(&begun, THREADS);
    weir_latch_init(&go, 1);
    weir_latch_init(&done, THREADS);
    for (int i = 0; i < THREADS; i++) {
        producers[i] = (producer){.number = i, .begun = &begun, .go = &go, .done = &done};
        if (weir_thread_start(&producers[i].thread, "producer", log_lines, &producers[i]))
            _exit(1);
    }
    weir_latch_wait(&begun);
    weir_log_flush();
    weir_latch_down(&go);
    weir_latch_wait(&done);
}

static int status_of(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_every_line_once(const char *file)
{
    char text[200];
    int next[THREADS] = {0}, number, line;
    FILE *in = fopen(file, "r");
    while (fgets(text, sizeof text, in)) {
        const char *at = strstr(text, "producer ");
        if (!at)
            continue;
        assert_int_equal(sscanf(at, "producer %d line %d", &number, &line), 2);
        assert_int_equal(line, next[number]++);
    }
    fclose(in);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES);
}

static int count(const char *file, const char *what)
{
    char *text = file_text(file);
    int found = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        found++;
    free(text);
    return found;
}

TEST(log_crash, each_signal_leaves_every_line_in_the_file_and_ends_the_process_as_ever)
{
    static const char *const names[] = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"};
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        folder f = folder_new();
        pid_t child = fork();
        if (child == 0) {
            start(f.file);
            log_in_threads();
            raise(crashes[i]);
            _exit(0);
        }
        int status = status_of(child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), crashes[i]);
        assert_every_line_once(f.file);
        assert_int_equal(count(f.file, names[i]), 1);
        assert_int_equal(file_lines(f.file), THREADS * LINES + 1);
        folder_remove(&f);
    }
}

/** What the processor raises comes also where other signals are blocked. */
static void fault(void *user)
{
    *(volatile int *)user = 1;
}

static void fault_in_thread(void)
{
    weir_thread *thread;
    void *forbidden = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (weir_thread_start(&thread, "culprit", fault, forbidden))
        _exit(1);
    weir_thread_join(thread);
}

TEST(log_crash, a_fault_in_a_thread_of_weirs_is_covered_too)
{
    folder f = folder_new();
    pid_t child = fork();
    if (child == 0) {
        start(f.file);
        log_in_threads();
        fault_in_thread();
        _exit(0);
    }
    assert_int_equal(WTERMSIG(status_of(child)), SIGSEGV);
    assert_every_line_once(f.file);
    folder_remove(&f);
}

static int overflow(volatile char *before)
{
    volatile char here[4096];
    here[0] = before ? before[0] : '\0';
    return here[0] == 'x' ? 0 : overflow(here) + here[0];
}

TEST(log_crash, a_stack_that_is_used_up_has_another_one_for_the_handler)
{
    folder f = folder_new();
    pid_t child = fork();
    if (child == 0) {
        start(f.file);
        WEIR_LOG_INFO("first words");
        weir_log_flush();
        WEIR_LOG_INFO("last words");
        _exit(overflow(NULL));
    }
    assert_int_equal(WTERMSIG(status_of(child)), SIGSEGV);
    assert_int_equal(count(f.file, "last words"), 1);
    folder_remove(&f);
}

static void *crash_together(void *user)
{
    pthread_barrier_wait(user);
    abort();
}

TEST(log_crash, threads_that_crash_at_the_same_time_write_everything_once)
{
    for (int round = 0; round < 5; round++) {
        folder f = folder_new();
        pid_t child = fork();
        if (child == 0) {
            pthread_barrier_t together;
            pthread_t thread;
            start(f.file);
            log_in_threads();
            pthread_barrier_init(&together, NULL, TOGETHER);
            for (int i = 1; i < TOGETHER; i++)
                pthread_create(&thread, NULL, crash_together, &together);
            crash_together(&together);
        }
        assert_int_equal(WTERMSIG(status_of(child)), SIGABRT);
        assert_every_line_once(f.file);
        folder_remove(&f);
    }
}

static void log_for_ever(void *user)
{
    for (int i = 0;; i++) {
        WEIR_LOG_INFO("line %d.", i);
        if (i == MANY)
            weir_latch_down(user);
    }
}

/** All lines are whole and numbered from 0, but the last. @return how many */
static int lines_in_order(FILE *in)
{
    char text[200];
    int next = 0;
    while (fgets(text, sizeof text, in)) {
        const char *at = strstr(text, " line ");
        assert_int_equal(text[strlen(text) - 1], '\n');
        assert_true(at || strstr(text, "SIGABRT"));
        if (at)
            assert_int_equal(atoi(at + 6), next++);
    }
    fclose(in);
    return next;
}

/** What is being written must neither be torn nor come twice: the writer is at work all the time.
 */
TEST(log_crash, while_others_go_on_logging_lines_stay_whole_and_in_order)
{
    for (int round = 0; round < 10; round++) {
        folder f = folder_new();
        pid_t child = fork();
        if (child == 0) {
            weir_thread *thread;
            weir_latch ready;
            weir_latch_init(&ready, 1);
            start(f.file);
            if (weir_thread_start(&thread, "producer", log_for_ever, &ready))
                _exit(1);
            weir_latch_wait(&ready);
            abort();
        }
        assert_int_equal(WTERMSIG(status_of(child)), SIGABRT);
        assert_in_range(lines_in_order(fopen(f.file, "r")), MANY, INT32_MAX);
        folder_remove(&f);
    }
}

/** The writer is stuck within a write, with more to do. */
TEST(log_crash, a_crash_while_the_writer_is_within_a_write_doubles_nothing)
{
    folder f = folder_new();
    int ready[2];
    char byte;
    assert_int_equal(mkfifo(f.file, 0600), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        start(f.file);
        for (int i = 0; i < LINES * 10; i++) /* far more than a pipe holds */
            WEIR_LOG_INFO("line %d.", i);
        if (write(ready[1], "x", 1) == 1)
            abort();
        _exit(1);
    }
    FILE *in = fopen(f.file, "r");
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lines_in_order(in), LINES * 10);
    assert_int_equal(WTERMSIG(status_of(child)), SIGABRT);
    close(ready[0]);
    close(ready[1]);
    folder_remove(&f);
}

static atomic_int handled;

static void go_on(int number WEIR_UNUSED)
{
    atomic_fetch_add(&handled, 1);
}

TEST(log_crash, an_earlier_handler_is_called_and_the_log_goes_on_if_it_does)
{
    folder f = folder_new();
    signal(SIGABRT, go_on);
    signal(SIGFPE, SIG_IGN);
    weir_log_flush_on_crash();
    assert_ok(weir_log_start(&(weir_log_opts){.file = f.file}));
    WEIR_LOG_INFO("before");
    raise(SIGABRT);
    raise(SIGFPE);
    assert_int_equal(atomic_load(&handled), 1);
    assert_int_equal(file_lines(f.file), 2);
    WEIR_LOG_INFO("after");
    weir_log_stop();
    assert_int_equal(file_lines(f.file), 3);
    raise(SIGABRT);
    assert_int_equal(atomic_load(&handled), 2);
    folder_remove(&f);
}

TEST(log_crash, unasked_no_signal_is_taken)
{
    struct sigaction action;
    use_default_handlers();
    assert_ok(weir_log_start(&(weir_log_opts){.file = "/dev/null"}));
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        assert_int_equal(sigaction(crashes[i], NULL, &action), 0);
        assert_true(action.sa_handler == SIG_DFL);
    }
    weir_log_stop();
}

/** SIGKILL cannot be handled. What comes after the flush is little and waits for three seconds. */
TEST(log_crash, a_kill_loses_only_what_was_not_flushed)
{
    folder f = folder_new();
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        start(f.file);
        for (int i = 0; i < LINES; i++)
            WEIR_LOG_INFO("line %d.", i);
        weir_log_flush();
        WEIR_LOG_INFO("not flushed");
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(WTERMSIG(status_of(child)), SIGKILL);
    assert_int_equal(file_lines(f.file), LINES);
    assert_int_equal(count(f.file, "line 1999.\n"), 1);
    close(ready[0]);
    close(ready[1]);
    folder_remove(&f);
}
