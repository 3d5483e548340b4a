/* The master of several processes: a table of children and a loop around sigtimedwait(). */
#include <weir/net/prefork.h>

#include "listen_socket.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/base/base.h>

enum {
    GENERATIONS = 4, /* of workers that may be alive at once: beyond that, no reload */
    LAST_GRACE_S = 1
};

typedef enum child_state {
    EMPTY,
    SERVING, /* its slot's current worker */
    COMING,  /* to replace the current worker when it is ready */
    ENDING   /* told to stop or leave */
} child_state;

typedef struct child {
    child_state state;
    pid_t pid;
    unsigned slot;
    weir_time started;
    weir_time kill_at; /* ENDING */
} child;

/** A socket and what became of its worker. */
typedef struct slot {
    int fd;
    int64_t delay_us;     /* before the next restart */
    weir_time restart_at; /* never: its worker runs */
} slot;

struct weir_prefork {
    weir_prefork_opts opts;
    weir_addr addr;
    weir_prefork_fn fn;
    void *user;
    sigset_t set, earlier;
    bool stopping;
    bool terminating;   /* it was told to stop, not to leave */
    atomic_bool *ready; /* shared with the workers, a place for each child */
    unsigned slot_count, child_count;
    slot *slots;
    child *children;
};

/* The signals */

static void fill_set(sigset_t *set)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGCHLD, SIGUSR2};
    sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(set, numbers[i]);
}

/* Children */

static child *find_child(weir_prefork *master, unsigned number, child_state state)
{
    for (unsigned i = 0; i < master->child_count; i++)
        if (master->children[i].state == state &&
            (state == EMPTY || master->children[i].slot == number))
            return &master->children[i];
    return NULL;
}

static void set_worker_signals(const weir_prefork *master)
{
    sigset_t mask = master->earlier;
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGQUIT);
    sigaddset(&mask, SIGHUP);
    signal(SIGINT, SIG_IGN);
    sigprocmask(SIG_SETMASK, &mask, NULL);
}

/** In the new process. */
static WEIR_NORETURN void be_worker(weir_prefork *master, const child *self, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    set_worker_signals(master);
    for (unsigned i = 0; i < master->slot_count; i++)
        if (i != self->slot && master->slots[i].fd != master->slots[self->slot].fd)
            close(master->slots[i].fd);
    weir_prefork_worker worker = {.number = self->slot,
                                  .fd = master->slots[self->slot].fd,
                                  .addr = &master->addr,
                                  .master = master,
                                  .place = (unsigned)(self - master->children)};
    exit(master->fn(&worker, master->user));
}

void weir_prefork_ready(const weir_prefork_worker *worker)
{
    atomic_store(&worker->master->ready[worker->place], true);
    kill(getppid(), SIGUSR2);
}

static weir_err start_worker(weir_prefork *master, unsigned number, child_state state)
{
    child *c = find_child(master, 0, EMPTY);
    if (!c)
        return WEIR_EFULL;
    pid_t parent = getpid();
    c->slot = number;
    c->started = weir_time_now();
    atomic_store(&master->ready[c - master->children], false);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        return weir_err_from_errno(errno);
    if (pid == 0)
        be_worker(master, c, parent);
    c->pid = pid;
    c->state = state;
    return WEIR_OK;
}

static void restart_later(weir_prefork *master, unsigned number)
{
    slot *s = &master->slots[number];
    s->restart_at = weir_time_add(weir_time_now(), s->delay_us);
    s->delay_us = s->delay_us > master->opts.backoff_max_us / 2 ? master->opts.backoff_max_us
                                                                : s->delay_us * 2;
}

static void restart_worker(weir_prefork *master, unsigned number)
{
    master->slots[number].restart_at = weir_time_never();
    weir_err err = start_worker(master, number, SERVING);
    if (!err)
        return;
    WEIR_LOG_ERROR("worker %u cannot be started: %s", number, weir_err_text(err));
    restart_later(master, number);
}

static void tell(child *c, int signal_number, int64_t grace_us)
{
    c->state = ENDING;
    c->kill_at = weir_time_add(weir_time_now(), grace_us);
    kill(c->pid, signal_number);
}

static void log_end(const child *c, int status, int64_t restart_us)
{
    char how[48];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "ended by signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(status));
    if (restart_us >= 0)
        WEIR_LOG_ERROR("worker %u (process %d) %s: another one starts in %lld ms", c->slot,
                       (int)c->pid, how, (long long)restart_us / 1000);
    else if (c->state == COMING)
        WEIR_LOG_ERROR("worker %u (process %d) %s before it was ready: the one before it stays",
                       c->slot, (int)c->pid, how);
    else
        WEIR_LOG_INFO("worker %u (process %d) %s", c->slot, (int)c->pid, how);
}

