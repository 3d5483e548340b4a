/* One thread with a queue, which waits for its descriptor as a foreign loop would. */
#include "suite.h"

#include <poll.h>

typedef struct talk {
    const plan *plan;
    outcome *out;
    size_t sent;
    bool streams;
} talk;

static void send_more(weir_call_id id, talk *t)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    weir_err err = WEIR_OK;
    while (t->streams && t->sent < plan_messages(t->plan) && !err) {
        text message = plan_message(t->plan, t->sent, &mem);
        err = weir_call_send_post(id, &text_type, &message);
        t->sent += !err;
        weir_arena_reset(&mem);
    }
    weir_arena_fini(&mem);
    if (!t->streams || err == WEIR_EAGAIN)
        return;
    t->streams = false;
    weir_call_half_close_post(id);
}

static void on_message(const weir_event *event, talk *t)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    void *message;
    assert_ok(weir_message_decode(&text_type, &message, &mem, event->bytes, 0));
    note_message(t->out, message);
    weir_arena_fini(&mem);
    if (t->plan->cancel)
        weir_call_cancel_post(event->id);
}

/** @return whether it was the last */
static bool handle(const weir_event *event)
{
    talk *t = event->tag;
    switch (event->kind) {
    case WEIR_EVENT_HEADERS:
        note_bin(t->out->header, event->metadata);
        break;
    case WEIR_EVENT_MESSAGE:
        on_message(event, t);
        break;
    case WEIR_EVENT_WRITABLE:
        send_more(event->id, t);
        break;
    case WEIR_EVENT_CLOSED:
        note_bin(t->out->trailer, event->metadata);
        note_status(t->out, &event->status);
        return true;
    case WEIR_EVENT_CALL:
    case WEIR_EVENT_HALF_CLOSED:
        fail_msg("a server's event at a client");
    }
    return false;
}

static void take_events(weir_queue *queue)
{
    struct pollfd wait = {.fd = weir_queue_descriptor(queue), .events = POLLIN};
    weir_event event;
    for (bool last = false; !last;) {
        assert_int_equal(poll(&wait, 1, 30000), 1);
        while (weir_queue_next(queue, 0, &event) == WEIR_OK) {
            last = handle(&event);
            weir_event_fini(&event);
        }
    }
}

static void run(weir_channel *channel, const plan *p, outcome *out)
{
    talk t = {.plan = p, .out = out};
    t.streams = p->method == COLLECT || p->method == CHAT;
    weir_arena *mem = weir_arena_new();
    weir_metadata metadata;
    weir_call_opts opts = plan_opts(p, mem, &metadata);
    text request = {0};
    if (!t.streams)
        request = plan_message(p, 0, mem);
    weir_queue *queue;
    weir_call_id id;
    assert_ok(weir_queue_new(&queue, NULL));
    assert_ok(weir_queue_start(queue, channel, &test_methods[p->method],
                               t.streams ? NULL : &request, &t, &opts, &id));
    send_more(id, &t);
    if (p->cancel && p->count == 1)
        weir_call_cancel_post(id);
    take_events(queue);
    weir_queue_shutdown(queue);
    weir_event event;
    assert_err(weir_queue_next(queue, -1, &event), WEIR_ECLOSED);
    weir_queue_free(queue);
    weir_arena_free(mem);
}

const client_driver client_queue = {"queue", run};
