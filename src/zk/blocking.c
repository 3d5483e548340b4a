/* A thread that waits for the loop. */
#include "blocking.h"

static void on_task(weir_task *task, weir_err err)
{
    weir__zk_blocking *b = WEIR_CONTAINER_OF(task, weir__zk_blocking, task);
    if (err)
        weir__zk_blocking_end(b, err, "the loop has ended");
    else
        b->begin(b);
}

weir_err weir__zk_blocking_run(weir__zk_blocking *b, weir_loop *loop, weir__zk_blocking_fn begin,
                               weir_why *why)
{
    if (weir_loop_in_thread(loop))
        return weir_why_set(why, WEIR_ESTATE,
                            "a blocking call in the loop's own thread would wait for itself: use "
                            "the form with a callback, or another thread");
    b->begin = begin;
    b->why = why;
    weir_latch_init(&b->latch, 1);
    weir_loop_post(loop, &b->task, on_task);
    weir_latch_wait(&b->latch);
    weir_latch_fini(&b->latch);
    return b->err;
}

void weir__zk_blocking_end(weir__zk_blocking *b, weir_err err, const char *why)
{
    b->err = err;
    if (err)
        weir_why_set(b->why, err, "%s", why ? why : weir_err_text(err));
    weir_latch_down(&b->latch);
}
