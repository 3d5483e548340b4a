/* Calls that handlers make: one server asks another on behalf of its client. */
#include "test.h"

#include "rpc_outcome.h"

/* The back: says how much time is left, or never answers. */

static weir_latch back_opened, back_closed;
static weir_status_code back_code;

static void back_open(weir_call *call, const text *request, void *user)
{
    (void)user;
    weir_latch_down(&back_opened);
    if (weir_str_eq(request->text, WEIR_STR("silence")))
        return;
    text reply = {.text = weir_call_printf(call, "%lld", (long long)weir_call_time_left_us(call))};
    assert_ok(weir_call_reply(call, &reply));
}

static void back_done(weir_call *call, const weir_status *why, void *user)
{
    (void)call;
    (void)user;
    back_code = why->code;
    weir_latch_down(&back_closed);
}

static const test_handler back_methods[METHODS] = {
    [UNARY] = {.open = back_open, .closed = back_done},
};

/* The front: passes its requests on, in another loop or in its own. */

static weir_channel *to_back;
static int children = 1;

typedef struct passed {
    weir_call_id id;
} passed;

static void on_answer(const weir_status *status, const text *reply, void *user)
{
    passed *p = user;
    if (status->code)
        weir_call_finish_post(p->id, status);
    else
        (void)!weir_call_reply_post(p->id, &text_type, reply);
    free(p);
}

static void pass_on(weir_call_id id, weir_str words, int64_t timeout_us)
{
    passed *p = malloc(sizeof *p);
    p->id = id;
    weir_call_opts opts = {.parent = id, .timeout_us = timeout_us};
    assert_ok(weir_unary_start(to_back, &test_methods[UNARY], &(text){.text = words},
                               rpc_outcome_thunk, (weir_fn)on_answer, p, &opts));
}

static void front_open(weir_call *call, const text *request, void *user)
{
    (void)user;
    for (int i = 0; i < children; i++)
        pass_on(weir_call_id_of(call), request->text, WEIR_SECONDS(3600));
}

static const test_handler front_methods[METHODS] = {[UNARY] = {.open = front_open}};

static test_server back, front;
static weir_channel *channel;
static weir_arena *mem;

static void open_chain(void)
{
    weir_latch_init(&back_opened, 1);
    weir_latch_init(&back_closed, 1);
    test_server_open(&back, back_methods, NULL, NULL);
    to_back = weir_channel_new(back.addr, NULL);
    test_server_open(&front, front_methods, NULL, &(weir_server_opts){.loops = 2});
    channel = weir_channel_new(front.addr, NULL);
    mem = weir_arena_new();
}

static void close_chain(void)
{
    weir_channel_free(channel);
    test_server_stop(&front);
    test_server_join(&front);
    weir_channel_free(to_back);
    test_server_stop(&back);
    test_server_join(&back);
    weir_arena_free(mem);
}

TEST(parent, a_call_has_no_more_time_than_the_call_it_is_made_for)
{
    void *reply = NULL;
    open_chain();
    weir_status status =
        weir_unary_call(channel, &test_methods[UNARY], mem, &(text){.text = WEIR_STR("time?")},
                        &reply, &(weir_call_opts){.timeout_us = WEIR_SECONDS(30)});
    assert_string_equal(weir_status_text(&status), "OK");
    long long left = atoll(((text *)reply)->text.ptr);
    assert_in_range(left, 1, WEIR_SECONDS(30));
    close_chain();
}

TEST(parent, a_call_is_cancelled_when_the_call_it_was_made_for_ends)
{
    rpc_outcome o;
    open_chain();
    rpc_outcome_start(&o, channel, "silence", &(weir_call_opts){.timeout_us = WEIR_SECONDS(3000)});
    weir_latch_wait(&back_opened);
    weir_channel_free(channel); /* the client goes away, and so does the front's call */
    rpc_outcome_wait(&o);
    weir_latch_wait(&back_closed);
    assert_int_equal(back_code, WEIR_STATUS_CANCELLED);
    channel = NULL;
    close_chain();
}

