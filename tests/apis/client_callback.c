#include "suite.h"

/** A call in the channel's loop. */
typedef struct talk {
    const plan *plan;
    outcome *out;
    size_t sent;
    bool streams;
    weir_latch done;
} talk;

static void send_more(weir_call *call, talk *t)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    weir_err err = WEIR_OK;
    while (t->streams && t->sent < plan_messages(t->plan) && !err) {
        text message = plan_message(t->plan, t->sent, &mem);
        err = weir_call_send(call, &message);
        t->sent += !err;
        weir_arena_reset(&mem);
    }
    weir_arena_fini(&mem);
    if (!t->streams || err)
        return;
    t->streams = false; /* all is sent */
    assert_ok(weir_call_half_close(call));
}

static void on_headers(weir_call *call, const void *events WEIR_UNUSED, void *user)
{
    talk *t = user;
    note_bin(t->out->header, weir_call_metadata(call));
}

static void on_message(weir_call *call, const void *reply, const void *events WEIR_UNUSED,
                       void *user)
{
    talk *t = user;
    note_message(t->out, reply);
    if (t->plan->cancel)
        weir_call_cancel(call);
}

static void on_writable(weir_call *call, const void *events WEIR_UNUSED, void *user)
{
    send_more(call, user);
}

static void on_closed(weir_call *call, const weir_status *status, const void *events WEIR_UNUSED,
                      void *user)
{
    talk *t = user;
    note_bin(t->out->trailer, weir_call_trailers(call));
    note_status(t->out, status);
    weir_latch_down(&t->done);
}

static const weir_client_handler handler = {on_headers, on_message, on_writable, on_closed};

static void begin(weir_call *call, void *user)
{
    talk *t = user;
    if (!call)
        return; /* it has ended already */
    send_more(call, t);
    if (t->plan->cancel && t->plan->count == 1)
        weir_call_cancel(call);
}

static void run(weir_channel *channel, const plan *p, outcome *out)
{
    talk t = {.plan = p, .out = out};
    t.streams = p->method == COLLECT || p->method == CHAT;
    bool streams = t.streams;
    weir_latch_init(&t.done, 1);
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata;
    weir_call_opts opts = plan_opts(p, mem, &metadata);
    text request = {0};
    if (!streams)
        request = plan_message(p, 0, mem);
    weir_call_id id;
    assert_ok(weir_call_start(channel, &test_methods[p->method], streams ? NULL : &request,
                              &handler, NULL, &t, &opts, &id));
    weir_err err = weir_call_run_post(id, begin, &t);
    assert_true(err == WEIR_OK || err == WEIR_ECLOSED);
    weir_latch_wait(&t.done);
    weir_latch_fini(&t.done);
    weir_arena_free(mem);
}

const client_driver client_callback = {"callback", run};
