/* Jobs that are not forgotten: who takes one and dies before it is done gives it back. The thread
 * of main() waits and works; a thread of its own runs the loop, which must not stand still.
 *
 *     28-queue HOST:PORT,HOST:PORT /PATH/OF/QUEUE put JOB...
 *     28-queue HOST:PORT,HOST:PORT /PATH/OF/QUEUE take
 *
 * "take" prints a job and does it until a line of its input says that it is done; then it takes the
 * next one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static weir_time soon(void)
{
    return weir_time_add(weir_time_now(), WEIR_SECONDS(10));
}

static weir_err put_all(weir_zk_queue *queue, char **jobs, weir_why *why)
{
    weir_err err = WEIR_OK;
    for (; *jobs && !err; jobs++)
        err = weir_zk_queue_put_until(queue, weir_str_from(*jobs), soon(), why);
    return err;
}

static weir_err take_all(weir_zk_queue *queue, weir_why *why)
{
    char line[100];
    weir_zk_item *item;
    const weir_time never = {WEIR_TIME_NEVER_US};
    weir_err err;
    while ((err = weir_zk_queue_take_until(queue, never, &item, why)) == WEIR_OK) {
        printf("%.*s\n", WEIR_STR_ARGS(weir_zk_item_data(item)));
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin)) {
            weir_zk_item_give_back(item);
            return WEIR_OK;
        }
        if ((err = weir_zk_item_done_until(item, soon(), why)) == WEIR_ECLOSED)
            fprintf(stderr, "the session has ended: another one gets this job\n");
        else if (err)
            break;
    }
    return err;
}

int main(int argc, char **argv)
{
    runner r;
    weir_thread *thread;
    weir_zk *zk;
    weir_zk_queue *queue;
    weir_why why = {"28-queue HOST:PORT PATH put JOB... | take"};
    weir_latch_init(&r.runs, 1);
    if (argc < 4 || weir_loop_new(&r.loop, NULL) || weir_zk_new(&zk, r.loop, argv[1], NULL, &why) ||
        weir_zk_queue_new(&queue, zk, argv[2], NULL) ||
        weir_thread_start(&thread, "loop", run, &r)) {
        fprintf(stderr, "%s\n", why.text);
        return 2;
    }
    weir_latch_wait(&r.runs);
    bool puts = strcmp(argv[3], "put") == 0;
    weir_err err = puts ? put_all(queue, argv + 4, &why) : take_all(queue, &why);
    if (err)
        fprintf(stderr, "%s\n", why.text);
    weir_loop_quit(r.loop);
    weir_thread_join(thread);
    return err != WEIR_OK;
}
