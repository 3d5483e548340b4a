/* One thread serves every call of its queue. */
#include "suite.h"

/** A call, in its tag. */
typedef struct talk {
    int method;
    bool hangs;
    char *joined; /* Collect: what has come. Split: the letters */
    size_t len, at;
    size_t many;
    struct waiting {
        struct waiting *next;
        size_t len;
        char bytes[];
    } * first, *last; /* Chat: messages for which there was no room */
    bool half_closed;
} talk;

static void echo_metadata(weir_call *call, void *bin)
{
    weir_str *value = bin;
    if (call) {
        assert_ok(weir_call_add_header(call, WEIR_STR("x-bin"), *value));
        assert_ok(weir_call_add_trailer(call, WEIR_STR("x-bin"), *value));
    }
    free(value);
}

static void echo_bin(const weir_event *event)
{
    const weir_str *bin = weir_metadata_get(event->metadata, WEIR_STR("x-bin"));
    if (!bin)
        return;
    weir_str *own = malloc(sizeof *own + bin->len);
    memcpy(own + 1, bin->ptr, bin->len);
    *own = weir_str_of(own + 1, bin->len);
    if (weir_call_run_post(event->id, echo_metadata, own))
        free(own);
}

static void keep(talk *t, weir_str bytes)
{
    t->joined = realloc(t->joined, t->len + bytes.len + 1);
    if (bytes.len > 0)
        memcpy(t->joined + t->len, bytes.ptr, bytes.len);
    t->len += bytes.len;
}

static weir_err send_text(weir_call_id id, weir_str bytes)
{
    return weir_call_send_post(id, &text_type, &(text){.text = bytes});
}

/** A call that is gone needs no reply. */
static void reply(weir_call_id id, weir_str bytes)
{
    weir_err err = weir_call_reply_post(id, &text_type, &(text){.text = bytes});
    assert_true(err == WEIR_OK || err == WEIR_ECLOSED);
}

static void split_on(weir_call_id id, talk *t)
{
    static const char large[LARGE];
    weir_err err = WEIR_OK;
    while (!err && (t->many > 0 || t->at < t->len)) {
        err =
            send_text(id, t->many ? weir_str_of(large, LARGE) : weir_str_of(t->joined + t->at, 1));
        if (!err && t->many)
            t->many--;
        else if (!err)
            t->at++;
    }
    if (!err)
        weir_call_finish_post(id, &(weir_status){WEIR_STATUS_OK, {0}, {0}});
}

static void chat_on(weir_call_id id, talk *t)
{
    while (t->first && send_text(id, weir_str_of(t->first->bytes, t->first->len)) != WEIR_EAGAIN) {
        struct waiting *sent = t->first;
        t->first = sent->next;
        free(sent);
    }
    if (!t->first && t->half_closed && !t->hangs)
        weir_call_finish_post(id, &(weir_status){WEIR_STATUS_OK, {0}, {0}});
}

static void chat_keep(talk *t, weir_str bytes)
{
    struct waiting *w = malloc(sizeof *w + bytes.len);
    w->next = NULL;
    w->len = bytes.len;
    if (bytes.len > 0)
        memcpy(w->bytes, bytes.ptr, bytes.len);
    if (t->first)
        t->last->next = w;
    else
        t->first = w;
    t->last = w;
}

static void answer(const weir_event *event, talk *t, const text *message, weir_arena *mem)
{
    switch (t->method) {
    case UNARY:
        reply(event->id, weir_arena_printf(mem, "hello %.*s", WEIR_STR_ARGS(message->text)));
        break;
    case COLLECT:
        keep(t, message->text);
        break;
    case SPLIT:
        if (says(message, "many"))
            t->many = MANY;
        else
            keep(t, message->text);
        split_on(event->id, t);
        break;
    default:
        chat_keep(t, message->text);
        chat_on(event->id, t);
    }
}

static void on_message(const weir_event *event, talk *t)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    void *message;
    assert_ok(weir_message_decode(&text_type, &message, &mem, event->bytes, 0));
    t->hangs |= is_order(message);
    if (says(message, "fail"))
        weir_call_finish_post(event->id, &told_to_fail);
    if (says(message, "cancel"))
        weir_call_cancel_post(event->id);
    if (says(message, "drop"))
        assert_ok(weir_call_run_post(event->id, drop_connection, NULL));
    if (!t->hangs)
        answer(event, t, message, &mem);
    weir_arena_fini(&mem);
}

static void on_half_closed(const weir_event *event, talk *t)
{
    t->half_closed = true;
    if (t->method == CHAT)
        chat_on(event->id, t);
    else if (!t->hangs)
        reply(event->id, weir_str_of(t->joined, t->len));
}

static void on_writable(const weir_event *event, talk *t)
{
    if (t->method == SPLIT && !t->hangs)
        split_on(event->id, t);
    else if (t->method == CHAT)
        chat_on(event->id, t);
}

static void on_closed(talk *t)
{
    while (t->first) {
        struct waiting *w = t->first;
        t->first = w->next;
        free(w);
    }
    free(t->joined);
    free(t);
}

static void handle(const weir_event *event)
{
    talk *t = event->tag;
    switch (event->kind) {
    case WEIR_EVENT_CALL:
        t = calloc(1, sizeof *t);
        t->method = (int)(event->method - test_methods);
        weir_event_set_tag(event, t);
        echo_bin(event);
        if (t->method == MISSING)
            weir_call_finish_post(event->id, &(weir_status){WEIR_STATUS_UNIMPLEMENTED, {0}, {0}});
        break;
    case WEIR_EVENT_MESSAGE:
        if (t->method != MISSING)
            on_message(event, t);
        break;
    case WEIR_EVENT_HALF_CLOSED:
        on_half_closed(event, t);
        break;
    case WEIR_EVENT_WRITABLE:
        on_writable(event, t);
        break;
    case WEIR_EVENT_CLOSED:
        on_closed(t);
        break;
    case WEIR_EVENT_HEADERS:
        fail_msg("a client's event at a server");
    }
}

static void *serve(void *queue)
{
    weir_event event;
    while (weir_queue_next(queue, -1, &event) == WEIR_OK) {
        handle(&event);
        weir_event_fini(&event);
    }
    return NULL;
}

static void start(server_run *run)
{
    assert_ok(weir_queue_new(&run->queue, NULL));
    test_server_prepare_nothing(&run->server, "127.0.0.1:0", NULL);
    assert_ok(weir_queue_serve(run->queue, run->server.server, &test_service, NULL));
    test_server_go(&run->server);
    assert_int_equal(pthread_create(&run->thread, NULL, serve, run->queue), 0);
}

static void stop(server_run *run)
{
    test_server_stop(&run->server);
    test_server_join(&run->server);
    weir_queue_shutdown(run->queue);
    pthread_join(run->thread, NULL);
    weir_queue_free(run->queue);
}

const server_driver server_queue = {"queue", start, stop};
