/* Unary calls with the asynchronous stub; streams have callbacks like those of client_callback.c.
 */
#include "suite.h"

typedef struct asked {
    outcome *out;
    weir_metadata headers, trailers;
    weir_latch done;
} asked;

static void on_done(const weir_status *status, const text *reply, void *user)
{
    asked *a = user;
    if (reply)
        note_message(a->out, reply);
    note_bin(a->out->header, &a->headers);
    note_bin(a->out->trailer, &a->trailers);
    note_status(a->out, status);
    weir_latch_down(&a->done);
}

static void thunk(weir_fn done WEIR_UNUSED, const weir_status *status, const void *reply,
                  void *user)
{
    on_done(status, reply, user);
}

static void run(weir_channel *channel, const plan *p, outcome *out)
{
    if (p->method != UNARY && p->method != MISSING) {
        client_callback.run(channel, p, out);
        return;
    }
    asked a = {.out = out};
    weir_latch_init(&a.done, 1);
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata;
    weir_call_opts opts = plan_opts(p, mem, &metadata);
    opts.reply_headers = &a.headers;
    opts.reply_trailers = &a.trailers;
    text request = plan_message(p, 0, mem);
    assert_ok(
        weir_unary_start(channel, &test_methods[p->method], &request, thunk, NULL, &a, &opts));
    weir_latch_wait(&a.done);
    weir_latch_fini(&a.done);
    weir_arena_free(mem);
}

const client_driver client_async = {"asynchronous", run};
