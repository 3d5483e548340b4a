#include "suite.h"

static void echo_bin(weir_blocking_call *call)
{
    const weir_str *bin = weir_metadata_get(weir_blocking_metadata(call), WEIR_STR("x-bin"));
    if (!bin)
        return;
    assert_ok(weir_blocking_add_header(call, WEIR_STR("x-bin"), *bin));
    assert_ok(weir_blocking_add_trailer(call, WEIR_STR("x-bin"), *bin));
}

/** What an order asks for. */
static weir_status obey(weir_blocking_call *call, const text *message)
{
    if (says(message, "fail"))
        return told_to_fail;
    if (says(message, "cancel"))
        weir_call_cancel_post(weir_blocking_id(call));
    if (says(message, "drop"))
        assert_ok(weir_call_run_post(weir_blocking_id(call), drop_connection, NULL));
    while (!weir_blocking_is_over(call))
        sched_yield();
    return WEIR_BLOCKING_OK;
}

static weir_status unary(weir_blocking_call *call, const text *request, text *reply,
                         void *user WEIR_UNUSED)
{
    echo_bin(call);
    if (is_order(request))
        return obey(call, request);
    reply->text = weir_blocking_printf(call, "hello %.*s", WEIR_STR_ARGS(request->text));
    return WEIR_BLOCKING_OK;
}

static weir_status collect(weir_blocking_call *call, const text *request WEIR_UNUSED, text *reply,
                           void *user WEIR_UNUSED)
{
    size_t len = 0, room = 0;
    char *all = NULL;
    void *next;
    echo_bin(call);
    while (weir_blocking_read(call, weir_blocking_arena(call), &next) == WEIR_OK) {
        const text *message = next;
        if (is_order(message))
            return obey(call, message);
        if (len + message->text.len > room) {
            room = 2 * room + message->text.len;
            char *more = weir_arena_alloc(weir_blocking_arena(call), room);
            assert_non_null(more);
            if (len > 0)
                memcpy(more, all, len);
            all = more;
        }
        if (message->text.len > 0)
            memcpy(all + len, message->text.ptr, message->text.len);
        len += message->text.len;
    }
    reply->text = weir_str_of(all, len);
    return WEIR_BLOCKING_OK;
}

static weir_status split(weir_blocking_call *call, const text *request, text *reply WEIR_UNUSED,
                         void *user WEIR_UNUSED)
{
    static const char large[LARGE];
    echo_bin(call);
    if (is_order(request))
        return obey(call, request);
    bool many = says(request, "many");
    for (size_t i = 0; i < (many ? MANY : request->text.len); i++) {
        weir_str next = many ? weir_str_of(large, LARGE) : weir_str_of(request->text.ptr + i, 1);
        if (weir_blocking_write(call, &(text){.text = next}))
            break;
    }
    return WEIR_BLOCKING_OK;
}

static weir_status chat(weir_blocking_call *call, const text *request WEIR_UNUSED,
                        text *reply WEIR_UNUSED, void *user WEIR_UNUSED)
{
    weir_arena mem;
    weir_arena_init(&mem, NULL, 0);
    weir_status status = WEIR_BLOCKING_OK;
    void *next;
    echo_bin(call);
    while (!status.code && weir_blocking_read(call, &mem, &next) == WEIR_OK) {
        if (is_order(next))
            status = obey(call, next);
        else if (weir_blocking_write(call, next))
            break;
        weir_arena_reset(&mem);
    }
    weir_arena_fini(&mem);
    return status;
}

static const test_handler methods[METHODS] = {
    [UNARY] = {.blocking = unary},
    [COLLECT] = {.blocking = collect},
    [SPLIT] = {.blocking = split},
    [CHAT] = {.blocking = chat},
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

const server_driver server_blocking = {"blocking", start, stop};
