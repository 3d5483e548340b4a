/* One of many processes that share locks, an election and ids, and may be killed or stopped at any
 * moment: recipes-worker HOSTS FOLDER NUMBER LOCKS [stop]
 *
 * What a lock guards is a journal in FOLDER, a file that refuses fencing numbers smaller than the
 * largest one it has seen; so is the election's. With "stop" it takes one lock, stops itself by
 * SIGSTOP, and writes when it goes on. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <weir/weir.h>

enum {
    IDS_EACH = 5, /* for each acquisition */
    LEAD_US = 5000,
    SESSION_US = 1000000
};

static volatile sig_atomic_t ending;
static const char *folder;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "worker %d: %s: %s\n", (int)getpid(), what, why);
    exit(1);
}

static void on_signal(int number WEIR_UNUSED)
{
    ending = 1;
}

/* Guarded files. A line is: NUMBER PID VERDICT LARGEST ITS-PID */

static int open_file(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        die("open", path);
    return fd;
}

static void last_line(int fd, int64_t *largest, int *pid)
{
    char text[513];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > 512 ? size - 512 : 0;
    ssize_t got = pread(fd, text, 512, from);
    *largest = 0;
    *pid = 0;
    if (got <= 0)
        return;
    text[got - 1] = '\0'; /* the last newline */
    char *line = strrchr(text, '\n');
    if (sscanf(line ? line + 1 : text, "%*d %*d %*s %" SCNd64 " %d", largest, pid) != 2)
        die("journal", text);
}

/** What a resource does that is guarded by a fencing number. */
static void guarded_write(const char *name, int64_t number)
{
    char line[100];
    int fd = open_file(name), pid, me = (int)getpid();
    int64_t largest;
    flock(fd, LOCK_EX);
    last_line(fd, &largest, &pid);
    const char *verdict = number > largest ? "ok" : number == largest ? "same" : "old";
    if (number > largest) {
        largest = number;
        pid = me;
    }
    int len = snprintf(line, sizeof line, "%" PRId64 " %d %s %" PRId64 " %d\n", number, me, verdict,
                       largest, pid);
    if (write(fd, line, (size_t)len) != len)
        die("write", name);
    close(fd);
}

/* The election, in callbacks. */

typedef struct worker {
    weir_loop *loop;
    weir_zk *zk;
    weir_zk_lock *lock;
    weir_zk_election *election;
    weir_zk_ids *ids;
    weir_timer resign;
    weir_task task;
    weir_latch latch;
    const char *hosts;
    char lock_path[50], journal[50];
    int ids_fd;
} worker;

static void on_resign(weir_timer *timer WEIR_UNUSED, void *user)
{
    worker *w = user;
    if (weir_zk_election_resign(w->election) == WEIR_EFULL)
        weir_loop_after(w->loop, &w->resign, LEAD_US, on_resign, w);
}

static void on_elected(weir_zk_election *election WEIR_UNUSED, int64_t term, void *user)
{
    worker *w = user;
    guarded_write("election", term);
    weir_loop_after(w->loop, &w->resign, LEAD_US, on_resign, w);
}

static void on_deposed(weir_zk_election *election WEIR_UNUSED, void *user)
{
    worker *w = user;
    weir_loop_cancel(w->loop, &w->resign);
}

static void on_failed(weir_zk_election *election WEIR_UNUSED, weir_err err WEIR_UNUSED,
                      const char *why, void *user WEIR_UNUSED)
{
    die("election", why);
}

static const weir_zk_election_ops candidate = {
    .elected = on_elected, .deposed = on_deposed, .failed = on_failed};

/* In the loop. */

static void open_all(weir_task *task, weir_err err WEIR_UNUSED)
{
    worker *w = WEIR_CONTAINER_OF(task, worker, task);
    weir_zk_opts opts = {.session_us = SESSION_US};
    if (weir_zk_new(&w->zk, w->loop, w->hosts, &opts, NULL) ||
        weir_zk_lock_new(&w->lock, w->zk, w->lock_path, NULL, NULL, NULL) ||
        weir_zk_election_new(&w->election, w->zk, "/recipes/election", &candidate, w, NULL) ||
        weir_zk_ids_new(&w->ids, w->zk, "/recipes/ids", &(weir_zk_ids_opts){.block = 100}))
        die("start", "out of memory");
    weir_latch_down(&w->latch);
}

static void close_all(weir_task *task, weir_err err WEIR_UNUSED)
{
    worker *w = WEIR_CONTAINER_OF(task, worker, task);
    weir_loop_cancel(w->loop, &w->resign);
    weir_zk_ids_free(w->ids);
    weir_zk_election_free(w->election);
    weir_zk_lock_free(w->lock);
    weir_zk_free(w->zk);
    weir_latch_down(&w->latch);
}

static void in_loop(worker *w, weir_task_fn fn)
{
    weir_latch_init(&w->latch, 1);
    weir_loop_post(w->loop, &w->task, fn);
    weir_latch_wait(&w->latch);
    weir_latch_fini(&w->latch);
}

/* The locks and ids, blocking. */

static weir_time soon(void)
{
    return weir_time_add(weir_time_now(), WEIR_SECONDS(2));
}

static void take_ids(worker *w)
{
    char text[IDS_EACH * 24];
    int len = 0;
    for (int i = 0; i < IDS_EACH; i++) {
        int64_t id;
        weir_why why;
        weir_err err = weir_zk_ids_next_until(w->ids, soon(), &id, &why);
        if (err == WEIR_OK)
            len += snprintf(text + len, sizeof text - (size_t)len, "%" PRId64 "\n", id);
        else if (err != WEIR_ETIMEDOUT)
            die("ids", why.text);
    }
    if (write(w->ids_fd, text, (size_t)len) != len)
        die("write", "ids");
}

static void work_once(worker *w, bool stop)
{
    int64_t fence;
    weir_why why;
    weir_err err = weir_zk_lock_acquire_until(w->lock, soon(), &fence, &why);
    if (err == WEIR_ETIMEDOUT)
        return;
    if (err)
        die("lock", why.text);
    if (stop)
        raise(SIGSTOP);
    guarded_write(w->journal, fence);
    ending |= stop;
    err = weir_zk_lock_release(w->lock);
    if (err && err != WEIR_ESTATE) /* it was lost meanwhile */
        die("release", weir_err_text(err));
    take_ids(w);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage", "recipes-worker HOSTS FOLDER NUMBER LOCKS [stop]");
    int number = atoi(argv[3]) % atoi(argv[4]);
    bool stop = argc > 5;
    worker w = {.hosts = argv[1]};
    weir_loop_thread *thread;
    char ids[50];
    folder = argv[2];
    signal(SIGTERM, on_signal);
    snprintf(w.lock_path, sizeof w.lock_path, "/recipes/locks/%d", number);
    snprintf(w.journal, sizeof w.journal, "lock-%d", number);
    snprintf(ids, sizeof ids, "ids-%d", (int)getpid());
    w.ids_fd = open_file(ids);
    if (weir_loop_thread_start(&thread, NULL))
        die("start", "no thread");
    w.loop = weir_loop_thread_loop(thread);
    in_loop(&w, open_all);
    while (!ending)
        work_once(&w, stop);
    in_loop(&w, close_all);
    weir_loop_thread_stop(thread);
    close(w.ids_fd);
    return 0;
}
