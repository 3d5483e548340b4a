/* Flow control: a stream that nobody reads holds a bounded number of bytes, while others on the
 * same connection are as fast as ever. */
#include "test.h"

#include <stdatomic.h>

#include "rpc_testing.h"

enum {
    PIECE = 10000,
    PIECES = 2000, /* of the fast stream: many times every window */
    WINDOW = 100000,
    HIGH_WATER = 50000,
    /* What a stalled stream can hold: the sender's queue, the window, the receiver's queue (here a
     * weir_stream's, or the messages that a window full of them is cut into), and a piece for each
     * of them. */
    HOLD_MAX = HIGH_WATER + WINDOW + HIGH_WATER + 4 * PIECE
};

static char piece[PIECE];
static const text message = {.text = {piece, PIECE}};

static test_server server;
static weir_channel *channel;
static weir_arena *mem;
static atomic_size_t stalled_bytes; /* taken from the server's handler */
static weir_latch paused;

/* The server: SPLIT sends without end, or PIECES; CHAT does not read; COLLECT reads all. */

static void send_on(weir_call *call, void *user)
{
    (void)user;
    size_t *left = weir_call_data(call);
    while (*left > 0 && weir_call_send(call, &message) == WEIR_OK) {
        --*left;
        if (*left > PIECES)
            atomic_fetch_add(&stalled_bytes, PIECE);
    }
    if (*left == 0)
        weir_call_finish(call);
}

static void split(weir_call *call, const text *request, void *user)
{
    size_t *left = weir_arena_alloc(weir_call_arena(call), sizeof *left);
    *left = weir_str_eq(request->text, WEIR_STR("fast")) ? PIECES : SIZE_MAX;
    weir_call_set_data(call, left);
    send_on(call, user);
}

static void pause_it(weir_call *call, const text *request, void *user)
{
    (void)request;
    (void)user;
    weir_call_pause(call);
    weir_latch_down(&paused);
}

static void count(weir_call *call, const text *request, void *user)
{
    (void)user;
    size_t *got = weir_call_data(call);
    if (!got) {
        got = weir_arena_zalloc(weir_call_arena(call), sizeof *got);
        weir_call_set_data(call, got);
    }
    *got += request->text.len;
}

static void tell(weir_call *call, void *user)
{
    (void)user;
    const size_t *got = weir_call_data(call);
    text reply = {.text = weir_call_printf(call, "%zu", got ? *got : 0)};
    assert_ok(weir_call_reply(call, &reply));
}

static const test_handler methods[METHODS] = {
    [SPLIT] = {.open = split, .writable = send_on},
    [CHAT] = {.open = pause_it},
    [COLLECT] = {.message = count, .half_closed = tell},
};

static void open_both(void)
{
    weir_latch_init(&paused, 3);
    test_server_open(&server, methods, NULL,
                     &(weir_server_opts){.loops = 1,
                                         .stream_window = WINDOW,
                                         .connection_window = 2 * WINDOW,
                                         .send_high_water = HIGH_WATER});
    channel = weir_channel_new(server.addr, &(weir_channel_opts){.stream_window = WINDOW,
                                                                 .connection_window = 2 * WINDOW,
                                                                 .send_high_water = HIGH_WATER});
    mem = weir_arena_new();
}

static void close_both(void)
{
    weir_channel_free(channel);
    weir_arena_free(mem);
    test_server_stop(&server);
    test_server_join(&server);
}

TEST(flow, clients_that_do_not_read_hold_little_and_do_not_slow_the_others)
{
    weir_stream *stalled[3], *fast;
    void *got;
    open_both();
    /* More of them than fit into the connection's window. */
    for (int i = 0; i < 3; i++)
        assert_ok(weir_stream_open(&stalled[i], channel, &test_methods[SPLIT],
                                   &(text){.text = WEIR_STR("stalled")}, NULL));
    assert_ok(weir_stream_open(&fast, channel, &test_methods[SPLIT],
                               &(text){.text = WEIR_STR("fast")}, NULL));
    for (int i = 0; i < PIECES; i++) {
        assert_ok(weir_stream_read(fast, mem, &got));
        assert_int_equal(((text *)got)->text.len, PIECE);
        weir_arena_reset(mem);
    }
    weir_status status = weir_stream_finish(fast, mem);
    assert_string_equal(weir_status_text(&status), "OK");
    size_t held = atomic_load(&stalled_bytes);
    assert_in_range(held, 3 * WINDOW, 3 * HOLD_MAX);

    /* And the one that reads again goes on. */
    for (int i = 0; i < 100; i++) {
        assert_ok(weir_stream_read(stalled[0], mem, &got));
        weir_arena_reset(mem);
    }
    weir_stream_free(fast);
    for (int i = 0; i < 3; i++)
        weir_stream_free(stalled[i]);
    close_both();
}

static void no_headers(weir_call *call, const void *events, void *user)
{
    (void)call;
    (void)events;
    (void)user;
}

static void no_message(weir_call *call, const void *reply, const void *events, void *user)
{
    (void)call;
    (void)reply;
    (void)events;
    (void)user;
}

static void is_closed(weir_call *call, const weir_status *status, const void *events, void *user)
{
    (void)call;
    (void)status;
    (void)events;
    weir_latch_down(user);
}

static const weir_client_handler quiet = {no_headers, no_message, no_headers, is_closed};

/** Posts until it would block. @return bytes taken */
static size_t fill(weir_call_id id)
{
    size_t taken = 0;
    while (weir_call_send_post(id, &text_type, &message) == WEIR_OK) {
        taken += PIECE;
        assert_true(taken <= 100 * HOLD_MAX);
    }
    return taken;
}

TEST(flow, handlers_that_are_paused_hold_little_and_do_not_slow_the_others)
{
    weir_call_id stalled[3];
    weir_latch closed;
    weir_stream *fast;
    void *got;
    size_t held = 0;
    open_both();
    weir_latch_init(&closed, 3);
    for (int i = 0; i < 3; i++)
        assert_ok(weir_call_start(channel, &test_methods[CHAT], NULL, &quiet, NULL, &closed, NULL,
                                  &stalled[i]));
    for (int i = 0; i < 3; i++)
        held += fill(stalled[i]);
    weir_latch_wait(&paused);
    assert_ok(weir_stream_open(&fast, channel, &test_methods[COLLECT], NULL, NULL));
    for (int i = 0; i < PIECES; i++) {
        assert_ok(weir_stream_write(fast, &message));
        held += i % 50 == 0 ? fill(stalled[i % 3]) : 0;
    }
    assert_ok(weir_stream_half_close(fast));
    assert_ok(weir_stream_read(fast, mem, &got));
    assert_int_equal(atoll(((text *)got)->text.ptr), (long long)PIECES * PIECE);
    assert_in_range(held, 3 * WINDOW, 3 * HOLD_MAX);
    weir_stream_free(fast);
    for (int i = 0; i < 3; i++)
        weir_call_cancel_post(stalled[i]);
    weir_latch_wait(&closed);
    close_both();
}
