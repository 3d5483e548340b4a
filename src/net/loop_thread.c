#include "loop_impl.h"

#include <stdlib.h>

struct weir_loop_thread {
    weir_loop *loop;
    weir_thread *thread;
    weir_latch owned;
};

static void run(void *user)
{
    weir_loop_thread *t = user;
    weir_err err = weir__loop_own(t->loop);
    weir_latch_down(&t->owned);
    if (!err)
        err = weir_loop_run(t->loop);
    if (err)
        WEIR_LOG_ERROR("a loop's thread ended: %s", weir_err_text(err));
}

weir_err weir_loop_thread_start(weir_loop_thread **out, const weir_loop_opts *opts)
{
    weir_loop_thread *t = calloc(1, sizeof *t);
    if (!t)
        return WEIR_ENOMEM;
    weir_err err = weir_loop_new(&t->loop, opts);
    if (!err) {
        weir_latch_init(&t->owned, 1);
        err = weir_thread_start(&t->thread, opts && opts->name ? opts->name : "weir-loop", run, t);
        /* Until the thread owns its loop, everybody would seem to be in it. */
        if (!err)
            weir_latch_wait(&t->owned);
        weir_latch_fini(&t->owned);
        if (err)
            weir_loop_free(t->loop);
    }
    if (err) {
        free(t);
        return err;
    }
    *out = t;
    return WEIR_OK;
}

weir_loop *weir_loop_thread_loop(weir_loop_thread *thread)
{
    return thread->loop;
}

void weir_loop_thread_stop(weir_loop_thread *thread)
{
    if (!thread)
        return;
    weir_loop_quit(thread->loop);
    weir_thread_join(thread->thread);
    weir__loop_disown(thread->loop);
    weir_loop_free(thread->loop);
    free(thread);
}