static void child_ended(weir_prefork *master, child *c, int status)
{
    slot *s = &master->slots[c->slot];
    int64_t restart_us = -1;
    if (c->state == SERVING && !master->stopping) {
        if (weir_time_diff(weir_time_now(), c->started) > master->opts.backoff_max_us)
            s->delay_us = master->opts.backoff_us;
        restart_us = s->delay_us;
        restart_later(master, c->slot);
    }
    log_end(c, status, restart_us);
    c->state = EMPTY;
}

static void reap(weir_prefork *master)
{
    for (unsigned i = 0; i < master->child_count; i++) {
        child *c = &master->children[i];
        int status;
        if (c->state != EMPTY && waitpid(c->pid, &status, WNOHANG) == c->pid)
            child_ended(master, c, status);
    }
}

/** A new worker that is ready takes its predecessor's place. */
static void promote(weir_prefork *master)
{
    for (unsigned i = 0; i < master->child_count; i++) {
        child *c = &master->children[i];
        if (c->state != COMING || !atomic_load(&master->ready[i]))
            continue;
        child *before = find_child(master, c->slot, SERVING);
        c->state = SERVING;
        master->slots[c->slot].restart_at = weir_time_never();
        if (before)
            tell(before, SIGQUIT, master->opts.leave_us);
    }
}

/* What the signals ask for */

static void reload(weir_prefork *master)
{
    WEIR_LOG_INFO("reloading: new workers start, then the old ones leave");
    weir_log_reopen();
    for (unsigned i = 0; i < master->slot_count; i++) {
        weir_err err = find_child(master, i, COMING) ? WEIR_EFULL : start_worker(master, i, COMING);
        if (err)
            WEIR_LOG_ERROR("worker %u is not replaced: %s", i, weir_err_text(err));
    }
}

static void close_sockets(weir_prefork *master)
{
    for (unsigned i = 0; i < master->slot_count; i++) {
        if (master->slots[i].fd >= 0 && (i == 0 || master->slots[i].fd != master->slots[0].fd))
            weir__listen_socket_close(master->slots[i].fd, &master->addr);
    }
    for (unsigned i = 0; i < master->slot_count; i++)
        master->slots[i].fd = -1;
}

static void stop(weir_prefork *master, int signal_number)
{
    int64_t grace_us = signal_number == SIGQUIT ? master->opts.leave_us
                       : master->terminating    ? WEIR_SECONDS(LAST_GRACE_S)
                                                : master->opts.grace_us;
    master->stopping = true;
    master->terminating |= signal_number != SIGQUIT;
    close_sockets(master);
    for (unsigned i = 0; i < master->slot_count; i++)
        master->slots[i].restart_at = weir_time_never();
    for (unsigned i = 0; i < master->child_count; i++)
        if (master->children[i].state != EMPTY)
            tell(&master->children[i], signal_number, grace_us);
}

static void take_signal(weir_prefork *master, int number)
{
    if (number == SIGCHLD)
        reap(master);
    else if (number == SIGUSR2)
        promote(master);
    else if (number == SIGHUP && !master->stopping)
        reload(master);
    else if (number == SIGQUIT && !master->stopping)
        stop(master, SIGQUIT);
    else if (number == SIGTERM || number == SIGINT)
        stop(master, SIGTERM);
}

/* The master's life */

static void run_due(weir_prefork *master)
{
    weir_time now = weir_time_now();
    for (unsigned i = 0; i < master->slot_count; i++)
        if (!weir_time_before(now, master->slots[i].restart_at))
            restart_worker(master, i);
    for (unsigned i = 0; i < master->child_count; i++) {
        child *c = &master->children[i];
        if (c->state != ENDING || weir_time_before(now, c->kill_at))
            continue;
        WEIR_LOG_WARN("worker %u (process %d) is killed: it did not end in time", c->slot,
                      (int)c->pid);
        kill(c->pid, SIGKILL);
        c->kill_at = weir_time_never();
    }
}

static weir_time next_due(const weir_prefork *master)
{
    weir_time next = weir_time_never();
    for (unsigned i = 0; i < master->slot_count; i++)
        if (weir_time_before(master->slots[i].restart_at, next))
            next = master->slots[i].restart_at;
    for (unsigned i = 0; i < master->child_count; i++)
        if (master->children[i].state == ENDING &&
            weir_time_before(master->children[i].kill_at, next))
            next = master->children[i].kill_at;
    return next;
}

