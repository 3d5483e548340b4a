/* Workers on several machines that begin together and end together: each says "begin" when all are
 * there, works until its input ends, and says "end" when all have done so. The thread of main()
 * waits; a thread of its own runs the loop.
 *
 *     27-barrier HOST:PORT,HOST:PORT /PATH/OF/BARRIER COUNT */
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

/** The loop's thread, which can be waited for once it runs. */
typedef struct runner {
    weir_loop *loop;
    weir_task task;
    weir_latch runs;
} runner;

static void on_runs(weir_task *task, weir_err err)
{
    (void)err;
    weir_latch_down(&WEIR_CONTAINER_OF(task, runner, task)->runs);
}

static void run(void *user)
{
    runner *r = user;
    weir_loop_post(r->loop, &r->task, on_runs);
    if (weir_loop_run(r->loop))
        abort();
}

static void on_lost(weir_zk_barrier *barrier, void *user)
{
    (void)barrier, (void)user;
    fprintf(stderr, "the session has ended: the others may end without this one\n");
}

static weir_time within(int64_t us)
{
    return weir_time_add(weir_time_now(), us);
}

static int work(weir_zk_barrier *barrier)
{
    weir_why why;
    if (weir_zk_barrier_enter_until(barrier, within(WEIR_SECONDS(60)), &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    printf("begin\n");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    if (weir_zk_barrier_leave_until(barrier, within(WEIR_SECONDS(60)), &why)) {
        fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    printf("end\n");
    return 0;
}

int main(int argc, char **argv)
{
    runner r;
    weir_thread *thread;
    weir_zk *zk;
    weir_zk_barrier *barrier;
    weir_zk_barrier_opts opts = {.lost = on_lost};
    weir_why why = {"27-barrier HOST:PORT PATH COUNT"};
    weir_latch_init(&r.runs, 1);
    if (argc != 4 || weir_loop_new(&r.loop, NULL) ||
        weir_zk_new(&zk, r.loop, argv[1], NULL, &why) ||
        weir_zk_barrier_new(&barrier, zk, argv[2], (unsigned)atoi(argv[3]), &opts) ||
        weir_thread_start(&thread, "loop", run, &r)) {
        fprintf(stderr, "%s\n", why.text);
        return 2;
    }
    weir_latch_wait(&r.runs);
    int status = work(barrier);
    weir_loop_quit(r.loop);
    weir_thread_join(thread);
    return status;
}