TEST(parent, both_ends_of_the_chain_see_the_deadline)
{
    rpc_outcome o;
    open_chain();
    rpc_outcome_start(&o, channel, "silence",
                      &(weir_call_opts){.timeout_us = WEIR_MILLISECONDS(500)});
    assert_int_equal(rpc_outcome_wait(&o), WEIR_STATUS_DEADLINE_EXCEEDED);
    weir_latch_wait(&back_closed);
    assert_true(back_code == WEIR_STATUS_DEADLINE_EXCEEDED || back_code == WEIR_STATUS_CANCELLED);
    close_chain();
}

TEST(parent, a_call_for_one_that_has_ended_is_cancelled_at_once)
{
    rpc_outcome o;
    open_chain();
    rpc_outcome_start(&o, to_back, "x", &(weir_call_opts){.parent = {12345}});
    assert_int_equal(rpc_outcome_wait(&o), WEIR_STATUS_CANCELLED);
    assert_true(rpc_outcome_says(&o, "has ended"));
    close_chain();
}

/* Many at once, and a channel that goes away while they are being joined. */

static weir_call_id held_id;
static weir_latch held_open;

static void hold(weir_call *call, const text *request, void *user)
{
    (void)request;
    (void)user;
    held_id = weir_call_id_of(call);
    weir_latch_down(&held_open);
}

static const test_handler hold_methods[METHODS] = {[UNARY] = {.open = hold}};

TEST(parent, a_call_may_have_a_thousand_calls_of_its_own_and_then_no_more)
{
    enum {
        MANY = 1100
    };
    static rpc_outcome outcomes[MANY];
    test_server holder;
    rpc_outcome o;
    weir_latch_init(&held_open, 1);
    test_server_open(&holder, hold_methods, NULL, NULL);
    weir_channel *to_holder = weir_channel_new(holder.addr, NULL);
    rpc_outcome_start(&o, to_holder, "", NULL);
    weir_latch_wait(&held_open);
    weir_channel *nowhere = weir_channel_new("127.0.0.1:1", NULL);
    for (int i = 0; i < MANY; i++)
        rpc_outcome_start(&outcomes[i], nowhere, "",
                          &(weir_call_opts){.parent = held_id, .wait_for_ready = true});
    assert_ok(weir_call_finish_post(held_id, &(weir_status){0}));
    int too_many = 0, cancelled = 0;
    for (int i = 0; i < MANY; i++) {
        weir_status_code code = rpc_outcome_wait(&outcomes[i]);
        too_many += code == WEIR_STATUS_RESOURCE_EXHAUSTED;
        cancelled += code == WEIR_STATUS_CANCELLED;
    }
    assert_int_equal(too_many + cancelled, MANY);
    assert_int_equal(too_many, 100);
    rpc_outcome_wait(&o);
    weir_channel_free(nowhere);
    weir_channel_free(to_holder);
    test_server_stop(&holder);
    test_server_join(&holder);
}

TEST(parent, a_channel_that_ends_waits_for_calls_that_are_being_joined)
{
    test_server holder;
    rpc_outcome o, made[20];
    weir_latch_init(&held_open, 1);
    test_server_open(&holder, hold_methods, NULL, NULL);
    weir_channel *to_holder = weir_channel_new(holder.addr, NULL);
    rpc_outcome_start(&o, to_holder, "", NULL);
    weir_latch_wait(&held_open);
    for (int round = 0; round < 20; round++) {
        weir_channel *brief = weir_channel_new("127.0.0.1:1", NULL);
        for (int i = 0; i < 20; i++)
            rpc_outcome_start(&made[i], brief, "", &(weir_call_opts){.parent = held_id});
        weir_channel_free(brief);
        for (int i = 0; i < 20; i++)
            assert_int_not_equal(rpc_outcome_wait(&made[i]), WEIR_STATUS_OK);
    }
    weir_channel_free(to_holder);
    rpc_outcome_wait(&o);
    test_server_stop(&holder);
    test_server_join(&holder);
}
