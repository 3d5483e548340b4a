/* What was logged before a crash reaches the file. The handler takes no lock and no memory: it
 * keeps the writer out, walks the fronts and writes. All that it reads is whole at any instant:
 * lines count once `filled` says so, and links are set before they are published. */
#include "log_impl.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    STACK_BYTES = 64 << 10,
    WAIT_MS = 2000, /* for a write under way; after it, lines of that write may come twice */
    SIGNALS = 5
};

static weir__log *const shared = &weir__log_shared;

static const int numbers[SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const char *const names[SIGNALS] = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT"};
static struct sigaction earlier[SIGNALS]; /* before ours was installed */

static atomic_int inside;   /* the thread between enter() and leave(); 0: none */
static atomic_int crashing; /* the thread whose handler works; 0: none */

/** Without a cache in thread-local memory, which may not be there yet in a handler. */
static int thread_number(void)
{
    return (int)syscall(SYS_gettid);
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* Each side announces itself before it looks for the other: one of them at least sees the other. */

void weir__log_enter(void)
{
    int self = thread_number();
    atomic_store(&inside, self);
    while (atomic_load(&crashing)) {
        atomic_store(&inside, 0);
        while (atomic_load(&crashing))
            pause_ms(1);
        atomic_store(&inside, self);
    }
}

void weir__log_leave(void)
{
    atomic_store(&inside, 0);
}

void weir__log_crash_reset(void)
{
    atomic_store(&inside, 0);
    atomic_store(&crashing, 0);
}

/** @return false: this thread is crashing already */
static bool keep_others_out(int self)
{
    int nobody = 0;
    while (!atomic_compare_exchange_strong(&crashing, &nobody, self)) {
        if (nobody == self)
            return false;
        nobody = 0;
        pause_ms(1);
    }
    for (int waited = 0; waited < WAIT_MS; waited++) {
        int other = atomic_load(&inside);
        if (other == 0 || other == self)
            break;
        pause_ms(1);
    }
    return true;
}

static void write_chunk(int fd, weir__log_chunk *chunk)
{
    size_t filled = atomic_load_explicit(&chunk->filled, memory_order_acquire);
    size_t taken = atomic_load(&chunk->taken);
    if (filled > taken)
        weir__log_write_fd(fd, chunk->bytes + taken, filled - taken, &chunk->taken);
}

static void write_front(int fd, weir__log_front *front)
{
    weir__log_chunk *newest = atomic_load_explicit(&front->filling, memory_order_acquire);
    if (!newest)
        return;
    for (weir__log_chunk *chunk = front->oldest; chunk != newest; chunk = chunk->next)
        write_chunk(fd, chunk);
    write_chunk(fd, newest);
}

static size_t format_line(char *out, weir__log_cache *cache, const weir__log_entry *entry, ...)
{
    va_list args;
    va_start(args, entry);
    size_t len = weir__log_line(out, cache, entry, args);
    va_end(args);
    return len;
}

static void write_last_line(int fd, int self, const char *name)
{
    char line[WEIR_LOG_LINE_MAX];
    weir__log_cache cache;
    atomic_size_t written = 0;
    WEIR__LOG_SITE(WEIR_LOG_LEVEL_ERROR);
    weir__log_entry entry = {.site = &weir__site, .fmt = "%s: the process ends here"};
    weir__log_cache_init(&cache, self);
    weir__log_write_fd(fd, line, format_line(line, &cache, &entry, name), &written);
}

static void write_everything(const char *name)
{
    int self = thread_number();
    if (!atomic_load(&shared->running) || !keep_others_out(self))
        return;
    int fd = shared->file.fd;
    for (weir__log_front *front = shared->fronts; front; front = front->next)
        write_front(fd, front);
    write_last_line(fd, self, name);
    atomic_store(&crashing, 0); /* an earlier handler may know how to go on */
}

/**
 * A fault happens again when the handler returns, at the same instruction, with the core dump that
 * belongs to it; what another process or raise() sent has to be sent again.
 */
static void on_crash(int number, siginfo_t *info, void *context WEIR_UNUSED)
{
    for (int i = 0; i < SIGNALS; i++) {
        if (numbers[i] == number) {
            write_everything(names[i]);
            sigaction(number, &earlier[i], NULL);
        }
    }
    if (info->si_code <= 0)
        raise(number);
}

static void use_other_stack(void)
{
    static char memory[STACK_BYTES];
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && (now.ss_flags & SS_DISABLE))
        sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = sizeof memory}, NULL);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&action.sa_mask, numbers[i]);
    use_other_stack();
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(numbers[i], NULL, &earlier[i]) == 0 && earlier[i].sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

void weir_log_flush_on_crash(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}
