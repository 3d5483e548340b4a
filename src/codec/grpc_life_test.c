/* The life of connections: drain, pings, silent clients, calls that may be made again. */
#include "test.h"

#include "grpc_testing.h"

TEST(grpc_life, draining_takes_calls_that_are_on_their_way_and_then_no_more)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = echo;
    settle(p);
    weir_grpc_drain(p->server.grpc, "max_age");
    weir_grpc_drain(p->server.grpc, "again");
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p); /* the call, and the answer to the PING behind it */
    assert_false(weir_grpc_is_open(p->client.grpc));
    assert_false(weir_grpc_is_open(p->server.grpc));
    assert_false(weir_grpc_is_over(p->server.grpc));
    weir_grpc_half_close(call);
    settle(p);
    assert_string_equal(p->client.seen,
                        "goaway NO_ERROR max_age;goaway NO_ERROR max_age;close OK;");
    assert_int_equal(p->server.pongs, 0);
    assert_true(weir_grpc_is_over(p->server.grpc));
    pair_close(p);
}

/* A client that gets calls back. */

TEST(grpc_life, a_call_above_the_last_id_of_a_goaway_was_not_seen_by_the_server)
{
    pair *p = pair_open(NULL, NULL);
    settle(p);
    weir_grpc_goaway(p->server.grpc, WEIR_H2_NO_ERROR, WEIR_STR("bye"));
    start(p, weir_time_never(), NULL);
    weir_buf wire;
    weir_buf_init(&wire, p->client.pool);
    assert_ok(weir_grpc_pull(p->client.grpc, &wire, 1 << 20)); /* on its way */
    weir_buf_clear(&wire);
    carry(p, &p->server, &p->client);
    assert_int_equal(p->client.fate, WEIR_GRPC_REFUSED);
    assert_non_null(strstr(p->client.seen, "close UNAVAILABLE"));
    pair_close(p);
}

TEST(grpc_life, a_call_that_has_not_left_is_unsent_after_a_goaway_and_a_lost_connection)
{
    pair *p = pair_open(NULL, NULL);
    settle(p);
    weir_grpc_goaway(p->server.grpc, WEIR_H2_NO_ERROR, WEIR_STR("bye"));
    start(p, weir_time_never(), NULL);
    carry(p, &p->server, &p->client);
    settle(p);
    assert_int_equal(p->client.fate, WEIR_GRPC_UNSENT);
    pair_close(p);

    p = pair_open(NULL, NULL);
    settle(p);
    start(p, weir_time_never(), NULL);
    weir_grpc_free(p->client.grpc, "cut");
    p->client.grpc = NULL;
    assert_int_equal(p->client.fate, WEIR_GRPC_UNSENT);
    pair_close(p);

    p = pair_open(NULL, NULL);
    start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_free(p->client.grpc, "cut");
    p->client.grpc = NULL;
    assert_int_equal(p->client.fate, WEIR_GRPC_SEEN);
    pair_close(p);
}

TEST(grpc_life, a_drain_whose_ping_is_not_answered_ends_by_itself)
{
    pair *p = pair_open(NULL, NULL);
    settle(p);
    weir_grpc_drain(p->server.grpc, "max_idle");
    assert_true(weir_grpc_is_open(p->server.grpc));
    weir_timers_advance(&p->server.timers, weir_time_add(p->now, WEIR_SECONDS(4)));
    assert_true(weir_grpc_is_open(p->server.grpc));
    weir_timers_advance(&p->server.timers, weir_time_add(p->now, WEIR_SECONDS(6)));
    assert_false(weir_grpc_is_open(p->server.grpc));
    pair_close(p);
}

/* Silent clients. */

TEST(grpc_life, a_client_that_owes_messages_and_is_silent_loses_its_call)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.call_idle_us = WEIR_SECONDS(10)});
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    settle(p);
    pass_time(p, WEIR_SECONDS(9));
    send(call, "here");
    settle(p);
    pass_time(p, WEIR_SECONDS(9));
    assert_non_null(p->server.call);
    pass_time(p, WEIR_SECONDS(2));
    assert_null(p->server.call);
    assert_non_null(strstr(p->client.seen, "close DEADLINE_EXCEEDED the client has neither"));
    pair_close(p);
}

TEST(grpc_life, a_client_that_does_not_read_its_answer_loses_its_call)
{
    pair *p = pair_open(&(weir_grpc_opts){.h2 = {.stream_window = 4}},
                        &(weir_grpc_opts){.call_idle_us = WEIR_SECONDS(10)});
    weir_grpc_call *call = start(p, weir_time_never(), NULL);
    weir_grpc_half_close(call);
    settle(p);
    weir_grpc_pause(call);
    send(p->server.call, "more than its window");
    settle(p);
    pass_time(p, WEIR_SECONDS(11));
    assert_non_null(strstr(p->server.seen, "close DEADLINE_EXCEEDED"));
    pair_close(p);
}

TEST(grpc_life, a_client_that_waits_for_the_server_is_not_silent)
{
    pair *p = pair_open(NULL, &(weir_grpc_opts){.call_idle_us = WEIR_SECONDS(10)});
    weir_grpc_call *asks = start(p, weir_time_never(), NULL);
    weir_grpc_half_close(asks);
    settle(p);
    weir_grpc_call *asked = p->server.call;
    start(p, weir_time_never(), NULL);
    settle(p);
    weir_grpc_pause(p->server.call); /* the server does not want to hear more */
    pass_time(p, WEIR_SECONDS(100));
    assert_string_equal(p->client.seen, "");
    finish(asked, WEIR_STATUS_OK, "");
    pair_close(p);
}

/* Deadlines: the two ends' clocks differ a little. */

TEST(grpc_life, a_server_that_resets_long_before_the_deadline_has_cancelled_the_call)
{
    pair *p = pair_open(NULL, NULL);
    start(p, weir_time_add(p->now, WEIR_SECONDS(1)), NULL);
    settle(p);
    weir_grpc_cancel(p->server.call);
    settle(p);
    assert_string_equal(p->client.seen, "close CANCELLED stream reset by the server: CANCEL;");
    pair_close(p);
}

TEST(grpc_life, a_client_whose_deadline_came_first_has_not_cancelled_the_call)
{
    pair *p = pair_open(NULL, NULL);
    weir_grpc_call *call = start(p, weir_time_add(p->now, WEIR_SECONDS(1)), NULL);
    settle(p);
    weir_time late = weir_time_add(p->now, WEIR_MILLISECONDS(995));
    weir_timers_advance(&p->server.timers, late);
    weir_grpc_cancel(call);
    settle(p);
    assert_non_null(strstr(p->server.seen, "close DEADLINE_EXCEEDED deadline exceeded;"));
    pair_close(p);
}

/* Keeping the connection. */

TEST(grpc_life, pings_are_told_and_answered_and_what_was_sent_is_counted_once)
{
    pair *p = pair_open(NULL, NULL);
    p->server.act = echo;
    settle(p);
    weir_grpc_ping(p->client.grpc);
    settle(p);
    assert_int_equal(p->server.pings, 1);
    assert_int_equal(p->client.pongs, 1);
    assert_false(weir_grpc_take_sent(p->server.grpc));
    send(start(p, weir_time_never(), NULL), "ping");
    settle(p);
    assert_true(weir_grpc_take_sent(p->server.grpc));
    assert_false(weir_grpc_take_sent(p->server.grpc));
    pair_close(p);
}
