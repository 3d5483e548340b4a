/* Runs a command while it holds a lock that all machines share, as flock(1) does on one machine.
 * The command finds the fencing number in FENCE: what it changes should refuse smaller ones than it
 * has seen. When the lock is lost, or may be, the command is ended.
 *
 *     23-lock HOST:PORT,HOST:PORT /PATH/OF/LOCK COMMAND ARGUMENT... */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/weir.h>

typedef struct job {
    weir_loop *loop;
    char **command;
    pid_t pid; /* 0: does not run */
    int status;
} job;

static void on_acquired(weir_zk_lock *lock, const weir_zk_lock_result *result, void *user)
{
    (void)lock;
    job *j = user;
    char fence[24];
    if (result->err) {
        fprintf(stderr, "%s\n", result->why);
        weir_loop_quit(j->loop);
        return;
    }
    snprintf(fence, sizeof fence, "%lld", (long long)result->fence);
    j->pid = fork();
    if (j->pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setenv("FENCE", fence, 1);
        execvp(j->command[0], j->command);
        perror(j->command[0]);
        _exit(127);
    }
    if (j->pid < 0) {
        j->pid = 0;
        perror("fork");
        weir_loop_quit(j->loop);
    }
}

/** Another one may have the lock soon. */
static void on_doubt(weir_zk_lock *lock, void *user)
{
    (void)lock;
    job *j = user;
    fprintf(stderr, "the lock is lost, or may be: ending the command\n");
    if (j->pid > 0)
        kill(j->pid, SIGKILL);
}

static const weir_zk_lock_ops lock_ops = {.unsure = on_doubt, .lost = on_doubt};

static void on_signal(int number, void *user)
{
    job *j = user;
    int status;
    if (number != SIGCHLD && j->pid > 0) {
        kill(j->pid, number); /* its end is ours */
        return;
    }
    if (number == SIGCHLD && (j->pid == 0 || waitpid(j->pid, &status, WNOHANG) != j->pid))
        return;
    if (number == SIGCHLD)
        j->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    weir_loop_quit(j->loop);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    job j = {.command = argv + 3, .status = 1};
    weir_signals *signals;
    weir_zk *zk;
    weir_zk_lock *lock;
    weir_zk_lock_opts opts = {.holder = argv[3]};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (weir_loop_new(&j.loop, NULL) || weir_signals_open(&signals, j.loop, &set, on_signal, &j) ||
        weir_zk_new(&zk, j.loop, argv[1], NULL, NULL) ||
        weir_zk_lock_new(&lock, zk, argv[2], &lock_ops, &j, &opts) ||
        weir_zk_lock_acquire(lock, WEIR_TIME_NEVER_US, on_acquired, &j) || weir_loop_run(j.loop))
        return 2;
    weir_zk_lock_release(lock);
    weir_zk_lock_free(lock);
    weir_zk_free(zk); /* and with it whatever was ephemeral */
    weir_signals_close(signals);
    weir_loop_free(j.loop);
    return j.status;
}
