#include "suite.h"

static void echo_bin(weir_call *call)
{
    const weir_str *bin = weir_metadata_get(weir_call_metadata(call), WEIR_STR("x-bin"));
    if (!bin)
        return;
    assert_ok(weir_call_add_header(call, WEIR_STR("x-bin"), *bin));
    assert_ok(weir_call_add_trailer(call, WEIR_STR("x-bin"), *bin));
}

/** @return whether it was an order */
static bool obey(weir_call *call, const text *message)
{
    if (says(message, "fail"))
        assert_ok(weir_call_finish_status(call, &told_to_fail));
    if (says(message, "cancel"))
        weir_call_cancel(call);
    if (says(message, "drop"))
        drop_connection(call, NULL);
    return is_order(message);
}

static void unary(weir_call *call, const text *request, void *user WEIR_UNUSED)
{
    echo_bin(call);
    if (!obey(call, request))
        assert_ok(weir_call_reply(
            call,
            &(text){.text = weir_call_printf(call, "hello %.*s", WEIR_STR_ARGS(request->text))}));
}

/* Collect: what has come lies in a growing block. */

typedef struct collected {
    char *bytes;
    size_t len;
    bool hangs;
} collected;

static void collect_open(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    echo_bin(call);
    weir_call_set_data(call, calloc(1, sizeof(collected)));
}

static void collect_message(weir_call *call, const text *message, void *user WEIR_UNUSED)
{
    collected *all = weir_call_data(call);
    if (obey(call, message)) {
        all->hangs = true;
        return;
    }
    all->bytes = realloc(all->bytes, all->len + message->text.len + 1);
    if (message->text.len > 0)
        memcpy(all->bytes + all->len, message->text.ptr, message->text.len);
    all->len += message->text.len;
}

static void collect_end(weir_call *call, void *user WEIR_UNUSED)
{
    const collected *all = weir_call_data(call);
    if (!all->hangs)
        assert_ok(weir_call_reply(call, &(text){.text = weir_str_of(all->bytes, all->len)}));
}

static void collect_closed(weir_call *call, const weir_status *why WEIR_UNUSED,
                           void *user WEIR_UNUSED)
{
    collected *all = weir_call_data(call);
    free(all->bytes);
    free(all);
}

/* Split: goes on when there is room. */

typedef struct splitting {
    weir_str rest; /* letters */
    size_t many;   /* or so many large messages */
} splitting;

static void split_on(weir_call *call)
{
    static const char large[LARGE];
    splitting *s = weir_call_data(call);
    weir_err err = WEIR_OK;
    while (s && !err && (s->rest.len > 0 || s->many > 0)) {
        weir_str next = s->many ? weir_str_of(large, LARGE) : weir_str_of(s->rest.ptr, 1);
        err = weir_call_send(call, &(text){.text = next});
        if (err)
            continue;
        if (s->many)
            s->many--;
        else
            s->rest = weir_str_of(s->rest.ptr + 1, s->rest.len - 1);
    }
    if (s && !err)
        weir_call_finish(call);
}

static void split(weir_call *call, const text *request, void *user WEIR_UNUSED)
{
    echo_bin(call);
    if (obey(call, request))
        return;
    splitting *s = weir_arena_zalloc(weir_call_arena(call), sizeof *s);
    if (says(request, "many"))
        s->many = MANY;
    else
        s->rest = request->text;
    weir_call_set_data(call, s);
    split_on(call);
}

static void split_writable(weir_call *call, void *user WEIR_UNUSED)
{
    split_on(call);
}

/* Chat: a message for which there is no room is kept, and the call paused. */

typedef struct chatting {
    weir_payload *waiting;
    bool ended; /* by the client, while one waits */
    bool hangs;
} chatting;

static void chat_open(weir_call *call, const text *request WEIR_UNUSED, void *user WEIR_UNUSED)
{
    echo_bin(call);
    weir_call_set_data(call, weir_arena_zalloc(weir_call_arena(call), sizeof(chatting)));
}

static void chat_message(weir_call *call, const text *message, void *user WEIR_UNUSED)
{
    chatting *c = weir_call_data(call);
    if (obey(call, message)) {
        c->hangs = true;
        return;
    }
    if (weir_call_send(call, message) == WEIR_EAGAIN) {
        assert_ok(weir_payload_new(&c->waiting, &text_type, message));
        weir_call_pause(call);
    }
}

static void chat_writable(weir_call *call, void *user WEIR_UNUSED)
{
    chatting *c = weir_call_data(call);
    if (!c->waiting || weir_call_send_payload(call, c->waiting) == WEIR_EAGAIN)
        return;
    weir_payload_unref(c->waiting);
    c->waiting = NULL;
    if (c->ended)
        weir_call_finish(call);
    else
        weir_call_resume(call);
}

static void chat_end(weir_call *call, void *user WEIR_UNUSED)
{
    chatting *c = weir_call_data(call);
    if (c->waiting)
        c->ended = true;
    else if (!c->hangs)
        weir_call_finish(call);
}

static void chat_closed(weir_call *call, const weir_status *why WEIR_UNUSED, void *user WEIR_UNUSED)
{
    chatting *c = weir_call_data(call);
    weir_payload_unref(c->waiting);
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.open = unary},
    [COLLECT] = {.open = collect_open,
                 .message = collect_message,
                 .half_closed = collect_end,
                 .closed = collect_closed},
    [SPLIT] = {.open = split, .writable = split_writable},
    [CHAT] = {.open = chat_open,
              .message = chat_message,
              .half_closed = chat_end,
              .writable = chat_writable,
              .closed = chat_closed},
};

static void start(server_run *run)
{
    test_server_open(&run->server, methods, NULL, NULL);
}

static void stop(server_run *run)
{
    test_server_stop(&run->server);
    test_server_join(&run->server);
}

const server_driver server_callback = {"callback", start, stop};