static void wait_for_signal(weir_prefork *master)
{
    weir_time next = next_due(master);
    int number;
    if (next.us == WEIR_TIME_NEVER_US) {
        number = sigwaitinfo(&master->set, NULL);
    } else {
        int64_t left_us = weir_time_diff(next, weir_time_now());
        left_us = left_us > 0 ? left_us : 0;
        struct timespec limit = {left_us / 1000000, left_us % 1000000 * 1000};
        number = sigtimedwait(&master->set, NULL, &limit);
    }
    if (number > 0)
        take_signal(master, number);
}

static bool any_child(const weir_prefork *master)
{
    for (unsigned i = 0; i < master->child_count; i++)
        if (master->children[i].state != EMPTY)
            return true;
    return false;
}

weir_err weir_prefork_run(weir_prefork *master, weir_prefork_fn fn, void *user)
{
    master->fn = fn;
    master->user = user;
    fill_set(&master->set);
    sigprocmask(SIG_BLOCK, &master->set, &master->earlier);
    weir_err err = WEIR_OK;
    for (unsigned i = 0; i < master->slot_count && !err; i++)
        err = start_worker(master, i, SERVING);
    if (err)
        stop(master, SIGTERM);
    while (!master->stopping || any_child(master)) {
        run_due(master);
        wait_for_signal(master);
    }
    sigprocmask(SIG_SETMASK, &master->earlier, NULL);
    return err;
}

/* Making and freeing */

static weir_err bind_sockets(weir_prefork *master)
{
    weir_listener_opts opts = master->opts.listener;
    bool shared = master->addr.storage.ss_family == AF_UNIX;
    weir_err err = WEIR_OK;
    opts.reuse_port = !shared;
    for (unsigned i = 0; i < master->slot_count && !err; i++) {
        if (shared && i > 0)
            master->slots[i].fd = master->slots[0].fd;
        else
            err = weir__listen_socket_open(&master->slots[i].fd, &master->addr, &opts);
    }
    return err;
}

static void set_defaults(weir_prefork_opts *opts)
{
    if (opts->workers == 0)
        opts->workers = weir_thread_cpus();
    if (opts->backoff_us <= 0)
        opts->backoff_us = WEIR_MILLISECONDS(100);
    if (opts->backoff_max_us <= 0)
        opts->backoff_max_us = WEIR_SECONDS(10);
    if (opts->grace_us <= 0)
        opts->grace_us = WEIR_SECONDS(15);
    if (opts->leave_us <= 0)
        opts->leave_us = WEIR_SECONDS(65);
}

static weir_err make_tables(weir_prefork *master)
{
    master->slot_count = master->opts.workers;
    master->child_count = master->slot_count * GENERATIONS;
    master->slots = calloc(master->slot_count, sizeof *master->slots);
    master->children = calloc(master->child_count, sizeof *master->children);
    void *shared = mmap(NULL, master->child_count * sizeof *master->ready, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    master->ready = shared == MAP_FAILED ? NULL : shared;
    if (!master->slots || !master->children || !master->ready)
        return WEIR_ENOMEM;
    for (unsigned i = 0; i < master->slot_count; i++)
        master->slots[i] = (slot){-1, master->opts.backoff_us, weir_time_never()};
    return WEIR_OK;
}

weir_err weir_prefork_new(weir_prefork **out, const char *addr, const weir_prefork_opts *opts,
                          weir_why *why)
{
    static const weir_prefork_opts defaults;
    weir_prefork *master = calloc(1, sizeof *master);
    if (!master)
        return weir_why_set(why, WEIR_ENOMEM, "%s", weir_err_text(WEIR_ENOMEM));
    master->opts = opts ? *opts : defaults;
    set_defaults(&master->opts);
    weir_err err = weir_addr_parse(&master->addr, addr, why);
    if (!err) {
        err = make_tables(master);
        if (!err)
            err = bind_sockets(master);
        if (err)
            weir_why_set(why, err, "cannot listen on %s: %s", addr, weir_err_text(err));
    }
    if (err)
        weir_prefork_free(master);
    else
        *out = master;
    return err;
}

const weir_addr *weir_prefork_addr(const weir_prefork *master)
{
    return &master->addr;
}

void weir_prefork_free(weir_prefork *master)
{
    if (!master)
        return;
    if (master->slots)
        close_sockets(master);
    if (master->ready)
        munmap(master->ready, master->child_count * sizeof *master->ready);
    free(master->slots);
    free(master->children);
    free(master);
}
